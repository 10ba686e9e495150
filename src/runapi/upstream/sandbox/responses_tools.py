"""Read the tools of a Responses request: those of the client's own, and those that would run at OpenAI.

The latter are accepted, for agents send them along always, and are never called.
"""

from runapi.core.problems import Problem, missing_parameter
from runapi.upstream.sandbox.fields import (
    Fields,
    need_object,
    need_word,
    read_list,
    read_name,
    read_word,
    too_long,
    unsupported_value,
)
from runapi.upstream.sandbox.strict_schema import check_strict
from runapi.upstream.sandbox.tool_choice import MODES, MOST_TOOLS, find_tool, requires_call
from runapi.upstream.sandbox.turns import Tool, ToolKind

_HOSTED = (
    "file_search",
    "computer",
    "computer_use_preview",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "mcp",
    "code_interpreter",
    "programmatic_tool_calling",
    "image_generation",
    "local_shell",
    "shell",
    "namespace",
    "tool_search",
    "apply_patch",
)
_TYPES = (*ToolKind, *_HOSTED)


def read_tools(fields: Fields) -> tuple[Tool, ...]:
    """Give the tools that the sandbox can call.

    Raises:
        Problem: 400.
    """
    value = read_list(fields, "tools")
    if len(value) > MOST_TOOLS:
        raise too_long("tools", MOST_TOOLS, len(value))
    tools = [_read_tool(tool, f"tools[{at}]") for at, tool in enumerate(value)]
    return tuple(tool for tool in tools if tool is not None)


def tools_of_chat(fields: Fields) -> list[object]:
    """The tools as Chat Completions would write them, to be counted; `read_tools` has checked them."""
    return [
        {
            kind: {**tool, "format": {"grammar": tool.get("format")}},
        }
        for tool in read_list(fields, "tools")
        if isinstance(tool, dict) and (kind := tool.get("type")) in tuple(ToolKind)
    ]


def choose_tools(fields: Fields, tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], bool]:
    """Which tools may be called, and whether one must be.

    Raises:
        Problem: 400.
    """
    choice = fields.get("tool_choice")
    if choice is None:
        return tools, False
    if isinstance(choice, dict):
        return _choose(choice, tools)
    mode = read_word(fields, "tool_choice", MODES)
    if mode == "required" and not read_list(fields, "tools"):
        text = "Tool choice 'required' must be specified with 'tools' parameter."
        raise Problem(400, text, param="tool_choice")
    return (() if mode == "none" else tools), mode == "required" and bool(tools)


def _choose(choice: Fields, tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], bool]:
    kind = need_word(choice, "type", (*_TYPES, "allowed_tools"), "tool_choice.type")
    if kind != "allowed_tools":
        named = _find(choice, tools, "tool_choice")
        return named, bool(named)
    is_required = requires_call(choice, "tool_choice")
    listed = read_list(choice, "tools", "tool_choice.tools")
    if not listed:
        raise missing_parameter("tool_choice.tools")
    found = tuple(tool for one in listed for tool in _find(one, tools, "tool_choice.tools"))
    return found, is_required and bool(found)


def _find(choice: object, tools: tuple[Tool, ...], param: str) -> tuple[Tool, ...]:
    """The tool that is named; none where it is one that runs at OpenAI."""
    fields = need_object(choice, param)
    kind = fields.get("type")
    if kind in _HOSTED:
        return ()
    if not isinstance(kind, str) or kind not in _TYPES:
        raise unsupported_value(f"{param}.type", kind, _TYPES)
    return (find_tool(tools, kind, read_name(fields, param), param),)


def _read_tool(value: object, param: str) -> Tool | None:
    fields = need_object(value, param)
    kind = need_word(fields, "type", _TYPES, f"{param}.type")
    if kind in _HOSTED:
        return None
    name = read_name(fields, param)
    schema = fields.get("parameters") if kind == ToolKind.FUNCTION else None
    if schema is not None:
        need_object(schema, f"{param}.parameters")
    if kind == ToolKind.FUNCTION and fields.get("strict") is True:
        check_strict(schema, f"function '{name}'", f"{param}.parameters", "invalid_function_parameters")
    return Tool(ToolKind(kind), name, schema)
