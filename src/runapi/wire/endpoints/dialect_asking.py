"""What the endpoints have in common that speak a dialect: a request of theirs is passed on, or put into another one."""

from collections.abc import Collection
from typing import ClassVar

from runapi.core.bridge import Dialect, Obstacle, Wish, choose_dialect
from runapi.wire.endpoints.asking import AnyRequest, ReadAsking
from runapi.wire.endpoints.way import Way
from runapi.wire.openai_chat.request import NULL


class DialectAsking(ReadAsking[AnyRequest]):
    """An `Asking` in one dialect."""

    dialect: ClassVar[Dialect]
    endpoint: ClassVar[str]
    _conversation: ClassVar[str] = "messages"  # the field that holds it
    __slots__ = ("_ways", "_wish", "asked_for")

    asked_for: AnyRequest  # as the client sent it, which answers repeat
    _wish: Wish  # to be set before `way` is asked

    def __init__(self, body: bytes) -> None:
        """Read a request.

        Raises:
            Problem: 400, naming the parameter and what was expected.
        """
        self.asked_for = self.request = self._read(body)
        self._ways: dict[Dialect, Way] = {}

    @property
    def input_bytes(self) -> int:
        return len(self.request.fields.get(self._conversation, NULL))

    def way(self, spoken: Collection[Dialect], *, is_lenient: bool = False) -> Way | Obstacle:
        dialect = choose_dialect(self._model, self._wish, spoken, is_lenient=is_lenient)
        if isinstance(dialect, Obstacle):
            return dialect
        way = self._ways.get(dialect)
        if way is None:
            is_passed = dialect is self.dialect
            way = self._ways[dialect] = self._passed() if is_passed else self._translated(dialect)
        return way

    @staticmethod
    def _read(body: bytes) -> AnyRequest:
        raise NotImplementedError

    def _passed(self) -> Way:
        """Make the way to an upstream that speaks this dialect."""
        raise NotImplementedError

    def _translated(self, dialect: Dialect) -> Way:
        """Make the way to an upstream that is asked in `dialect`."""
        raise NotImplementedError
