"""Read the tools of a Responses request: those of the client's own, and those that would run at OpenAI.

The latter are accepted, for agents send them along always, and are never called.
"""

from runapi.core.problems import Problem, invalid_type, missing_parameter
from runapi.upstream.sandbox.fields import (
    Fields,
    read_list,
    read_name,
    too_long,
    type_name,
    unsupported_value,
)
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
_MOST_TOOLS = 128


def read_tools(fields: Fields) -> tuple[Tool, ...]:
    """Give the tools that the sandbox can call.

    Raises:
        Problem: 400.
    """
    value = read_list(fields, "tools")
    if len(value) > _MOST_TOOLS:
        raise too_long("tools", _MOST_TOOLS, len(value))
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
    modes = ("none", "auto", "required")
    if not isinstance(choice, str) or choice not in modes:
        raise unsupported_value("tool_choice", choice, modes)
    if choice == "required" and not read_list(fields, "tools"):
        text = "Tool choice 'required' must be specified with 'tools' parameter."
        raise Problem(400, text, param="tool_choice")
    return (() if choice == "none" else tools), choice == "required" and bool(tools)


def _choose(choice: Fields, tools: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], bool]:
    types = (*_TYPES, "allowed_tools")
    kind = choice.get("type")
    if kind is None:
        raise missing_parameter("tool_choice.type")
    if not isinstance(kind, str) or kind not in types:
        raise unsupported_value("tool_choice.type", kind, types)
    if kind != "allowed_tools":
        named = _find(choice, tools, "tool_choice")
        return named, bool(named)
    mode = choice.get("mode")
    if mode not in ("auto", "required"):
        raise unsupported_value("tool_choice.mode", mode, ("auto", "required"))
    listed = read_list(choice, "tools", "tool_choice.tools")
    if not listed:
        raise missing_parameter("tool_choice.tools")
    found = tuple(tool for one in listed for tool in _find(one, tools, "tool_choice.tools"))
    return found, mode == "required" and bool(found)


def _find(choice: object, tools: tuple[Tool, ...], param: str) -> tuple[Tool, ...]:
    """The tool that is named; none where it is one that runs at OpenAI."""
    if not isinstance(choice, dict):
        raise invalid_type(param, "an object", type_name(choice))
    kind = choice.get("type")
    if kind in _HOSTED:
        return ()
    if not isinstance(kind, str) or kind not in _TYPES:
        raise unsupported_value(f"{param}.type", kind, _TYPES)
    name = read_name(choice, param)
    for tool in tools:
        if tool.name == name and tool.kind == kind:
            return (tool,)
    raise Problem(400, f"Tool choice '{kind}' '{name}' not found in 'tools' parameter.", param=param)


def _read_tool(value: object, param: str) -> Tool | None:
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", type_name(value))
    kind = value.get("type")
    if kind is None:
        raise missing_parameter(f"{param}.type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise unsupported_value(f"{param}.type", kind, _TYPES)
    if kind in _HOSTED:
        return None
    name = read_name(value, param)
    schema = value.get("parameters") if kind == ToolKind.FUNCTION else None
    if schema is not None and not isinstance(schema, dict):
        raise invalid_type(f"{param}.parameters", "an object", type_name(schema))
    return Tool(ToolKind(kind), name, schema)
