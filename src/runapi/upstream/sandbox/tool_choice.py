"""What a request may say of its tools in either dialect."""

from runapi.core.problems import Problem
from runapi.upstream.sandbox.fields import Fields, unsupported_value
from runapi.upstream.sandbox.turns import Tool

MOST_TOOLS = 128
MODES = ("none", "auto", "required")

_ALLOWED_MODES = ("auto", "required")


def requires_call(allowed: Fields, param: str) -> bool:
    """Whether one of the allowed tools must be called.

    Raises:
        Problem: 400, their mode is wrong.
    """
    mode = allowed.get("mode")
    if mode not in _ALLOWED_MODES:
        raise unsupported_value(f"{param}.mode", mode, _ALLOWED_MODES)
    return mode == "required"


def find_tool(tools: tuple[Tool, ...], kind: str, name: str, param: str) -> Tool:
    """The tool of this kind and name.

    Raises:
        Problem: 400, there is none.
    """
    for tool in tools:
        if tool.name == name and tool.kind == kind:
            return tool
    raise Problem(400, f"Tool choice '{kind}' '{name}' not found in 'tools' parameter.", param=param)
