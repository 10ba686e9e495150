"""A way to ask an upstream: what goes there, and what comes of its answer. Passed on as it is, or translated."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from runapi.core.problems import Problem
from runapi.core.usage import Usage
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.reasoning_memory import Thought

LONG_REPLY_BYTES = 64 * 1024 * 1024
"""How long a whole answer may be that says the same several times: in several choices, or with log probabilities."""


class Target(msgspec.Struct, frozen=True, gc=False):
    """What an attempt aims at."""

    model: str  # the upstream's name for the model
    output_cap: int  # tokens of each answer that were paid for
    is_models_own: bool  # which is the model's own limit, and need not be said
    origin: str  # names upstream and model, for reasoning that nobody else can read

    @property
    def cap_to_say(self) -> int | None:
        """The output limit to send; None where the model's own holds."""
        return None if self.is_models_own else self.output_cap


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as far as it alters what goes upstream."""

    account_id: int
    request_id: str
    at_s: int  # Unix time
    headers: Mapping[bytes, bytes]
    recall: Callable[
        [str, str], Thought | None
    ]  # (origin, call id) -> what the model thought before the call
    is_strict: bool = False  # refuse what the model refuses, in the place of leaving it out
    unsold_tools: frozenset[str] = frozenset()  # types of hosted tools that are not sold here


class Reported(Protocol):
    """What an upstream's answer says of itself, whole or streamed."""

    @property
    def delivers(self) -> bool: ...
    @property
    def is_capped(self) -> bool: ...
    @property
    def usage(self) -> Usage | None: ...
    @property
    def raw_usage(self) -> bytes | None: ...
    @property
    def service_tier(self) -> str | None: ...


def is_due(answer: Reported) -> bool:
    """Whether a whole answer is charged.

    An empty one is free, but not where its output limit ended it: what the model has thought until then
    was asked for, and is no failure of anybody's.
    """
    if answer.delivers:
        return True
    return answer.is_capped and answer.usage is not None and answer.usage.output > 0


class Stream(Reported, Protocol):
    """One client's stream, across the attempts that go the same way; see `ChatStream`."""

    @property
    def ended(self) -> bool: ...
    @property
    def is_stopped(self) -> bool: ...
    @property
    def fault(self) -> StreamFault | None: ...
    @property
    def text(self) -> str: ...
    @property
    def text_length(self) -> int: ...

    def feed(self, data: bytes) -> bytes: ...
    def feed_end(self) -> bytes: ...
    def restart(self) -> None: ...
    def heartbeat(self, id_if_first: str, now_s: int) -> bytes: ...
    def tail(self, cost_usd: str, counted: Usage) -> bytes: ...
    def error(self, problem: Problem, id_if_first: str, now_s: int) -> bytes: ...


class Reply(Reported, Protocol):
    """One whole answer; see `ChatReply`."""

    def render(self, model: str, cost_usd: str, usage: Usage) -> bytes: ...
    def text(self) -> str: ...


class Way(Protocol):
    """How one client's request is put to upstreams of one kind."""

    @property
    def path(self) -> str:
        """Behind the upstream's base URL."""
        ...

    @property
    def dropped(self) -> tuple[str, ...]:
        """What the client asked for and the upstream is not."""
        ...

    @property
    def headers(self) -> Mapping[str, str] | None:
        """What the call says beside what every call does."""
        ...

    @property
    def least_cap(self) -> int:
        """The least output limit that the upstream takes: at least so much is paid for."""
        ...

    @property
    def most_reply_bytes(self) -> int | None:
        """How long a whole answer may be, where that is longer than others."""
        ...

    @property
    def answer_id(self) -> str:
        """The id of an answer that begins before an upstream's has."""
        ...

    @property
    def stream(self) -> Stream:
        """The client's stream; the same one each time."""
        ...

    @property
    def thoughts(self) -> Sequence[Thought]:
        """Of an answer that has ended: the reasoning to be kept for the next request."""
        ...

    def encode(self, target: Target) -> bytes:
        """Write the body of an attempt.

        Raises:
            Problem: 400, the upstream's dialect cannot say it.
        """
        ...

    def read_reply(self, body: bytes) -> Reply:
        """Read a whole answer.

        Raises:
            BadReplyError: it is none.
        """
        ...
