"""Tools that run at an upstream and cost by the call, where they cannot be left out of a request: it is refused."""

import msgspec
from msgspec import Raw

from runapi.core.problems import Problem
from runapi.wire.anthropic.request import MessagesRequest
from runapi.wire.openai_chat.request import NULL, SkippedList
from runapi.wire.openai_responses.request import ResponsesRequest
from runapi.wire.openai_responses.tool_types import TypedTool, type_of
from runapi.wire.refusals import unsupported

_HOLDS_TOOLS = frozenset(("additional_tools", "tool_search_output"))
_LONGEST_SHOWN = 40
_ANTHROPICS = {
    # Anthropic's tools, behind whose names may stand a date: the names by which they are sold
    "advisor": "advisor",
    "code_execution": "code_interpreter",
    "mcp_toolset": "mcp",
    "web_fetch": "web_fetch",
    "web_search": "web_search",
}


class _Item(msgspec.Struct):
    type: str = ""
    tools: list[Raw] = []


class _Container(msgspec.Struct):
    skills: SkippedList | None = None


_decode_container = msgspec.json.Decoder(_Container).decode
_decode_tool = msgspec.json.Decoder(TypedTool).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode
_decode_item = msgspec.json.Decoder(_Item).decode


def refuse_hidden_tools(request: ResponsesRequest, unsold: frozenset[str]) -> None:
    """Refuse tools that are not sold and stand inside the conversation.

    Raises:
        Problem: 400, naming their place.
    """
    if _HOLDS_TOOLS.isdisjoint(request.item_types):
        return
    for index, raw in enumerate(_decode_items(request.fields.get("input", NULL))):
        place = f"input[{index}].tools"
        try:
            item = _decode_item(raw)
        except msgspec.ValidationError:
            continue  # no upstream knows what it is either
        found = next((kind for tool in item.tools if (kind := _kind_of(tool)) in unsold), None)
        if found is not None and item.type in _HOLDS_TOOLS:
            raise _not_sold(place, found)


def refuse_anthropics_tools(request: MessagesRequest, unsold: frozenset[str]) -> None:
    """Refuse Anthropic's tools that are not sold. What a client asks of them alone has no other answer.

    Raises:
        Problem: 400.
    """
    for kind in sorted(request.tool_types):
        for name, sold_as in _ANTHROPICS.items():
            if sold_as in unsold and (kind == name or kind.startswith(f"{name}_")):
                raise _not_sold("tools", kind)
    if "mcp" in unsold and request.known.calls_servers:
        raise _not_sold("mcp_servers", "mcp")
    if "code_interpreter" in unsold and _has_skills(request.fields.get("container", NULL)):
        raise _not_sold("container.skills", "code_execution")


def _has_skills(container: Raw) -> bool:
    """Whether a container is to run skills; one that is named by its id runs what a tool asks for."""
    try:
        skills = _decode_container(container).skills
    except msgspec.ValidationError:
        return False
    return skills is not None and not skills.is_empty


def _kind_of(tool: Raw) -> str:
    try:
        return type_of(_decode_tool(tool))
    except msgspec.ValidationError:
        return ""  # no upstream knows what it is either


def _not_sold(param: str, kind: str) -> Problem:
    return unsupported(
        param, f"The tool '{kind[:_LONGEST_SHOWN]}' costs by the call and is not sold here. Leave it out."
    )
