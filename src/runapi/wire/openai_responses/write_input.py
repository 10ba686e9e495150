"""The neutral form's items, written as a Responses request's `input`."""

from collections.abc import Iterable
from typing import assert_never

from runapi.wire.call_ids import legal_call_id
from runapi.wire.neutral import (
    Call,
    CallKind,
    CallResult,
    File,
    Image,
    Item,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    Turn,
)
from runapi.wire.refusals import unsupported

Written = dict[str, object]

_FAILED = "The tool failed."  # where a failed tool said nothing, which would be taken for a success
_FILE_NAMES = {  # a document needs a name, from which its kind is told
    "data:application/pdf": "document.pdf",
    "data:text/plain": "document.txt",
    "data:text/html": "document.html",
    "data:text/csv": "document.csv",
    "data:application/json": "document.json",
}


def write_input(items: Iterable[Item]) -> list[Written]:
    """Write the items, in their order.

    System words become a developer's, in their place: some models refuse the older role (api.md 2.2), and `instructions`
    would not hold those that come later. A user's name goes in front of what is said, as Responses has no field for it.
    Reasoning that is not encrypted is left out: its upstream has not kept it, and would refuse its id. So is what led
    to nothing that follows it, which is refused as well.
    """
    items = _without_idle_thoughts(items)
    kinds: dict[str, CallKind] = {}
    written = []
    for item in items:
        match item:
            case Turn():
                message = _write_turn(item)
            case Call():
                kinds[item.id] = item.kind
                message = _write_call(item)
            case CallResult():
                message = _write_result(item, kinds.get(item.call_id, item.kind))
            case Reasoning():
                message = _write_reasoning(item)
            case _:
                assert_never(item)
        if message is not None:
            written.append(message)
    return written


def _without_idle_thoughts(items: Iterable[Item]) -> list[Item]:
    """Leave out reasoning that nothing of the assistant's follows."""
    kept: list[Item] = []
    is_followed = False
    for item in reversed(tuple(items)):
        if isinstance(item, Turn):
            is_followed = item.role is Role.ASSISTANT and (bool(item.parts) or is_followed)
        elif not isinstance(item, Reasoning):
            is_followed = isinstance(item, Call)
        elif not is_followed:
            continue
        kept.append(item)
    kept.reverse()
    return kept


def _write_turn(turn: Turn) -> Written | None:
    if turn.role is Role.ASSISTANT:
        return _write_assistant(turn)
    role = "user" if turn.role is Role.USER else "developer"
    content: object
    match turn.parts:
        case ():
            content = turn.name or ""
        case (Text(text),) if turn.is_plain:
            content = text if turn.name is None else f"{turn.name}: {text}"
        case parts:
            named = [] if turn.name is None else [{"type": "input_text", "text": f"{turn.name}:"}]
            content = named + [_write_part(part) for part in parts]
    return {"type": "message", "role": role, "content": content}


def _write_assistant(turn: Turn) -> Written | None:
    """Write what the assistant said; a turn that only holds calls says nothing."""
    content: object
    match turn.parts:
        case ():
            return None
        case (Text(text),):
            content = text
        case parts:
            content = [_write_said(part) for part in parts]
    return {"type": "message", "role": "assistant", "content": content}


def _write_said(part: Part) -> Written:
    match part:
        case Text():
            return {"type": "output_text", "text": part.text, "annotations": []}
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
        case Image() | File():
            raise unsupported("messages", "What an assistant said can only be text here.")
        case _:
            assert_never(part)


def _write_part(part: Part) -> Written:
    match part:
        case Text() | Refusal():
            return {"type": "input_text", "text": part.text}
        case Image():
            image: Written = {"type": "input_image", "detail": part.detail or "auto"}
            return image | ({"file_id": part.file_id} if part.url is None else {"image_url": part.url})
        case File():
            return _write_file(part)
        case _:
            assert_never(part)


def _write_file(file: File) -> Written:
    if file.data is not None:
        name = file.filename or _FILE_NAMES.get(file.data[:100].split(";")[0], "document.pdf")
        return {"type": "input_file", "filename": name, "file_data": file.data}
    if file.url is not None:
        return {"type": "input_file", "file_url": file.url}
    return {"type": "input_file", "file_id": file.file_id}


def _write_call(call: Call) -> Written:
    if call.kind is CallKind.CUSTOM:
        return {
            "type": "custom_tool_call",
            "call_id": legal_call_id(call.id),
            "name": call.name,
            "input": call.arguments,
        }
    return {
        "type": "function_call",
        "call_id": legal_call_id(call.id),
        "name": call.name,
        "arguments": call.arguments,
    }


def _write_result(result: CallResult, kind: CallKind) -> Written:
    """Write what a tool gave back, as of the kind that its call has: Chat does not say it again."""
    output: object
    match result.parts:
        case ():
            output = _FAILED if result.is_error else ""
        case (Text(text),):
            output = text or (_FAILED if result.is_error else "")
        case parts:
            output = [_write_part(part) for part in parts]
    name = "custom_tool_call_output" if kind is CallKind.CUSTOM else "function_call_output"
    return {"type": name, "call_id": legal_call_id(result.call_id), "output": output}


def _write_reasoning(item: Reasoning) -> Written | None:
    if item.encrypted is None:
        return None
    written: Written = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text} for text in item.summaries],
        "encrypted_content": item.encrypted,
    }
    return written if item.id is None else {"type": "reasoning", "id": item.id} | written
