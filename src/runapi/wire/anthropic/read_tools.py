"""The tools of a Messages request, which of them must be called, and the form of the answer, in the neutral form.

Anthropic has tools whose schema its models know by heart, and which the client runs: other models are told their
schema. What Anthropic's servers run no other upstream can.
"""

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.wire.anthropic.request import Known
from runapi.wire.anthropic.schemas import is_strict
from runapi.wire.decode import decode_part
from runapi.wire.neutral import CallKind, ChoiceMode, Format, FormatKind, Tool, ToolChoice
from runapi.wire.openai_chat.request import NULL
from runapi.wire.refusals import unknown_word, unsupported

_PLACEHOLDER = (
    "DeferredToolPlaceholder"  # Claude Code's: stands for tools that it has not loaded (clients.md 3)
)
_FORMAT_NAME = "answer"
_MODES = {
    "auto": ChoiceMode.AUTO,
    "any": ChoiceMode.REQUIRED,
    "tool": ChoiceMode.NAMED,
    "none": ChoiceMode.NONE,
}


class _Tool(msgspec.Struct):
    name: str
    type: str | None = None
    description: str | None = None
    input_schema: Raw = NULL
    strict: bool | None = None


class _Schema(msgspec.Struct):
    type: str


class _Format(msgspec.Struct):
    type: str
    schema: Raw = NULL


def _object(required: tuple[str, ...], **properties: tuple[str, str]) -> Raw:
    """Write the schema of an object from each property's type and description."""
    schema = {
        "type": "object",
        "properties": {
            name: _property(kind, description) for name, (kind, description) in properties.items()
        },
        "required": required,
    }
    return Raw(msgspec.json.encode(schema))


def _property(kind: str, description: str) -> dict[str, object]:
    if kind == "range":
        return {"type": "array", "items": {"type": "integer"}, "description": description}
    if kind.startswith("one of "):
        return {"type": "string", "enum": kind.removeprefix("one of ").split(), "description": description}
    return {"type": kind, "description": description}


_LINES = ("range", "First and last line to show, from 1; -1 means the last line of the file.")
_BASH = Tool(
    description="Run a command in a bash session that keeps its state from call to call.",
    schema=_object(
        (),
        command=("string", "The command to run; left out only to restart."),
        restart=("boolean", "True starts the session afresh."),
    ),
)
_EDIT = "Look at, create and edit text files."
_EDITED = {
    "path": ("string", "The absolute path of the file or directory."),
    "file_text": ("string", "For create: all of the file's text."),
    "old_str": ("string", "For str_replace: the text to replace, which must stand in the file exactly once."),
    "insert_line": ("integer", "For insert: the line behind which to insert, 0 for the beginning."),
    "view_range": _LINES,
}
_EDITOR = Tool(
    description=_EDIT,
    schema=_object(
        ("command", "path"),
        command=("one of view create str_replace insert", "What to do."),
        new_str=("string", "For str_replace: the new text."),
        insert_text=("string", "For insert: the text to insert."),
        **_EDITED,
    ),
)
_OLD_EDITOR = Tool(
    description=_EDIT,
    schema=_object(
        ("command", "path"),
        command=("one of view create str_replace insert undo_edit", "What to do."),
        new_str=("string", "For str_replace and insert: the new text."),
        **_EDITED,
    ),
)
_MEMORY = Tool(
    description="Keep notes in files below /memories, to be read in later conversations.",
    schema=_object(
        ("command",),
        command=("one of view create str_replace insert delete rename", "What to do."),
        path=("string", "The path of the file or directory, below /memories."),
        view_range=_LINES,
        file_text=("string", "For create: all of the file's text."),
        old_str=("string", "For str_replace: the text to replace."),
        new_str=("string", "For str_replace: the new text."),
        insert_line=("integer", "For insert: the line behind which to insert, 0 for the beginning."),
        insert_text=("string", "For insert: the text to insert."),
        old_path=("string", "For rename: the path that there is."),
        new_path=("string", "For rename: the path that there shall be."),
    ),
)
KNOWN_BY_HEART = {
    "bash_20241022": _BASH,
    "bash_20250124": _BASH,
    "memory_20250818": _MEMORY,
    "text_editor_20241022": _OLD_EDITOR,
    "text_editor_20250124": _OLD_EDITOR,
    "text_editor_20250429": _EDITOR,
    "text_editor_20250728": _EDITOR,
}
"""The client's own tools that Anthropic's models know without being told, by their dated types."""


def read_tools(raw: Raw) -> tuple[Tool, ...]:
    """Read the tools; one that is to be loaded later is there at once, as no other model can ask for it.

    Raises:
        Problem: 400, naming a tool that runs at Anthropic, or that lacks its schema.
    """
    tools = (
        _read_tool(tool, f"tools[{index}]") for index, tool in enumerate(decode_part(raw, list[Raw], "tools"))
    )
    return tuple(tool for tool in tools if tool.name != _PLACEHOLDER)


def _read_tool(raw: Raw, param: str) -> Tool:
    kind = decode_part(raw, _Kind, param).type
    if kind in (None, "custom"):
        return _read_function(raw, param)
    known = KNOWN_BY_HEART.get(kind or "")
    if known is None:
        raise unsupported(
            f"{param}.type",
            f"A tool of type '{(kind or '')[:60]}' runs at Anthropic, and this model is not theirs. Leave it out, or "
            "give the model a tool of your own.",
        )
    return msgspec.structs.replace(known, name=decode_part(raw, _Tool, param).name)


class _Kind(msgspec.Struct):
    type: str | None = None


def _read_function(raw: Raw, param: str) -> Tool:
    tool = decode_part(raw, _Tool, param)
    if tool.input_schema == NULL:
        raise problems.missing_parameter(f"{param}.input_schema")
    decode_part(tool.input_schema, _Schema, f"{param}.input_schema")
    strict = None if tool.strict is None else tool.strict and is_strict(tool.input_schema)
    return Tool(tool.name, CallKind.FUNCTION, tool.description, tool.input_schema, strict)


def read_choice(known: Known) -> tuple[ToolChoice | None, bool | None]:
    """Read which tools must be called, and whether several may be at once; None where the request does not say."""
    choice = known.tool_choice
    if choice is None:
        return None, None
    mode = _MODES[choice.type]
    named = mode is ChoiceMode.NAMED and choice.name is not None
    names = (choice.name or "",) if named else ()
    parallel = None if choice.disable_parallel_tool_use is None else not choice.disable_parallel_tool_use
    return ToolChoice(mode, names, (CallKind.FUNCTION,) * len(names)), parallel


def read_format(known: Known) -> Format | None:
    """Read the form of the answer, from `output_config.format` or its older place `output_format`.

    Raises:
        Problem: 400, it is no JSON schema.
    """
    config = known.output_config
    if config is not None and config.format != NULL:
        raw, param = config.format, "output_config.format"
    elif known.output_format != NULL:
        raw, param = known.output_format, "output_format"
    else:
        return None
    form = decode_part(raw, _Format, param)
    if form.type != "json_schema":
        raise unknown_word(f"{param}.type", form.type, ("json_schema",))
    if form.schema == NULL:
        raise problems.missing_parameter(f"{param}.schema")
    return Format(FormatKind.JSON_SCHEMA, _FORMAT_NAME, schema=form.schema, strict=is_strict(form.schema))
