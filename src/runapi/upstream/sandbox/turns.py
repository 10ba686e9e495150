"""What the sandbox is asked and what it answers, in the words of no dialect. Each dialect reads and writes these."""

from enum import StrEnum

import msgspec

from runapi.upstream.sandbox.directives import NONE, Directives


class ToolKind(StrEnum):
    """What a tool takes: JSON by a schema, or plain text."""

    FUNCTION = "function"
    CUSTOM = "custom"


class Tool(msgspec.Struct, frozen=True):
    """A tool that may be called. `schema` is decoded JSON, of a function only."""

    kind: ToolKind
    name: str
    schema: object = None


class Form(msgspec.Struct, frozen=True):
    """JSON, in the place of words."""

    name: str = ""
    schema: object = None  # None: any object will do


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One request for an answer."""

    seed: bytes  # whatever looks like chance is derived from it
    text: str  # the newest words of the user
    directives: Directives = NONE
    calls_answered: int = 0  # tool results that came after the directives
    tool_results: tuple[str, ...] = ()  # those that wait for an answer
    tools: tuple[Tool, ...] = ()  # those that may be called now
    must_call: bool = False
    parallel_calls: bool = True
    form: Form | None = None  # of the answer
    cap: int | None = None  # the most output tokens, reasoning among them
    effort: str | None = None
    stop: tuple[str, ...] = ()
    count: int = 1  # how many answers are wanted
    input_tokens: int = 0


class ToolCall(msgspec.Struct, frozen=True):
    """A call that the sandbox makes; `arguments` is JSON for a function, plain text for a custom tool."""

    id: str
    kind: ToolKind
    name: str
    pieces: tuple[str, ...]  # the arguments, as a stream would send them

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: text, a refusal, or calls."""

    pieces: tuple[str, ...] = ()  # the text or refusal, as a stream would send it
    is_refusal: bool = False
    calls: tuple[ToolCall, ...] = ()
    finish: Finish = Finish.STOP
    output_tokens: int = 0  # reasoning among them
    reasoning_tokens: int = 0

    @property
    def text(self) -> str:
        return "".join(self.pieces)
