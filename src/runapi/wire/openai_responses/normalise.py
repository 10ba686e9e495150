"""Make a Responses request into one that the model's maker accepts, by the catalogue's data alone.

What the model refuses is left out and named, as `wire/normalise.py` does for Chat; the rest is not touched, unknown
items, tools and fields included.
"""

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.core.catalog import Model
from runapi.core.hosted_tools import charged_name
from runapi.wire.normalise import UpstreamRequest, clamp_effort, drop_refused
from runapi.wire.openai_chat.request import NULL, Fields, is_null
from runapi.wire.openai_responses.ask import ENCRYPTED_REASONING, LOGPROBS
from runapi.wire.openai_responses.request import LEAST_CAP, ResponsesRequest
from runapi.wire.openai_responses.tool_types import TypedTool, type_of

_FALSE = Raw(b"false")
_decode_tool = msgspec.json.Decoder(TypedTool).decode


class _Chosen(msgspec.Struct):
    type: str


class _Choice(msgspec.Struct):
    type: str = ""
    tools: list[_Chosen] = []


class ResponsesUpstreamRequest(UpstreamRequest, frozen=True):
    """What goes to an upstream that speaks Responses, and what of the client's request did not."""

    def encode(self, model: str, output_cap: int | None = None) -> bytes:
        """Write the body for one upstream, with its name for the model and at most `output_cap` output tokens.

        Never less than LEAST_CAP are named, which is the least that Responses takes.
        """
        fields = self.fields | {"model": Raw(msgspec.json.encode(model))}
        if output_cap is not None:
            fields["max_output_tokens"] = Raw(b"%d" % max(output_cap, LEAST_CAP))
        return msgspec.json.encode(fields)


def normalise_responses(
    request: ResponsesRequest,
    model: Model,
    *,
    strict: bool = False,
    is_kept_upstream: bool = False,
    refused_tools: frozenset[str] = frozenset(),
) -> ResponsesUpstreamRequest:
    """Apply the catalogue's rules for `model`.

    Args:
        request: as the client sent it; not changed.
        model: what it asks for.
        strict: refuse, instead of leaving out, a parameter that the model refuses.
        is_kept_upstream: let the upstream keep answers, if the client wants them kept. Else it is told to keep nothing,
            and to give the reasoning encrypted, so that a conversation can go on without its memory: all customers
            share its account.
        refused_tools: types of tools that this installation does not sell, such as a search that costs by the call.

    Raises:
        Problem: 400 `unsupported_parameter` (strict), or `invalid_value` for an effort that does not exist.
    """
    fields = dict(request.fields)
    fields.pop("max_cost", None)  # ours alone
    dropped: list[str] = []
    effort = _set_effort(fields, request.effort, model, dropped)
    _limit_cap(fields, request, model)
    refused = model.refuses(effort)
    drop_refused(fields, refused, dropped)
    _drop_tools(fields, refused_tools, dropped)
    if "logprobs" in refused and LOGPROBS in request.include:
        _exclude(fields, LOGPROBS)
        dropped.append("include")
    if strict and dropped:
        raise problems.unsupported_parameter(dropped[0], model.id)
    if not is_kept_upstream:
        fields["store"] = _FALSE
        if model.efforts:
            _include(fields, ENCRYPTED_REASONING)
    if not request.stream:
        fields.pop("stream_options", None)
    return ResponsesUpstreamRequest(fields, tuple(dropped), effort)


def _set_effort(fields: Fields, asked: str | None, model: Model, dropped: list[str]) -> str | None:
    effort = clamp_effort(asked, model, "reasoning.effort", dropped)
    if asked is not None and effort != asked:
        if effort is None:
            del fields["reasoning"]
        else:
            reasoning = msgspec.json.decode(fields["reasoning"], type=Fields)
            reasoning["effort"] = Raw(msgspec.json.encode(effort))
            fields["reasoning"] = Raw(msgspec.json.encode(reasoning))
    return effort


def _limit_cap(fields: Fields, request: ResponsesRequest, model: Model) -> None:
    cap = request.max_output_tokens
    if cap is not None and cap > model.max_output_tokens:
        fields["max_output_tokens"] = Raw(b"%d" % model.max_output_tokens)


def _drop_tools(fields: Fields, refused: frozenset[str], dropped: list[str]) -> None:
    """Leave out the tools of refused types, and with the last tool what cannot stand without one."""
    raw = fields.get("tools", NULL)
    if not refused or is_null(raw):
        return
    tools = msgspec.json.decode(raw, type=list[Raw])
    kept = [tool for tool in tools if type_of(_decode_tool(tool)) not in refused]
    if len(kept) == len(tools):
        return
    dropped.append("tools")
    fields["tools"] = Raw(msgspec.json.encode(kept))
    if not kept:
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            fields.pop(name, None)
    elif _chooses(fields.get("tool_choice", NULL), refused):
        del fields["tool_choice"]


def _chooses(raw: Raw, refused: frozenset[str]) -> bool:
    """Whether a choice names a tool of these types; a maker refuses to choose what is not there."""
    try:
        choice = msgspec.json.decode(raw, type=_Choice)
    except msgspec.ValidationError:
        return False  # a word
    return any(charged_name(kind) in refused for kind in (choice.type, *(tool.type for tool in choice.tools)))


def _include(fields: Fields, value: str) -> None:
    values = _included(fields)
    if value not in values:
        fields["include"] = Raw(msgspec.json.encode([*values, value]))


def _exclude(fields: Fields, value: str) -> None:
    fields["include"] = Raw(msgspec.json.encode([one for one in _included(fields) if one != value]))


def _included(fields: Fields) -> list[str]:
    raw = fields.get("include", NULL)
    return [] if is_null(raw) else msgspec.json.decode(raw, type=list[str])
