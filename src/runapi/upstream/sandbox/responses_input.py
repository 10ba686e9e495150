"""Read the `input` of a Responses request: refuse what OpenAI refuses, and say the rest as messages of Chat.

So one reader (`chat_messages.find_asked`) finds what the sandbox is asked, and one counter counts it.
"""

import msgspec

from runapi.core.problems import Problem, empty_array, invalid_type, missing_parameter
from runapi.upstream.sandbox.chat_messages import Message, check_image_url
from runapi.upstream.sandbox.fields import Fields, need_object, need_word, type_name, unsupported_value
from runapi.upstream.sandbox.sealed_reasoning import read_seal

_ROLES = ("assistant", "system", "developer", "user")
_SAID_TO = ("input_text", "input_image", "input_file")
_SAID_BY = ("output_text", "refusal")
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_RESULTS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}
_NAMES = {"function_call": "function call", "custom_tool_call": "custom tool call"}
_PASSED_OVER = (  # what tools at the upstream did; the sandbox has none of them
    "file_search_call",
    "computer_call",
    "computer_call_output",
    "web_search_call",
    "tool_search_call",
    "tool_search_output",
    "additional_tools",
    "compaction",
    "compaction_trigger",
    "context_compaction",
    "image_generation_call",
    "code_interpreter_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "program",
    "program_output",
)
_TYPES = ("message", *_CALLS, *_RESULTS, "reasoning", "item_reference", *_PASSED_OVER)


class Conversation(msgspec.Struct, frozen=True):
    """What was said, in Chat's form, and how many tokens the thoughts have that were sent back."""

    messages: list[Message]
    reasoning_tokens: int


def read_input(value: object, instructions: str | None) -> Conversation:
    """Read `input`, with the instructions before it.

    Raises:
        Problem: 400 or 404, with OpenAI's words where they are known.
    """
    messages: list[Message] = [] if instructions is None else [{"role": "developer", "content": instructions}]
    if value is None:
        raise missing_parameter("input")
    if isinstance(value, str):
        return Conversation([*messages, {"role": "user", "content": value}], 0)
    if not isinstance(value, list):
        raise invalid_type("input", "one of a string or array of objects", type_name(value))
    if not value:
        raise empty_array("input")
    items = [_check_item(item, f"input[{at}]") for at, item in enumerate(value)]
    _check_calls(items)
    thoughts = 0
    for at, item in enumerate(items):
        thoughts += _add_item(messages, item, f"input[{at}]")
    return Conversation(messages, thoughts)


# ---- what an item must be --------------------------------------------------------------------------------


def _check_item(item: object, param: str) -> Fields:
    fields = need_object(item, param)
    if fields.get("type") is None and "role" in fields:
        return {**fields, "type": "message"}
    kind = need_word(fields, "type", _TYPES, f"{param}.type")
    if kind == "item_reference":
        raise _item_not_found(fields.get("id"))
    if kind in _CALLS:
        _need_text(fields, param, "call_id", "name", _CALLS[kind])
    elif kind in _RESULTS:
        _need_text(fields, param, "call_id")
    return fields


def _need_text(item: Fields, param: str, *names: str) -> None:
    for name in names:
        value = item.get(name)
        if value is None:
            raise missing_parameter(f"{param}.{name}")
        if not isinstance(value, str):
            raise invalid_type(f"{param}.{name}", "a string", type_name(value))


def _check_calls(items: list[Fields]) -> None:
    """Each result follows a call of its kind, and each call has one."""
    waiting: dict[tuple[str, str], None] = {}
    called: set[tuple[str, str]] = set()
    for item in items:
        kind, call_id = str(item["type"]), str(item.get("call_id"))
        if kind in _CALLS:
            called.add((kind, call_id))
            waiting[kind, call_id] = None
        elif kind in _RESULTS:
            of_kind = _RESULTS[kind]
            if (of_kind, call_id) not in called:
                text = f"No tool call found for {_NAMES[of_kind]} output with call_id {call_id[:200]}."
                raise Problem(400, text, param="input")
            waiting.pop((of_kind, call_id), None)
    for kind, call_id in waiting:
        raise Problem(400, f"No tool output found for {_NAMES[kind]} {call_id[:200]}.", param="input")


def _item_not_found(item_id: object) -> Problem:
    return Problem(
        404,
        f"Item with id '{str(item_id)[:200]}' not found. Items are not persisted when `store` is set to false. Try again "
        "with `store` set to true, or remove this item from your input.",
        param="input",
    )


# ---- how it is said in Chat ------------------------------------------------------------------------------


def _add_item(messages: list[Message], item: Fields, param: str) -> int:
    """Add what `item` says to `messages`; give the tokens of a thought."""
    kind = str(item["type"])
    if kind == "reasoning":
        return _read_thought(item, param)
    if kind == "message":
        messages.append(_message(item, param))
    elif kind in _CALLS:
        _add_call(messages, item, kind)
    elif kind in _RESULTS:
        content = _content(item.get("output"), _SAID_TO, f"{param}.output")
        messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})
    return 0


def _read_thought(item: Fields, param: str) -> int:
    sealed = item.get("encrypted_content")
    if sealed is None:
        return 0
    if not isinstance(sealed, str):
        raise invalid_type(f"{param}.encrypted_content", "a string", type_name(sealed))
    thought = read_seal(sealed)
    if thought is None:
        raise Problem(
            400,
            f"The encrypted content for item {str(item.get('id'))[:200]} could not be verified. Reason: Encrypted content "
            "could not be decrypted or parsed.",
            code="invalid_encrypted_content",
        )
    return thought.tokens


def _message(item: Fields, param: str) -> Message:
    role = item.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise unsupported_value(f"{param}.role", role, _ROLES)
    if item.get("content") is None:
        raise missing_parameter(f"{param}.content")
    allowed = _SAID_BY if role == "assistant" else _SAID_TO
    return {"role": role, "content": _content(item["content"], allowed, f"{param}.content")}


def _content(value: object, allowed: tuple[str, ...], param: str) -> str | list[Message]:
    if value is None:
        raise missing_parameter(param)
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise invalid_type(param, "one of a string or array of objects", type_name(value))
    return [_part(part, allowed, f"{param}[{at}]") for at, part in enumerate(value)]


def _part(value: object, allowed: tuple[str, ...], param: str) -> Message:
    part = need_object(value, param)
    kind = part.get("type")
    if kind is None:
        raise missing_parameter(f"{param}.type")
    if not isinstance(kind, str) or kind not in allowed:
        raise unsupported_value(param, kind, allowed)
    match kind:
        case "input_text" | "output_text":
            _need_text(part, param, "text")
            return {"type": "text", "text": part["text"]}
        case "refusal":
            _need_text(part, param, "refusal")
            return {"type": "refusal", "refusal": part["refusal"]}
        case "input_image":
            if part.get("image_url") is not None:
                check_image_url(part["image_url"], f"{param}.image_url")
            image = {"url": part.get("image_url"), "detail": part.get("detail")}
            return {"type": "image_url", "image_url": image}
        case _:
            return {"type": "file", "file": {}}


def _add_call(messages: list[Message], item: Fields, kind: str) -> None:
    """Add a call to the assistant's message, as Chat has it: calls in a row, and words before them, are one message."""
    in_chat = "function" if kind == "function_call" else "custom"
    said = {"name": item["name"], _CALLS[kind]: item[_CALLS[kind]]}
    call = {"id": item["call_id"], "type": in_chat, in_chat: said}
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    calls = messages[-1].setdefault("tool_calls", [])
    if isinstance(calls, list):
        calls.append(call)
