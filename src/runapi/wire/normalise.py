"""Make a Chat request into one that the model's maker accepts, by the catalogue's data alone.

OpenAI answers 400 to what many clients send: `max_tokens`, `temperature` beside reasoning, `tools: []`, effort
`minimal` (api.md 2.3). What means the same is renamed; what the model refuses is left out and named; the rest is not
touched.
"""

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.core.catalog import EFFORTS, Model
from runapi.wire.look_alikes import is_plain
from runapi.wire.openai_chat.ask import read_stops
from runapi.wire.openai_chat.request import NULL, ChatRequest, Fields, is_null
from runapi.wire.refusals import unknown_word

_WITHOUT_EFFECT = {
    # field: the values that ask for nothing; leaving them out changes nothing, so nobody is told
    "audio": (),
    "frequency_penalty": (b"0", b"0.0"),
    "logit_bias": (b"{}",),
    "logprobs": (b"false",),
    "modalities": (b'["text"]',),
    "prediction": (),
    "presence_penalty": (b"0", b"0.0"),
    "stop": (b"[]", b'""'),
    "temperature": (b"1", b"1.0"),
    "top_logprobs": (b"0",),
    "top_p": (b"1", b"1.0"),
}
SEARCH = "web_search_options"  # Chat's word for a tool: with it the model searches the web
SEARCHES = "web_search"  # the name under which that is sold
_USAGE_WANTED = Raw(b'{"include_usage":true}')
_TRUE = Raw(b"true")
_LONGEST_EMPTY = 64  # bytes of an empty list, white space and all
_LONGEST_WISH = 32  # bytes of stream options that hold nothing but the wish for usage


class UpstreamRequest(msgspec.Struct, frozen=True):
    """What goes upstream, and what of the client's request did not."""

    fields: Fields
    dropped: tuple[str, ...]
    effort: str | None
    stops: tuple[str, ...] = ()  # to be enforced on the answer's way: the model refuses them

    def encode(self, model: str, output_cap: int | None = None) -> bytes:
        """Write the body for one upstream, with its name for the model and at most `output_cap` output tokens."""
        fields = self.fields | {"model": Raw(msgspec.json.encode(model))}
        if output_cap is not None:
            fields["max_completion_tokens"] = Raw(b"%d" % output_cap)
        return msgspec.json.encode(fields)


def normalise(
    request: ChatRequest,
    model: Model,
    *,
    strict: bool = False,
    refused_tools: frozenset[str] = frozenset(),
) -> UpstreamRequest:
    """Apply the catalogue's rules for `model`.

    Args:
        request: as the client sent it; not changed.
        model: what it asks for.
        strict: refuse, instead of leaving out, a parameter that the model refuses.
        refused_tools: types of tools that this installation does not sell, such as a search that costs by the call.

    Raises:
        Problem: 400 `unsupported_parameter` (strict), or `invalid_value` for an effort that does not exist.
    """
    fields = dict(request.fields)
    fields.pop("max_cost", None)  # ours alone
    if fields.get("store") == _TRUE:
        del fields["store"]  # an upstream's account is shared by all: nobody's conversations are kept there
    dropped: list[str] = []
    effort = _set_effort(fields, request.effort, model, dropped)
    stops = _take_stops(fields, request, model) if "stop" in fields else ()
    _rename_cap(fields, request, model)
    _drop_empty_tools(fields)
    drop_refused(fields, model.refuses(effort), dropped)
    if SEARCH in fields and SEARCHES in refused_tools:
        drop_refused(fields, (SEARCH,), dropped)
    if strict and dropped:
        raise problems.unsupported_parameter(dropped[0], model.id)
    if request.stream:
        options = fields.get("stream_options", NULL)
        if not request.wants_usage or (len(options) > _LONGEST_WISH and _may_be_misread(options)):
            ask_for_usage(fields)
    else:
        fields.pop("stream_options", None)
    return UpstreamRequest(fields, tuple(dropped), effort, stops)


def _take_stops(fields: Fields, request: ChatRequest, model: Model) -> tuple[str, ...]:
    """Take out the stop sequences that the model refuses, to be enforced here; of several choices nobody can."""
    if "stop" not in model.refused or request.choices > 1:
        return ()
    stops = read_stops(fields)
    del fields["stop"]
    return stops


def drop_refused(fields: Fields, refused: tuple[str, ...], dropped: list[str]) -> None:
    """Take out what the model refuses, and note the names of what had asked for something."""
    for name in refused:
        raw = fields.pop(name, None)
        if raw is not None and not is_null(raw) and bytes(raw) not in _WITHOUT_EFFECT.get(name, ()):
            dropped.append(name)


def clamp_effort(asked: str | None, model: Model, param: str, dropped: list[str]) -> str | None:
    """Work out the effort that will be in effect; None: the model does not reason, and `param` must not go upstream.

    Raises:
        Problem: 400 `invalid_value`, the effort does not exist.
    """
    if asked is None:
        return model.default_effort
    if asked not in EFFORTS:
        raise unknown_word(param, asked, model.efforts or EFFORTS)
    if model.efforts:
        return _nearest_effort(asked, model.efforts)
    if asked != "none":
        dropped.append(param)
    return None


def _set_effort(fields: Fields, asked: str | None, model: Model, dropped: list[str]) -> str | None:
    effort = clamp_effort(asked, model, "reasoning_effort", dropped)
    if asked is not None and effort != asked:
        if effort is None:
            del fields["reasoning_effort"]
        else:
            fields["reasoning_effort"] = Raw(msgspec.json.encode(effort))
    return effort


def _nearest_effort(asked: str, efforts: tuple[str, ...]) -> str:
    """The model's effort that is next above what was asked, else its strongest: never less than was paid for."""
    rank = EFFORTS.index(asked)
    above = [effort for effort in efforts if EFFORTS.index(effort) >= rank]
    return min(above, key=EFFORTS.index) if above else max(efforts, key=EFFORTS.index)


def _rename_cap(fields: Fields, request: ChatRequest, model: Model) -> None:
    """Send the output cap as `max_completion_tokens`, at most what the model can give."""
    older, newer = request.max_tokens, request.max_completion_tokens
    asked_as_older = fields.pop("max_tokens", NULL)
    cap = newer if newer is not None else older
    if cap is None:
        return
    if cap > model.max_output_tokens:
        fields["max_completion_tokens"] = Raw(b"%d" % model.max_output_tokens)
    elif newer is None:
        fields["max_completion_tokens"] = asked_as_older


def _drop_empty_tools(fields: Fields) -> None:
    """Take out `tools: []`, which OpenAI refuses, and what it refuses to see without tools."""
    raw = fields.get("tools")
    if raw is None or len(raw) > _LONGEST_EMPTY or bytes(raw)[1:].strip() != b"]":
        return
    for name in ("tools", "tool_choice", "parallel_tool_calls"):
        fields.pop(name, None)


def ask_for_usage(fields: Fields) -> None:
    """Ask for the usage chunk, whatever the client asked: metering needs it.

    Options that an upstream might take for this one go (see `look_alikes`).
    """
    raw = fields.get("stream_options")
    if raw is None or is_null(raw):
        fields["stream_options"] = _USAGE_WANTED
        return
    given = msgspec.json.decode(raw, type=Fields)
    options = {name: value for name, value in given.items() if is_plain(name)}
    fields["stream_options"] = Raw(msgspec.json.encode(options | {"include_usage": _TRUE}))


def _may_be_misread(options: Raw) -> bool:
    """Whether another reader of JSON may take one of them for the wish for usage."""
    return not all(map(is_plain, msgspec.json.decode(options, type=Fields)))
