"""All dialects side by side: what speaks which, for the flows to join a client's with an upstream's."""

import functools
from collections.abc import Callable
from typing import assert_never

import msgspec

from runapi.core.bridge import Dialect
from runapi.wire.anthropic.answer_reader import AnthropicReader
from runapi.wire.anthropic.answer_reader import read_answer as read_anthropic_answer
from runapi.wire.anthropic.answer_writer import AnthropicWriter
from runapi.wire.anthropic.answer_writer import write_answer as write_anthropic_answer
from runapi.wire.anthropic.ask import to_asked as anthropic_to_asked
from runapi.wire.anthropic.request import MessagesRequest, Thinking, read_messages_request
from runapi.wire.anthropic.write_ask import write_asked as write_anthropic_asked
from runapi.wire.neutral import Asked, Event
from runapi.wire.openai_chat.answer_reader import ChatReader
from runapi.wire.openai_chat.answer_reader import read_answer as read_chat_answer
from runapi.wire.openai_chat.answer_writer import ChatWriter
from runapi.wire.openai_chat.answer_writer import write_answer as write_chat_answer
from runapi.wire.openai_chat.ask import asks_for_functions
from runapi.wire.openai_chat.ask import to_asked as chat_to_asked
from runapi.wire.openai_chat.ask import write_asked as write_chat_asked
from runapi.wire.openai_chat.request import ChatRequest, read_chat_request
from runapi.wire.openai_responses.answer_reader import ResponsesReader
from runapi.wire.openai_responses.answer_reader import read_answer as read_responses_answer
from runapi.wire.openai_responses.answer_writer import ResponsesWriter
from runapi.wire.openai_responses.answer_writer import write_answer as write_responses_answer
from runapi.wire.openai_responses.ask import to_asked as responses_to_asked
from runapi.wire.openai_responses.ask import write_asked as write_responses_asked
from runapi.wire.openai_responses.request import ResponsesRequest, read_responses_request
from runapi.wire.translate import Reader, WriteAnswer, Writer

ClientRequest = ChatRequest | ResponsesRequest | MessagesRequest


class UpstreamSide(msgspec.Struct, frozen=True):
    """How to talk to an upstream of one dialect."""

    path: str  # behind the upstream's base URL
    write_asked: Callable[[Asked, str, int | None], bytes]  # (asked, their model, output cap)
    new_reader: Callable[[], Reader]
    read_answer: Callable[[bytes], list[Event]]


UPSTREAM_SIDES = {
    Dialect.CHAT: UpstreamSide("/chat/completions", write_chat_asked, ChatReader, read_chat_answer),
    Dialect.RESPONSES: UpstreamSide(
        "/responses", write_responses_asked, ResponsesReader, read_responses_answer
    ),
    Dialect.ANTHROPIC: UpstreamSide(
        "/messages", write_anthropic_asked, AnthropicReader, read_anthropic_answer
    ),
}
_READERS: dict[Dialect, Callable[[bytes], ClientRequest]] = {
    Dialect.CHAT: read_chat_request,
    Dialect.RESPONSES: read_responses_request,
    Dialect.ANTHROPIC: read_messages_request,
}


class Naming(msgspec.Struct, frozen=True):
    """What an answer of our own making says of itself."""

    model: str  # as the client named it
    request_id: str  # `req_...`, of which the answer's own id is made
    created_s: int  # Unix time

    @property
    def chat_id(self) -> str:
        return f"chatcmpl-{self.request_id.removeprefix('req_')}"

    @property
    def response_id(self) -> str:
        return f"resp_{self.request_id.removeprefix('req_')}"


def read_request(dialect: Dialect, body: bytes) -> ClientRequest:
    """Read a client's request.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    return _READERS[dialect](body)


def to_asked(request: ClientRequest) -> Asked:
    """Say what a request asks, in the neutral form.

    Raises:
        Problem: 400, naming what has none.
    """
    match request:
        case ChatRequest():
            return chat_to_asked(request)
        case ResponsesRequest():
            return responses_to_asked(request)
        case MessagesRequest():
            return anthropic_to_asked(request)
        case _:
            assert_never(request)


def new_writer(request: ClientRequest, naming: Naming) -> Writer:
    """Make the writer of one client's stream, as it asked for it."""
    model, request_id, created_s = naming.model, naming.request_id, naming.created_s
    match request:
        case ChatRequest():
            is_older = asks_for_functions(request.fields)
            return ChatWriter(
                model, naming.chat_id, created_s, wants_usage=request.wants_usage, is_older=is_older
            )
        case ResponsesRequest():
            return ResponsesWriter(model, naming.response_id, created_s, request)
        case MessagesRequest():
            return AnthropicWriter(model, request_id, created_s, thinking=request.thinking)
        case _:
            assert_never(request)


def answer_writer(request: ClientRequest, naming: Naming) -> WriteAnswer:
    """Give what writes one client's whole answer, as it asked for it."""
    match request:
        case ChatRequest():
            return functools.partial(
                write_chat_answer,
                id=naming.chat_id,
                created_s=naming.created_s,
                is_older=asks_for_functions(request.fields),
            )
        case ResponsesRequest():
            return functools.partial(
                write_responses_answer,
                id=naming.response_id,
                created_s=naming.created_s,
                request=request,
            )
        case MessagesRequest():
            return functools.partial(
                write_anthropic_answer, request_id=naming.request_id, thinking=request.thinking
            )
        case _:
            assert_never(request)


def shows_reasoning(request: ClientRequest) -> bool:
    """Whether the client reads what the model thinks, so that an answer has begun with it."""
    match request:
        case ChatRequest():
            return False
        case ResponsesRequest():
            return True
        case MessagesRequest():
            return request.thinking is Thinking.SHOWN
        case _:
            assert_never(request)
