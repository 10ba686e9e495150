"""Read the `messages` of a Chat Completions request: refuse what OpenAI refuses, find what the sandbox is asked."""

import hashlib

import msgspec

from runapi.core.problems import Problem, empty_array, invalid_type, missing_parameter
from runapi.upstream.sandbox.directives import NONE, has_directives, read_directives
from runapi.upstream.sandbox.fields import need_object, need_word, type_name, unsupported_value
from runapi.upstream.sandbox.turns import Turn

Message = dict[str, object]

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_PARTS = ("text", "image_url", "input_audio", "refusal", "audio", "file")
_UNHEARD = ("input_audio", "audio")
_IMAGE_URLS = ("http://", "https://", "data:")
_CONTENT = "one of a string or array of objects"


def check_messages(value: object) -> list[Message]:
    """Check the shape and the order of messages.

    Raises:
        Problem: 400, with OpenAI's words where they are known.
    """
    if value is None:
        raise missing_parameter("messages")
    if not isinstance(value, list):
        raise invalid_type("messages", "an array of objects", type_name(value))
    if not value:
        raise empty_array("messages")
    messages = [_check_message(message, f"messages[{at}]") for at, message in enumerate(value)]
    _check_order(messages)
    return messages


def check_image_url(url: object, param: str) -> None:
    """Check the address of an image, which is not fetched.

    Raises:
        Problem: 400, it is none.
    """
    if not isinstance(url, str):
        raise invalid_type(param, "a string", type_name(url))
    if not url[:8].lower().startswith(_IMAGE_URLS):
        raise Problem(
            400,
            f"Invalid '{param}'. Expected a valid URL, but got a value with an invalid format.",
            param=param,
            code="invalid_value",
        )


def find_asked(messages: list[Message]) -> Turn:
    """Begin a turn with the directives that count, and the tool results that wait for an answer.

    What was answered in text is over. After it, the newest user message with directives counts; others may follow it
    (OpenClaw sends its own context as one), and a tool result after it answers its calls.

    Raises:
        DirectiveFault: a directive cannot be understood.
    """
    over = [
        at for at, message in enumerate(messages) if message["role"] == "assistant" and not _calls(message)
    ]
    open_messages = messages[over[-1] + 1 :] if over else messages
    text, directed, answered = "", "", 0
    results: list[str] = []
    for message in open_messages:
        match message["role"]:
            case "user":
                text = text_of(message)
                if has_directives(text):
                    directed, answered = text, 0
            case "assistant":
                results = []
            case "tool" | "function":
                answered += 1
                results.append(text_of(message))
    directives = read_directives(directed) if directed else NONE
    return Turn(
        seed=hashlib.blake2b(msgspec.json.encode(messages), digest_size=16).digest(),
        text=text,
        directives=directives,
        calls_answered=answered,
        tool_results=tuple(results),
    )


def text_of(message: Message) -> str:
    """The text of a message, whether it came whole or in parts."""
    content = message.get("content")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _calls(message: Message) -> list[Message]:
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        calls = [message["function_call"]] if message.get("function_call") else []
    return [call for call in calls if isinstance(call, dict)]


def _check_message(value: object, param: str) -> Message:
    message = need_object(value, param)
    role = need_word(message, "role", _ROLES, f"{param}.role")
    for at, call in enumerate(_check_calls(message, param)):
        _check_call(call, f"{param}.tool_calls[{at}]")
    _check_content(message, param)
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise missing_parameter(f"{param}.tool_call_id")
    return message


def _check_content(message: Message, param: str) -> None:
    content = message.get("content")
    if isinstance(content, str):
        return
    if isinstance(content, list):
        for at, part in enumerate(content):
            _check_part(part, f"{param}.content[{at}]")
    elif content is not None:
        raise invalid_type(f"{param}.content", _CONTENT, type_name(content))
    elif message["role"] == "assistant":
        if not any(message.get(key) for key in ("tool_calls", "function_call", "refusal", "audio")):
            raise _null_content(param)
    elif message["role"] != "function":
        raise _null_content(param) if "content" in message else missing_parameter(f"{param}.content")


def _null_content(param: str) -> Problem:
    return Problem(400, "Invalid value for 'content': expected a string, got null.", param=f"{param}.content")


def _check_part(value: object, param: str) -> None:
    part = need_object(value, param)
    kind = need_word(part, "type", _PARTS, f"{param}.type")
    if kind not in part:
        raise missing_parameter(f"{param}.{kind}")
    expected, expected_name = (str, "a string") if kind in {"text", "refusal"} else (dict, "an object")
    if not isinstance(part[kind], expected):
        raise invalid_type(f"{param}.{kind}", expected_name, type_name(part[kind]))
    if kind in _UNHEARD:
        raise Problem(
            400,
            f"Unsupported value: '{kind}' is not supported with this model.",
            param=f"{param}.type",
            code="unsupported_value",
        )
    if kind == "image_url":
        image = need_object(part[kind], f"{param}.{kind}")
        if image.get("url") is None:
            raise missing_parameter(f"{param}.{kind}.url")
        check_image_url(image["url"], f"{param}.{kind}.url")


def _check_calls(message: Message, param: str) -> list[object]:
    calls = message.get("tool_calls")
    if calls is None or message["role"] != "assistant":
        return []
    if not isinstance(calls, list):
        raise invalid_type(f"{param}.tool_calls", "an array of objects", type_name(calls))
    if not calls:
        raise empty_array(f"{param}.tool_calls")
    return calls


def _check_call(value: object, param: str) -> None:
    call = need_object(value, param)
    if not isinstance(call.get("id"), str):
        raise missing_parameter(f"{param}.id")
    kind = call.get("type")
    fields = {"function": ("name", "arguments"), "custom": ("name", "input")}
    if not isinstance(kind, str) or kind not in fields:
        raise unsupported_value(f"{param}.type", kind, tuple(fields))
    body = call.get(kind)
    if not isinstance(body, dict):
        raise missing_parameter(f"{param}.{kind}")
    for field in fields[kind]:
        if not isinstance(body.get(field), str):
            raise missing_parameter(f"{param}.{kind}.{field}")


def _check_order(messages: list[Message]) -> None:
    """Each tool message answers a call of the assistant message before it, and each call is answered."""
    called: set[str] | None = None
    open_calls: dict[str, None] = {}
    asked_at = 0
    for at, message in enumerate(messages):
        if message["role"] == "tool":
            _check_answer(message, called, at)
            open_calls.pop(str(message["tool_call_id"]), None)
            continue
        if open_calls:
            raise _unanswered(list(open_calls), asked_at)
        asked_at = at
        calls = message.get("tool_calls") if message["role"] == "assistant" else None
        ids = [str(call["id"]) for call in calls] if isinstance(calls, list) else None
        called = None if ids is None else set(ids)
        open_calls = dict.fromkeys(ids or ())
    if open_calls:
        raise _unanswered(list(open_calls), asked_at)


def _check_answer(message: Message, called: set[str] | None, at: int) -> None:
    if called is None:
        # The misspelling is OpenAI's, and programs match on it.
        raise Problem(
            400,
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
            param=f"messages.[{at}].role",
        )
    if message["tool_call_id"] not in called:
        raise Problem(
            400,
            "Invalid parameter: 'tool_call_id' of "
            f"'{str(message['tool_call_id'])[:200]}' not found in 'tool_calls' of previous message.",
            param=f"messages.[{at}].tool_call_id",
        )


def _unanswered(ids: list[str], at: int) -> Problem:
    return Problem(
        400,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(ids)[:1000]}",
        param=f"messages.[{at}].role",
    )
