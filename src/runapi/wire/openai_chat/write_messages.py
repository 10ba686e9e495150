"""Neutral items as the messages of a Chat request."""

from collections.abc import Iterable

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

Message = dict[str, object]
_KNOWN_DETAILS = ("auto", "low", "high")


class _Answer:
    """An assistant's message that more may join: consecutive calls are one message, with the turn before them."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.is_plain = True
        self.name: str | None = None
        self.calls: list[Message] = []

    def add(self, turn: Turn) -> None:
        self.parts += turn.parts
        self.is_plain = turn.is_plain and len(self.parts) == len(turn.parts)
        self.name = self.name or turn.name

    def written(self) -> Message:
        message: Message = {"role": "assistant"}
        if self.is_plain:
            texts = [part.text for part in self.parts if isinstance(part, Text)]
            refusals = [part.text for part in self.parts if isinstance(part, Refusal)]
            message["content"] = "".join(texts) if texts else None
            if refusals:
                message["refusal"] = "".join(refusals)
        else:
            message["content"] = [_write_answered(part) for part in self.parts] or None
        if self.name is not None:
            message["name"] = self.name
        if self.calls:
            message["tool_calls"] = self.calls
        return message


def write_messages(items: Iterable[Item]) -> list[Message]:
    """Write items as messages; reasoning is left out, for Chat has no word for it.

    Raises:
        Problem: 400, Chat cannot say it.
    """
    writer = _MessageWriter()
    for item in items:
        writer.take(item)
    writer.close()
    return writer.messages


class _MessageWriter:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._answer: _Answer | None = None
        self._attached: list[Part] = []  # of tools' results: no tool's message can hold it

    def take(self, item: Item) -> None:
        match item:
            case Reasoning():
                pass
            case Turn(role=Role.ASSISTANT):
                if (
                    self._answer is None or not self._answer.calls
                ):  # else results must follow the calls at once
                    self.close()
                    self._answer = _Answer()
                self._answer.add(item)
            case Turn():
                self.close()
                self._add_turn(item)
            case Call():
                if self._answer is None:
                    self.close()
                    self._answer = _Answer()
                self._answer.calls.append(_write_call(item))
            case CallResult():
                self._close_answer()
                self._add_result(item)

    def close(self) -> None:
        """Write what was waiting for more to join it."""
        self._close_answer()
        if self._attached:
            self.messages.append({"role": "user", "content": [_write_part(part) for part in self._attached]})
            self._attached = []

    def _close_answer(self) -> None:
        if self._answer is not None:
            self.messages.append(self._answer.written())
            self._answer = None

    def _add_turn(self, turn: Turn) -> None:
        content: object = [_write_part(part) for part in turn.parts]
        if turn.is_plain:
            content = "".join(part.text for part in turn.parts if isinstance(part, Text))
        message: Message = {"role": turn.role, "content": content}
        if turn.name is not None:
            message["name"] = turn.name
        self.messages.append(message)

    def _add_result(self, result: CallResult) -> None:
        texts = [part for part in result.parts if isinstance(part, Text | Refusal)]
        others = [part for part in result.parts if not isinstance(part, Text | Refusal)]
        content: object = [{"type": "text", "text": part.text} for part in texts]
        if len(texts) < 2:
            content = texts[0].text if texts else ""
        self.messages.append({"role": "tool", "tool_call_id": result.call_id, "content": content})
        if others:
            self._attached += [Text(f"Attached to the result of {result.call_id}:"), *others]


def _write_call(call: Call) -> Message:
    if call.kind is CallKind.CUSTOM:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _write_answered(part: Part) -> Message:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Refusal(text):
            return {"type": "refusal", "refusal": text}
        case _:
            raise unsupported(
                "messages", "An assistant's message can hold only text; send images as the user's."
            )


def _write_part(part: Part) -> Message:
    match part:
        case Text(text) | Refusal(text):
            return {"type": "text", "text": text}
        case Image():
            if part.url is None:
                raise unsupported(
                    "messages", "Send the image by its URL, or as a data URL, and not by its id."
                )
            url: Message = {"url": part.url}
            if part.detail is not None:
                url["detail"] = part.detail if part.detail in _KNOWN_DETAILS else "auto"
            return {"type": "image_url", "image_url": url}
        case File():
            if part.data is None and part.file_id is None:
                raise unsupported("messages", "Send the document's data, and not its URL.")
            fields = {"filename": part.filename, "file_data": part.data, "file_id": part.file_id}
            return {
                "type": "file",
                "file": {name: value for name, value in fields.items() if value is not None},
            }
