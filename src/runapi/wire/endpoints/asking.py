"""What a client asks of one endpoint, as far as the flows need to know it."""

from collections.abc import Collection
from typing import Generic, Protocol, TypeVar

from runapi.core.admission import RequestShape
from runapi.core.bridge import Dialect, Obstacle
from runapi.core.catalog import Model
from runapi.wire.endpoints.way import Caller, Way
from runapi.wire.openai_chat.request import Fields


class Asking(Protocol):
    """A request that was read. `prepare` comes first; the rest follows from the model that it asks for."""

    @property
    def endpoint(self) -> str:
        """The URL's path, as rows and receipts have it."""
        ...

    @property
    def model(self) -> str:
        """The model, as the client named it."""
        ...

    @property
    def stream(self) -> bool: ...

    @property
    def fields(self) -> Fields:
        """The outermost fields, as the client sent them."""
        ...

    @property
    def is_deaf_to_failure(self) -> bool:
        """Whether its client takes the last words of a stream that broke off for the end of a whole answer."""
        ...

    @property
    def input_bytes(self) -> int:
        """About how long what the model is to read is; for guesses, never for money."""
        ...

    def prepare(self, model: Model, caller: Caller) -> None:
        """Apply the catalogue's rules.

        Raises:
            Problem: 400, the model refuses what is asked.
        """
        ...

    def shape(self) -> RequestShape:
        """Measure how large it can be for its upstream."""
        ...

    def way(self, spoken: Collection[Dialect], *, is_lenient: bool = False) -> Way | Obstacle:
        """Choose the way to an upstream that speaks these dialects; the same for the same dialects.

        Args:
            spoken: its dialects.
            is_lenient: go by the operator's word, that the model is served there, where the catalogue says otherwise.

        Raises:
            Problem: 400, naming what the upstream's dialect cannot say.
        """
        ...

    def count_input(self) -> int:
        """Count the input tokens; long ones take long."""
        ...


class _Request(Protocol):
    @property
    def fields(self) -> Fields: ...
    @property
    def model(self) -> str: ...
    @property
    def stream(self) -> bool: ...


AnyRequest = TypeVar("AnyRequest", bound=_Request)


class ReadAsking(Generic[AnyRequest]):
    """What each `Asking` knows of a request that was read.

    It has no abstract methods, nor is it an `Asking` by inheritance: `isinstance`, which each request goes through,
    would take longer.
    """

    __slots__ = ("_caller", "_model", "request")

    request: AnyRequest
    _caller: Caller
    _model: Model

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
    def is_deaf_to_failure(self) -> bool:
        return False

    def prepare(self, model: Model, caller: Caller) -> None:
        self._model, self._caller = model, caller
