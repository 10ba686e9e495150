"""The items of the neutral form as the system prompt and the messages of a Messages request.

Anthropic wants users and assistants to speak in turn, a user first, the results of calls at the beginning of the
message that follows them, and no empty text.
"""

import re
from base64 import b64decode
from collections.abc import Iterable
from typing import Any, assert_never
from urllib.parse import unquote

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.wire.anthropic.signature import open_seal
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

Block = dict[str, Any]

_BEGINNING = "(The conversation begins.)"
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"
_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?P<words>(?:;[^;,]*)*),(?P<data>.*)", re.DOTALL)
_THOUGHTS = ("thinking", "redacted_thinking")
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode


class Conversation(msgspec.Struct, frozen=True):
    """The system prompt and the messages."""

    system: list[Block]
    messages: list[Block]


def write_items(items: Iterable[Item]) -> Conversation:
    """Write a conversation. What the system or a developer says, wherever it stands, becomes the system prompt.

    Raises:
        Problem: 400, naming a part that Messages cannot say.
    """
    system: list[Block] = []
    gatherer = _Gatherer()
    for item in items:
        if isinstance(item, Turn) and item.role in (Role.SYSTEM, Role.DEVELOPER):
            system += _write_system(item)
        else:
            gatherer.add(*_write_item(item))
    messages = gatherer.close()
    if not messages or messages[0]["role"] != "user":
        messages.insert(0, {"role": "user", "content": [_text(_BEGINNING)]})
    _trim_last(messages)
    return Conversation(system, messages)


def begins_with_thinking(messages: list[Block]) -> bool:
    """Whether the calls whose results the last message gives, if any, came with the thoughts that led to them."""
    last = messages[-1]
    if last["role"] != "user" or last["content"][0]["type"] != "tool_result" or len(messages) < 2:
        return True
    return messages[-2]["content"][0]["type"] in _THOUGHTS


def refers_to_files(items: Iterable[Item]) -> bool:
    """Whether some part is a file that was uploaded before."""
    return any(
        isinstance(part, Image | File) and part.file_id is not None
        for item in items
        if isinstance(item, Turn | CallResult)
        for part in item.parts
    )


class _Gatherer:
    """Joins what one side says in a row to one message: the results of calls, and behind them all else."""

    def __init__(self) -> None:
        self._messages: list[Block] = []
        self._role = ""
        self._results: list[Block] = []
        self._others: list[Block] = []

    def add(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        if role != self._role:
            self.close()
            self._role = role
        if blocks[0]["type"] == "tool_result":
            self._results += blocks
        else:
            self._others += blocks

    def close(self) -> list[Block]:
        """End the message that is being gathered, and give all of them."""
        if self._role:
            self._messages.append({"role": self._role, "content": self._results + self._others})
            self._role, self._results, self._others = "", [], []
        return self._messages


def _trim_last(messages: list[Block]) -> None:
    """Take the white space from the end of an answer that the model is to go on with: Anthropic refuses it."""
    block = messages[-1]["content"][-1]
    if messages[-1]["role"] == "assistant" and block["type"] == "text":
        block["text"] = block["text"].rstrip()
        if not block["text"]:
            messages[-1]["content"].pop()
            if not messages[-1]["content"]:
                messages.pop()


def _write_system(turn: Turn) -> list[Block]:
    for part in turn.parts:
        if isinstance(part, Image | File):
            raise problems.invalid_value("messages", "a system or developer message can hold text alone.")
    return [block for part in turn.parts for block in _write_part(part)]


def _write_item(item: Item) -> tuple[str, list[Block]]:
    match item:
        case Turn():
            role = "assistant" if item.role is Role.ASSISTANT else "user"
            return role, [block for part in item.parts for block in _write_part(part)]
        case Call():
            return "assistant", [_write_call(item)]
        case CallResult():
            return "user", [_write_result(item)]
        case Reasoning():
            block = open_seal(item)
            return "assistant", [] if block is None else [dict(block)]
        case _:
            assert_never(item)


def _write_call(call: Call) -> Block:
    return {
        "type": "tool_use",
        "id": legal_call_id(call.id),
        "name": call.name,
        "input": write_input(call.arguments, call.kind),
    }


def write_input(arguments: str, kind: CallKind) -> Raw:
    """The arguments of a call as an object; text that is none, as the one value of one."""
    if kind is CallKind.CUSTOM:
        return Raw(msgspec.json.encode({"input": arguments}))
    text = arguments.strip()
    if not text:
        return Raw(b"{}")
    try:
        _decode_object(text)
    except (msgspec.DecodeError, RecursionError):
        return Raw(msgspec.json.encode({"arguments": arguments}))
    return Raw(text.encode())


def _write_result(result: CallResult) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": legal_call_id(result.call_id)}
    content = [block for part in result.parts for block in _write_part(part)]
    if content:
        block["content"] = content
    if result.is_error:
        block["is_error"] = True
    return block


def _write_part(part: Part) -> list[Block]:
    match part:
        case Text() | Refusal():
            return [_text(part.text)] if part.text.strip() else []
        case Image():
            return [{"type": "image", "source": _write_image(part)}]
        case File():
            return [_write_file(part)]
        case _:
            assert_never(part)


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _write_image(image: Image) -> Block:
    if image.file_id is not None:
        return {"type": "file", "file_id": image.file_id}
    url = image.url or ""
    match = _DATA_URL.fullmatch(url)
    if match is None:
        return {"type": "url", "url": url}
    if match["type"] not in _IMAGES or ";base64" not in match["words"]:
        raise problems.invalid_value(
            "messages", f"an image must be base64 of one of the types {', '.join(_IMAGES)}, or a URL."
        )
    return {"type": "base64", "media_type": match["type"], "data": match["data"]}


def _write_file(file: File) -> Block:
    block: Block = {"type": "document", "source": _write_document(file)}
    if file.filename:
        block["title"] = file.filename
    return block


def _write_document(file: File) -> Block:
    if file.file_id is not None:
        return {"type": "file", "file_id": file.file_id}
    if file.url is not None:
        return {"type": "url", "url": file.url}
    match = _DATA_URL.fullmatch(file.data or "")
    kind, data = (_PDF, file.data or "") if match is None else (match["type"], match["data"])
    if kind == _PDF and (match is None or ";base64" in match["words"]):
        return {"type": "base64", "media_type": _PDF, "data": data}
    if kind == "text/plain" and match is not None:
        return {"type": "text", "media_type": "text/plain", "data": _decode_text(match["words"], data)}
    raise problems.invalid_value("messages", "a file must be a PDF or plain text, as a base64 data URL.")


def _decode_text(words: str, data: str) -> str:
    if ";base64" not in words:
        return unquote(data)
    try:
        return b64decode(data, validate=True).decode()
    except ValueError:
        raise problems.invalid_value("messages", "a text file must be base64 of UTF-8.") from None
