"""POST /v1/chat/completions: passed on to upstreams that speak Chat, and bridged to all others."""

from collections.abc import Collection
from functools import partial
from typing import ClassVar

import msgspec

from runapi.core.admission import RequestShape
from runapi.core.bridge import Dialect, Obstacle, Wish, choose_dialect
from runapi.core.catalog import Model
from runapi.wire.endpoints.passed import PassedWay
from runapi.wire.endpoints.translated import TranslatedWay
from runapi.wire.endpoints.way import Caller, Way
from runapi.wire.normalise import UpstreamRequest, normalise
from runapi.wire.openai_chat.ask import asks_for_functions, to_asked
from runapi.wire.openai_chat.input_tokens import count_input
from runapi.wire.openai_chat.reply import read_chat_reply
from runapi.wire.openai_chat.request import Fields, read_chat_request
from runapi.wire.openai_chat.shape import read_shape
from runapi.wire.openai_chat.stream import ChatStream
from runapi.wire.refusals import unsupported

_FUNCTION = frozenset(("function",))
_SOUND = ("audio", "modalities")


class ChatAsking:
    """A Chat Completions request."""

    endpoint: ClassVar[str] = "/v1/chat/completions"
    is_deaf_to_failure: ClassVar[bool] = False
    __slots__ = ("_caller", "_model", "_upstream_request", "_ways", "request")

    def __init__(self, body: bytes) -> None:
        """Read a request.

        Raises:
            Problem: 400, naming the parameter and what was expected.
        """
        self.request = read_chat_request(body)
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
        self._upstream_request: UpstreamRequest = normalise(self.request, model, strict=caller.is_strict)

    def shape(self) -> RequestShape:
        return read_shape(self.request)

    def way(self, spoken: Collection[Dialect], *, is_lenient: bool = False) -> Way | Obstacle:
        dialect = choose_dialect(self._model, self._wish(), spoken, is_lenient=is_lenient)
        if isinstance(dialect, Obstacle):
            return dialect
        way = self._ways.get(dialect)
        if way is None:
            is_passed = dialect is Dialect.CHAT and not self._upstream_request.stops
            way = self._ways[dialect] = self._passed() if is_passed else self._translated(dialect)
        return way

    def count_input(self) -> int:
        return count_input(self.request)

    def _wish(self) -> Wish:
        request = self.request
        tools = request.tool_types
        if asks_for_functions(request.fields):
            tools |= _FUNCTION
        return Wish(Dialect.CHAT, self._upstream_request.effort, tools)

    def _passed(self) -> Way:
        request, upstream_request = self.request, self._upstream_request
        return PassedWay(
            "/chat/completions",
            encode=self._encode,
            read_reply=read_chat_reply,
            new_stream=partial(ChatStream, model=self._model.id, wants_usage=request.wants_usage),
            answer_id=f"chatcmpl-{self._caller.request_id[4:]}",
            dropped=upstream_request.dropped,
        )

    def _encode(self, model: str, output_cap: int | None) -> bytes:
        """Write the body; more output than the client wants may be paid for, as another upstream's dialect needs it."""
        request = self.request
        asked = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
        if output_cap is not None and asked is not None:
            output_cap = min(output_cap, asked)
        return self._upstream_request.encode(model, output_cap)

    def _translated(self, dialect: Dialect) -> Way:
        upstream_request = self._upstream_request
        if dialect is not Dialect.CHAT:
            _refuse_sound(upstream_request.dropped)
        asked = to_asked(msgspec.structs.replace(self.request, fields=upstream_request.fields))
        return TranslatedWay(
            dialect,
            msgspec.structs.replace(asked, stop=upstream_request.stops or asked.stop),
            client=self.request,
            model=self._model,
            caller=self._caller,
            dropped=upstream_request.dropped,
        )


def _refuse_sound(dropped: tuple[str, ...]) -> None:
    """Refuse to answer in text alone who wants to hear it: no other dialect has a word for that."""
    for name in _SOUND:
        if name in dropped:
            raise unsupported(name, "Ask for text only.")
