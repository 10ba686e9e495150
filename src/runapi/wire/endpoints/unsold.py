"""Tools that run at an upstream and cost by the call, where they cannot be left out of a request: it is refused."""

import msgspec
from msgspec import Raw

from runapi.core.problems import Problem
from runapi.wire.anthropic.request import MessagesRequest
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_responses.request import ResponsesRequest
from runapi.wire.refusals import unsupported

_HOLDS_TOOLS = frozenset(("additional_tools", "tool_search_output"))
_LONGEST_SHOWN = 40
_ANTHROPICS = {
    # what the names of Anthropic's tools begin with, behind which stands a date: the same tool by OpenAI's name
    "code_execution_": "code_interpreter",
    "web_search_": "web_search",
}


class _Tool(msgspec.Struct):
    type: str = ""


class _Item(msgspec.Struct):
    type: str = ""
    tools: list[_Tool] = []


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
        found = next((tool.type for tool in item.tools if tool.type in unsold), None)
        if found is not None and item.type in _HOLDS_TOOLS:
            raise _not_sold(place, found)


def refuse_anthropics_tools(request: MessagesRequest, unsold: frozenset[str]) -> None:
    """Refuse Anthropic's tools that are not sold. What a client asks of them alone has no other answer.

    Raises:
        Problem: 400.
    """
    for kind in sorted(request.tool_types):
        if any(kind.startswith(name) and same in unsold for name, same in _ANTHROPICS.items()):
            raise _not_sold("tools", kind)


def _not_sold(param: str, kind: str) -> Problem:
    return unsupported(
        param, f"The tool '{kind[:_LONGEST_SHOWN]}' costs by the call and is not sold here. Leave it out."
    )
