"""What a request asks and what an answer says, whatever dialect they are written in.

Translation goes dialect -> neutral -> dialect; where client and upstream speak the same dialect the bytes pass
untouched and nothing of this is used. What a dialect cannot say is refused by its `request.py` with a 400 that names
the parameter, never dropped in silence; JSON that nobody need understand stays `Raw`.
"""

from enum import StrEnum

import msgspec
from msgspec import Raw

from runapi.core.usage import Usage

# ---- what is asked ---------------------------------------------------------------------------------------


class Role(StrEnum):
    """Who speaks. A developer's words stand above the user's; `system` is the older name."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"


class Text(msgspec.Struct, frozen=True, tag=True):
    text: str


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """The model's own refusal, said back to it."""

    text: str


class Image(msgspec.Struct, frozen=True, tag=True):
    """A picture by its https or data URL, or by the id of a file at the upstream."""

    url: str | None = None
    file_id: str | None = None
    detail: str | None = None  # low, high, auto, original


class File(msgspec.Struct, frozen=True, tag=True):
    """A document: a data URL (`data`), an https URL, or the id of a file at the upstream."""

    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    filename: str | None = None


Part = Text | Refusal | Image | File


class Turn(msgspec.Struct, frozen=True, tag=True):
    """Something said by one side."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    is_plain: bool = False  # its content was one string, not a list of parts


class CallKind(StrEnum):
    FUNCTION = "function"
    CUSTOM = "custom"  # takes free text in the place of JSON


class Call(msgspec.Struct, frozen=True, tag=True):
    """A tool that the assistant called. Consecutive calls, and a turn before them, are one message in Chat."""

    id: str
    name: str
    arguments: str  # JSON text, or the input of a custom tool
    kind: CallKind = CallKind.FUNCTION


class CallResult(msgspec.Struct, frozen=True, tag=True):
    """What a tool gave back."""

    call_id: str
    parts: tuple[Part, ...]
    kind: CallKind = CallKind.FUNCTION
    is_error: bool = False  # Anthropic's; other dialects have no word for it


class Reasoning(msgspec.Struct, frozen=True, tag=True):
    """What the assistant thought before what follows it, in a form only its upstream can read."""

    id: str | None
    encrypted: str | None
    summaries: tuple[str, ...] = ()
    origin: str | None = (
        None  # the upstream and model that can read it, in words of the flow's; None: not known
    )


Item = Turn | Call | CallResult | Reasoning


class Tool(msgspec.Struct, frozen=True):
    """A tool of the client's, or (`hosted`) one that runs at the upstream, whole and verbatim."""

    name: str = ""
    kind: CallKind = CallKind.FUNCTION
    description: str | None = None
    schema: Raw | None = None  # JSON schema of a function's arguments
    strict: bool | None = None
    grammar: Raw | None = None  # the `format` of a custom tool, in Responses' form
    hosted: Raw | None = None


class ChoiceMode(StrEnum):
    """Which tools may or must be called."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"  # the one tool in `names`
    ALLOWED_AUTO = "allowed_auto"  # any of `names`, or none
    ALLOWED_REQUIRED = "allowed_required"  # one of `names`


class ToolChoice(msgspec.Struct, frozen=True):
    mode: ChoiceMode
    names: tuple[str, ...] = ()
    kinds: tuple[CallKind, ...] = ()  # of each name


class FormatKind(StrEnum):
    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


class Format(msgspec.Struct, frozen=True):
    """What the answer's text must be."""

    kind: FormatKind
    name: str | None = None
    description: str | None = None
    schema: Raw | None = None
    strict: bool | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request. None means that the client did not say."""

    model: str
    items: tuple[Item, ...]
    stream: bool = False
    tools: tuple[Tool, ...] = ()
    choice: ToolChoice | None = None
    parallel_calls: bool | None = None
    format: Format | None = None
    effort: str | None = None
    summary: str | None = None  # of the reasoning: auto, concise, detailed
    verbosity: str | None = None
    output_cap: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int | None = None
    service_tier: str | None = None
    metadata: Raw | None = None
    user: str | None = None
    safety_identifier: str | None = None
    cache_key: str | None = None
    cache_retention: str | None = None
    wants_usage: bool = True  # Chat's stream_options.include_usage; other dialects always report


# ---- what is answered ------------------------------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The answer begins. Each dialect gives it an id of its own form; `created_s` is Unix time."""

    created_s: int
    service_tier: str | None = None


class TextDelta(msgspec.Struct, frozen=True, tag=True):
    text: str
    logprobs: Raw | None = None  # a list in Chat's form (`logprobs.content`)


class RefusalDelta(msgspec.Struct, frozen=True, tag=True):
    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, tag=True):
    """A piece of the summary of what the model thinks."""

    text: str


class ReasoningEnd(msgspec.Struct, frozen=True, tag=True):
    """A reasoning item is whole: to be put back before the calls that follow it."""

    item: Reasoning


class CallBegin(msgspec.Struct, frozen=True, tag=True):
    """A call begins. `index` counts the calls of this answer from 0, in the order in which they begin."""

    index: int
    id: str
    name: str
    kind: CallKind = CallKind.FUNCTION


class CallDelta(msgspec.Struct, frozen=True, tag=True):
    index: int
    arguments: str


class CallEnd(msgspec.Struct, frozen=True, tag=True):
    index: int


class Annotation(msgspec.Struct, frozen=True, tag=True):
    """A citation, in Chat's form (`message.annotations[]`)."""

    raw: Raw


class EndReason(StrEnum):
    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    CALLS = "calls"
    CONTENT_FILTER = "content_filter"


class End(msgspec.Struct, frozen=True, tag=True):
    """The answer is whole. Nothing follows but what was said already; only now is there a finish reason."""

    reason: EndReason
    usage: Usage | None = None  # None: the upstream did not say, or said what cannot be believed
    raw_usage: Raw | None = None  # as the upstream wrote it
    service_tier: str | None = None
    stop_sequence: str | None = None


class Failure(msgspec.Struct, frozen=True, tag=True):
    """The upstream says that it failed: nothing that follows counts."""

    code: str | None
    message: str = "The upstream failed and did not say why."


Event = (
    Begin
    | TextDelta
    | RefusalDelta
    | ReasoningDelta
    | ReasoningEnd
    | CallBegin
    | CallDelta
    | CallEnd
    | Annotation
    | End
    | Failure
)
"""One step of an answer. A whole answer is the same events at once: `Begin`, deltas, `End`."""
