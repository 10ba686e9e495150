"""The tools of a Chat request, which of them are to be called, and what form the answer's text has, in neutral form.

The older `functions` and `function_call` are tools like any other.
"""

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.wire.needed import needed
from runapi.wire.neutral import CallKind, ChoiceMode, Format, FormatKind, Tool, ToolChoice
from runapi.wire.openai_chat.request import NULL, Fields, decode_part
from runapi.wire.refusals import unknown_word


class _Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None


class _Grammar(msgspec.Struct):
    definition: str
    syntax: str


class _CustomFormat(msgspec.Struct, omit_defaults=True):
    type: str
    grammar: _Grammar | None = None


class _Custom(msgspec.Struct):
    name: str
    description: str | None = None
    format: _CustomFormat | None = None


class FlatGrammar(msgspec.Struct, tag="grammar"):
    """A grammar in Responses' form, which the neutral form has too."""

    syntax: str
    definition: str


class _Tool(msgspec.Struct):
    type: str
    function: _Function | None = None
    custom: _Custom | None = None


class _Named(msgspec.Struct):
    name: str


class _Chosen(msgspec.Struct):
    type: str
    function: _Named | None = None
    custom: _Named | None = None


class _Allowed(msgspec.Struct):
    mode: str
    tools: list[_Chosen]


class _Choice(_Chosen):
    allowed_tools: _Allowed | None = None


class _JsonSchema(msgspec.Struct):
    name: str
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class _Format(msgspec.Struct):
    type: str
    json_schema: _JsonSchema | None = None


_decode_tools = msgspec.json.Decoder(list[_Tool]).decode
_decode_functions = msgspec.json.Decoder(list[_Function]).decode
_decode_choice = msgspec.json.Decoder(str | _Choice).decode
_decode_older_choice = msgspec.json.Decoder(str | _Named).decode
_decode_format = msgspec.json.Decoder(_Format).decode
TEXT_FORMAT = Raw(b'{"type":"text"}')
_MODES = {
    "auto": ChoiceMode.AUTO,
    "none": ChoiceMode.NONE,
    "required": ChoiceMode.REQUIRED,
}
_ALLOWED_MODES = {"auto": ChoiceMode.ALLOWED_AUTO, "required": ChoiceMode.ALLOWED_REQUIRED}


def _field(fields: Fields, name: str) -> Raw | None:
    raw = fields.get(name)
    return None if raw is None or raw == NULL else raw


def read_tools(fields: Fields) -> tuple[Tool, ...]:
    """Read the tools of a request, the older `functions` behind them.

    Raises:
        Problem: 400, naming the place of what is wrong.
    """
    tools: list[Tool] = []
    if (raw := _field(fields, "tools")) is not None:
        read = decode_part("tools", raw, _decode_tools)
        tools += [_read_tool(tool, f"tools[{index}]") for index, tool in enumerate(read)]
    if (raw := _field(fields, "functions")) is not None:
        tools += [_read_function(function) for function in decode_part("functions", raw, _decode_functions)]
    return tuple(tools)


def _read_tool(tool: _Tool, place: str) -> Tool:
    match tool.type:
        case "function":
            return _read_function(needed(tool.function, place, "function"))
        case "custom":
            return _read_custom(needed(tool.custom, place, "custom"), place)
        case _:
            raise unknown_word(f"{place}.type", tool.type, CallKind)


def _read_function(function: _Function) -> Tool:
    """Read a function; `strict` is said outright, for what its absence means differs between dialects (api.md 4.2)."""
    return Tool(
        function.name,
        description=function.description,
        schema=None if function.parameters == NULL else function.parameters,
        strict=function.strict is True,
    )


def _read_custom(custom: _Custom, place: str) -> Tool:
    grammar = None
    if custom.format is not None:
        if custom.format.grammar is not None:
            written = custom.format.grammar
            grammar = Raw(msgspec.json.encode(FlatGrammar(written.syntax, written.definition)))
        elif custom.format.type == "text":
            grammar = TEXT_FORMAT
        else:
            raise problems.missing_parameter(f"{place}.custom.format.grammar")
    return Tool(custom.name, CallKind.CUSTOM, custom.description, grammar=grammar)


def read_choice(fields: Fields) -> ToolChoice | None:
    """Read which tools are to be called; None where the client did not say.

    Raises:
        Problem: 400, naming the place of what is wrong.
    """
    if (raw := _field(fields, "tool_choice")) is not None:
        choice = decode_part("tool_choice", raw, _decode_choice)
        return _read_mode(choice, "tool_choice") if isinstance(choice, str) else _read_choice(choice)
    if (raw := _field(fields, "function_call")) is not None:
        older = decode_part("function_call", raw, _decode_older_choice)
        if isinstance(older, str):
            return _read_mode(older, "function_call")
        return ToolChoice(ChoiceMode.NAMED, (older.name,), (CallKind.FUNCTION,))
    return None


def _read_mode(word: str, place: str) -> ToolChoice:
    mode = _MODES.get(word)
    if mode is None:
        raise unknown_word(place, word, _MODES)
    return ToolChoice(mode)


def _read_choice(choice: _Choice) -> ToolChoice:
    if choice.type != "allowed_tools":
        kind, name = _read_chosen(choice, "tool_choice")
        return ToolChoice(ChoiceMode.NAMED, (name,), (kind,))
    allowed = needed(choice.allowed_tools, "tool_choice", "allowed_tools")
    mode = _ALLOWED_MODES.get(allowed.mode)
    if mode is None:
        raise unknown_word("tool_choice.allowed_tools.mode", allowed.mode, _ALLOWED_MODES)
    chosen = [
        _read_chosen(tool, f"tool_choice.allowed_tools.tools[{index}]")
        for index, tool in enumerate(allowed.tools)
    ]
    return ToolChoice(mode, tuple(name for _, name in chosen), tuple(kind for kind, _ in chosen))


def _read_chosen(chosen: _Chosen, place: str) -> tuple[CallKind, str]:
    if chosen.type not in tuple(CallKind):
        raise unknown_word(f"{place}.type", chosen.type, CallKind)
    kind = CallKind(chosen.type)
    named = chosen.custom if kind is CallKind.CUSTOM else chosen.function
    return kind, needed(named, place, kind).name


def read_format(fields: Fields) -> Format | None:
    """Read `response_format`; None where the client did not say.

    Raises:
        Problem: 400, naming the place of what is wrong.
    """
    raw = _field(fields, "response_format")
    if raw is None:
        return None
    read = decode_part("response_format", raw, _decode_format)
    if read.type not in tuple(FormatKind):
        raise unknown_word("response_format.type", read.type, FormatKind)
    kind = FormatKind(read.type)
    if kind is not FormatKind.JSON_SCHEMA:
        return Format(kind)
    schema = needed(read.json_schema, "response_format", "json_schema")
    return Format(
        kind,
        schema.name,
        schema.description,
        None if schema.schema == NULL else schema.schema,
        schema.strict,
    )
