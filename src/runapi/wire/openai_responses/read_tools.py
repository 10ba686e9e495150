"""The tools of a Responses request, which of them may be called, and the answer's format, in the neutral form."""

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.wire.decode import decode_part
from runapi.wire.neutral import CallKind, ChoiceMode, Format, FormatKind, Tool, ToolChoice
from runapi.wire.openai_chat.request import NULL
from runapi.wire.refusals import unknown_word, unsupported

_MODES = (ChoiceMode.AUTO, ChoiceMode.NONE, ChoiceMode.REQUIRED)
_ALLOWED_MODES = {"auto": ChoiceMode.ALLOWED_AUTO, "required": ChoiceMode.ALLOWED_REQUIRED}
_KINDS = tuple(CallKind)
_FORMATS = tuple(FormatKind)


class _Head(msgspec.Struct):
    type: str


class _Tool(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None
    format: Raw = NULL


class _NamedTool(msgspec.Struct):
    type: str
    name: str = ""


class _Choice(msgspec.Struct):
    type: str
    name: str = ""
    mode: str = "auto"
    tools: list[_NamedTool] = []


class _Format(msgspec.Struct):
    type: str
    name: str | None = None
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


def read_tools(raw: Raw) -> tuple[Tool, ...]:
    """Read the tools; one that is neither a function nor a custom tool of the client's stays whole, as hosted."""
    return tuple(
        _read_tool(tool, f"tools[{index}]") for index, tool in enumerate(decode_part(raw, list[Raw], "tools"))
    )


def _read_tool(raw: Raw, param: str) -> Tool:
    kind = decode_part(raw, _Head, param).type
    if kind not in _KINDS:
        return Tool(name=kind, hosted=raw)
    tool = decode_part(raw, _Tool, param)
    if kind == CallKind.CUSTOM:
        return Tool(tool.name, CallKind.CUSTOM, tool.description, grammar=_unless_null(tool.format))
    return Tool(
        tool.name,
        description=tool.description,
        schema=_unless_null(tool.parameters),
        strict=tool.strict,
    )


def read_choice(raw: Raw) -> ToolChoice:
    """Read `tool_choice`, in each of its forms.

    Raises:
        Problem: 400, it is another, or names a tool that is not the client's own.
    """
    if bytes(raw).startswith(b'"'):
        word = decode_part(raw, str, "tool_choice")
        if word not in _MODES:
            raise unknown_word("tool_choice", word, tuple(map(str, _MODES)))
        return ToolChoice(ChoiceMode(word))
    choice = decode_part(raw, _Choice, "tool_choice")
    if choice.type in _KINDS:
        if not choice.name:
            raise problems.missing_parameter("tool_choice.name")
        return ToolChoice(ChoiceMode.NAMED, (choice.name,), (CallKind(choice.type),))
    if choice.type != "allowed_tools":
        raise _hosted("tool_choice", choice.type)
    if choice.mode not in _ALLOWED_MODES:
        raise unknown_word("tool_choice.mode", choice.mode, tuple(_ALLOWED_MODES))
    for index, tool in enumerate(choice.tools):
        if tool.type not in _KINDS:
            raise _hosted(f"tool_choice.tools[{index}]", tool.type)
    return ToolChoice(
        _ALLOWED_MODES[choice.mode],
        tuple(tool.name for tool in choice.tools),
        tuple(CallKind(tool.type) for tool in choice.tools),
    )


def read_format(raw: Raw) -> Format:
    """Read `text.format`.

    Raises:
        Problem: 400, it is of another kind, or lacks its name or schema.
    """
    form = decode_part(raw, _Format, "text.format")
    if form.type not in _FORMATS:
        raise unknown_word("text.format.type", form.type, tuple(map(str, _FORMATS)))
    schema = _unless_null(form.schema)
    if form.type == FormatKind.JSON_SCHEMA:
        if form.name is None:
            raise problems.missing_parameter("text.format.name")
        if schema is None:
            raise problems.missing_parameter("text.format.schema")
    return Format(FormatKind(form.type), form.name, form.description, schema, form.strict)


def _unless_null(raw: Raw) -> Raw | None:
    return None if raw == NULL else raw


def _hosted(param: str, kind: str) -> problems.Problem:
    return unsupported(
        param,
        f"Tools of type '{kind[:40]}' run at an upstream that speaks Responses, and this model has none.",
    )
