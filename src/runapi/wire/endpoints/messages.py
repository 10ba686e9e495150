"""POST /v1/messages: passed on to upstreams that speak Messages, and translated for all others."""

from collections.abc import Collection
from functools import partial
from typing import ClassVar

from runapi.core import problems
from runapi.core.admission import RequestShape
from runapi.core.bridge import Dialect, Obstacle, Wish, choose_dialect
from runapi.core.catalog import Model
from runapi.wire.anthropic.ask import dropped, to_asked
from runapi.wire.anthropic.normalise import normalise_asked
from runapi.wire.anthropic.pass_on import not_passed_on, write_passed_on
from runapi.wire.anthropic.reply import read_messages_reply
from runapi.wire.anthropic.request import read_messages_request
from runapi.wire.anthropic.shape import read_shape
from runapi.wire.anthropic.stream import MessagesStream
from runapi.wire.count_asked import count_asked
from runapi.wire.endpoints.passed import PassedWay
from runapi.wire.endpoints.translated import TranslatedWay
from runapi.wire.endpoints.unsold import refuse_anthropics_tools
from runapi.wire.endpoints.way import Caller, Way
from runapi.wire.neutral import Asked
from runapi.wire.openai_chat.request import Fields
from runapi.wire.tokens import count_text

_PASSED_HEADERS = (b"anthropic-version", b"anthropic-beta")


class MessagesAsking:
    """A Messages request."""

    endpoint: ClassVar[str] = "/v1/messages"
    is_deaf_to_failure: ClassVar[bool] = False
    __slots__ = ("_asked", "_caller", "_dropped", "_model", "_ways", "request")

    def __init__(self, body: bytes) -> None:
        """Read a request.

        Raises:
            Problem: 400, naming the parameter and what was expected.
        """
        self.request = read_messages_request(body)
        self._asked: Asked | None = None
        self._dropped: tuple[str, ...] = ()
        self._ways: dict[Dialect, Way] = {}

    @property
    def model(self) -> str:
        return self.request.model

    @property
    def stream(self) -> bool:
        return self.request.stream

    @property
    def fields(self) -> Fields:
        return self.request.fields

    @property
    def input_bytes(self) -> int:
        return len(self.request.fields["messages"])

    def prepare(self, model: Model, caller: Caller) -> None:
        self._model: Model = model
        self._caller: Caller = caller

    def shape(self) -> RequestShape:
        return read_shape(self.request)

    def way(self, spoken: Collection[Dialect], *, is_lenient: bool = False) -> Way | Obstacle:
        if Dialect.ANTHROPIC in spoken and (is_lenient or self.endpoint in self._model.endpoints):
            dialect: Dialect | Obstacle = Dialect.ANTHROPIC
        else:
            asked = self._neutral()
            tools = frozenset("hosted" if tool.hosted is not None else str(tool.kind) for tool in asked.tools)
            effort = asked.effort or self._model.default_effort
            wish = Wish(Dialect.ANTHROPIC, effort, tools)
            dialect = choose_dialect(self._model, wish, spoken, is_lenient=is_lenient)
        if isinstance(dialect, Obstacle):
            return dialect
        way = self._ways.get(dialect)
        if way is None:
            is_passed = dialect is Dialect.ANTHROPIC
            way = self._ways[dialect] = self._passed() if is_passed else self._translated(dialect)
        return way

    def count_input(self) -> int:
        try:
            return count_asked(to_asked(self.request))
        except problems.Problem:  # it holds what Anthropic alone understands
            return count_text(bytes(self.request.fields["messages"]).decode())

    def _neutral(self) -> Asked:
        """What is asked, with nothing in it that the model refuses."""
        if self._asked is None:
            self._asked, left_out = normalise_asked(to_asked(self.request), self._model)
            self._dropped = dropped(self.request) + left_out
            if self._caller.is_strict and self._dropped:
                raise problems.unsupported_parameter(self._dropped[0], self._model.id)
        return self._asked

    def _passed(self) -> Way:
        request = self.request
        headers = {
            name.decode(): value.decode("latin-1")
            for name in _PASSED_HEADERS
            if (value := self._caller.headers.get(name))
        }
        refuse_anthropics_tools(request, self._caller.unsold_tools)
        left_out = not_passed_on(request)
        if self._caller.is_strict and left_out:
            raise problems.unsupported_parameter(left_out[0], self._model.id)
        return PassedWay(
            "/messages",
            encode=partial(write_passed_on, request),
            read_reply=read_messages_reply,
            new_stream=partial(MessagesStream, model=self._model.id),
            answer_id=self._caller.request_id,
            dropped=left_out,
            headers=headers or None,
        )

    def _translated(self, dialect: Dialect) -> Way:
        asked = self._neutral()
        return TranslatedWay(
            dialect,
            asked,
            client=self.request,
            model=self._model,
            caller=self._caller,
            dropped=self._dropped,
        )
