"""POST /v1/chat/completions: passed on to upstreams that speak Chat, and bridged to all others."""

from functools import partial

import msgspec
from msgspec import Raw

from runapi.core.admission import RequestShape
from runapi.core.bridge import Dialect, Wish
from runapi.core.catalog import Model
from runapi.wire.endpoints.dialect_asking import DialectAsking
from runapi.wire.endpoints.passed import PassedWay
from runapi.wire.endpoints.sessions import with_names_apart
from runapi.wire.endpoints.translated import TranslatedWay
from runapi.wire.endpoints.way import LONG_REPLY_BYTES, Caller, Way
from runapi.wire.normalise import SEARCH, UpstreamRequest, normalise
from runapi.wire.openai_chat.ask import asks_for_functions, to_asked
from runapi.wire.openai_chat.input_tokens import count_input
from runapi.wire.openai_chat.reply import read_chat_reply
from runapi.wire.openai_chat.request import ChatRequest, read_chat_request
from runapi.wire.openai_chat.shape import read_shape
from runapi.wire.openai_chat.stream import ChatStream
from runapi.wire.refusals import unsupported

_FUNCTION = frozenset(("function",))
_TRUE = Raw(b"true")
_SOUND = ("audio", "modalities")


class ChatAsking(DialectAsking[ChatRequest]):
    """A Chat Completions request."""

    dialect = Dialect.CHAT
    endpoint = "/v1/chat/completions"
    __slots__ = ("_upstream_request",)
    _read = staticmethod(read_chat_request)

    def prepare(self, model: Model, caller: Caller) -> None:
        self._model, self._caller = model, caller
        request = self.request
        self._upstream_request: UpstreamRequest = normalise(
            request, model, strict=caller.is_strict, refused_tools=caller.unsold_tools
        )
        if SEARCH in self._upstream_request.dropped:
            fields = {name: raw for name, raw in request.fields.items() if name != SEARCH}
            self.request = request = msgspec.structs.replace(request, fields=fields)
        tools = request.tool_types
        if asks_for_functions(request.fields):
            tools |= _FUNCTION
        self._wish = Wish(Dialect.CHAT, self._upstream_request.effort, tools)

    def shape(self) -> RequestShape:
        return read_shape(self.request)

    def count_input(self) -> int:
        return count_input(self.request)

    def _passed(self) -> Way:
        request, upstream_request = self.request, self._upstream_request
        if upstream_request.stops:
            return self._translated(Dialect.CHAT)  # which ends the answer at them
        upstream_request = with_names_apart(upstream_request, self._caller)
        return PassedWay(
            "/chat/completions",
            encode=partial(_encode, request, upstream_request),
            read_reply=read_chat_reply,
            new_stream=partial(ChatStream, model=request.model, wants_usage=request.wants_usage),
            answer_id=f"chatcmpl-{self._caller.request_id[4:]}",
            dropped=upstream_request.dropped,
            most_reply_bytes=LONG_REPLY_BYTES if _says_more(request) else None,
        )

    def _translated(self, dialect: Dialect) -> Way:
        upstream_request = self._upstream_request
        if dialect is not Dialect.CHAT:
            _refuse_sound(upstream_request.dropped)
        asked = to_asked(msgspec.structs.replace(self.request, fields=upstream_request.fields))
        return TranslatedWay(
            dialect,
            msgspec.structs.replace(asked, stop=upstream_request.stops or asked.stop),
            client=self.asked_for,
            model=self._model,
            caller=self._caller,
            dropped=upstream_request.dropped,
        )


def _encode(
    request: ChatRequest, upstream_request: UpstreamRequest, model: str, output_cap: int | None
) -> bytes:
    """Write the body; more output than the client wants may be paid for, as another upstream's dialect needs it.

    No method: a way that held its request's `Asking`, which holds its ways, would keep both until a garbage collection.
    """
    asked = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
    if output_cap is not None and asked is not None:
        output_cap = min(output_cap, asked)
    return upstream_request.encode(model, output_cap)


def _says_more(request: ChatRequest) -> bool:
    """Whether the answer is longer than its text: it has several choices, or the probability of each token."""
    return request.choices > 1 or request.fields.get("logprobs") == _TRUE


def _refuse_sound(dropped: tuple[str, ...]) -> None:
    """Refuse to answer in text alone who wants to hear it: no other dialect has a word for that."""
    for name in _SOUND:
        if name in dropped:
            raise unsupported(name, "Ask for text only.")
