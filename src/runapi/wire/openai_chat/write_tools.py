"""Neutral tools, choices and formats as Chat writes them."""

import msgspec
from msgspec import Raw

from runapi.wire.neutral import CallKind, ChoiceMode, Format, FormatKind, Tool, ToolChoice
from runapi.wire.openai_chat.read_tools import TEXT_FORMAT, FlatGrammar
from runapi.wire.refusals import unsupported

Written = dict[str, object]
_decode_grammar = msgspec.json.Decoder(FlatGrammar).decode


def _given(**fields: object) -> Written:
    return {name: value for name, value in fields.items() if value is not None}


def write_tool(tool: Tool) -> Written:
    """Write a tool; `strict` only where it is true, as its absence means false here.

    Raises:
        Problem: 400, it runs at the upstream, which Chat knows no tools for.
    """
    if tool.hosted is not None:
        raise unsupported("tools", "Send function or custom tools: this model's upstream runs none itself.")
    if tool.kind is CallKind.CUSTOM:
        form = None if tool.grammar is None else _write_grammar(tool.grammar)
        return {"type": "custom", "custom": _given(name=tool.name, description=tool.description, format=form)}
    function = _given(
        name=tool.name,
        description=tool.description,
        parameters=tool.schema,
        strict=True if tool.strict else None,
    )
    return {"type": "function", "function": function}


def _write_grammar(grammar: Raw) -> object:
    try:
        flat = _decode_grammar(grammar)
    except msgspec.ValidationError:
        return TEXT_FORMAT
    return {"type": "grammar", "grammar": {"definition": flat.definition, "syntax": flat.syntax}}


def write_choice(choice: ToolChoice) -> object:
    """Write which tools are to be called, as `tool_choice`."""
    chosen = [
        {"type": kind, kind: {"name": name}} for kind, name in zip(choice.kinds, choice.names, strict=True)
    ]
    match choice.mode:
        case ChoiceMode.NAMED:
            return chosen[0]
        case ChoiceMode.ALLOWED_AUTO:
            return {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": chosen}}
        case ChoiceMode.ALLOWED_REQUIRED:
            return {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": chosen}}
        case mode:
            return mode.value


def write_format(form: Format) -> Written:
    """Write what the answer's text must be, as `response_format`."""
    if form.kind is not FormatKind.JSON_SCHEMA:
        return {"type": form.kind}
    schema = _given(
        name=form.name or "answer", description=form.description, schema=form.schema, strict=form.strict
    )
    return {"type": form.kind, "json_schema": schema}
