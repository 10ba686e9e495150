"""The messages and the system prompt of a Messages request, as the items of the neutral form."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Raw

from runapi.core import problems
from runapi.wire.anthropic.blocks import (
    AssistantBlock,
    Base64Source,
    ContentSource,
    DocumentBlock,
    FileSource,
    ImageBlock,
    PlainTextSource,
    RedactedThinkingBlock,
    ResultContent,
    SearchResultBlock,
    TextBlock,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
    UserBlock,
)
from runapi.wire.anthropic.events import compact
from runapi.wire.anthropic.request import Message
from runapi.wire.anthropic.signature import read_signature
from runapi.wire.decode import decode_part
from runapi.wire.neutral import Call, CallResult, File, Image, Item, Part, Role, Text, Turn
from runapi.wire.openai_chat.request import NULL
from runapi.wire.refusals import unknown_word

_BILLING = (
    "x-anthropic-billing-header:"  # Claude Code's first system block; it varies, and would spoil caches
)
_PDF = "application/pdf"
_PLAIN_TEXT = "text/plain"
_NO_INPUT = "{}"


def read_system(raw: Raw) -> list[Item]:
    """Read the system prompt; nothing where it is empty."""
    if raw == NULL:
        return []
    if _is_string(raw):
        text = decode_part(raw, str, "system")
        return [Turn(Role.SYSTEM, (Text(text),), is_plain=True)] if text else []
    return _read_texts(raw, Role.SYSTEM, "system")


def read_messages(messages: Sequence[Message]) -> list[Item]:
    """Read messages that `read_messages_request` accepted.

    A system message between them is a developer's. Thinking that a client gives back is an item where the signature is
    one of ours; a Claude model's own is left out, since no other model can read it.

    Raises:
        Problem: 400, naming the block that cannot be said or read.
    """
    items: list[Item] = []
    for index, message in enumerate(messages):
        items += _read_message(message, f"messages[{index}].content")
    return items


def _read_texts(raw: Raw, role: Role, param: str) -> list[Item]:
    blocks = decode_part(raw, list[TextBlock], param)
    parts = tuple(Text(block.text) for block in blocks if not block.text.startswith(_BILLING))
    return [Turn(role, parts)] if parts else []


def _read_message(message: Message, param: str) -> list[Item]:
    if _is_string(message.content):
        text = decode_part(message.content, str, param)
        role = Role.DEVELOPER if message.role == "system" else Role(message.role)
        return [Turn(role, (Text(text),), is_plain=True)]
    match message.role:
        case "assistant":
            return list(_read_assistant(decode_part(message.content, list[AssistantBlock], param)))
        case "user":
            blocks = decode_part(message.content, list[UserBlock], param)
            if not blocks:
                raise problems.empty_array(param)
            return _read_user(blocks, param)
        case _:
            return _read_texts(message.content, Role.DEVELOPER, param)


def _read_user(blocks: Iterable[UserBlock], param: str) -> list[Item]:
    """Read a user's message: results of tools come first, as they must follow their calls at once."""
    results: list[Item] = []
    parts: list[Part] = []
    for index, block in enumerate(blocks):
        place = f"{param}[{index}]"
        if isinstance(block, ToolResultBlock):
            results.append(
                CallResult(
                    block.tool_use_id, _read_result(block, f"{place}.content"), is_error=bool(block.is_error)
                )
            )
        else:
            parts += _read_content(block, place)
    return [*results, Turn(Role.USER, tuple(parts))] if parts else results


def _read_assistant(blocks: Iterable[AssistantBlock]) -> Iterator[Item]:
    """Read an assistant's message; what it said between two calls is a turn of its own."""
    said: list[Part] = []
    for block in blocks:
        if isinstance(block, TextBlock):
            said.append(Text(block.text))
            continue
        if said:
            yield Turn(Role.ASSISTANT, tuple(said))
            said = []
        if isinstance(block, ToolUseBlock):
            yield Call(block.id, block.name, _NO_INPUT if block.input == NULL else compact(block.input))
        else:
            text, signature = (
                ("", block.data)
                if isinstance(block, RedactedThinkingBlock)
                else (block.thinking, block.signature)
            )
            thought = read_signature(signature, text)
            if thought is not None:
                yield thought
    if said:
        yield Turn(Role.ASSISTANT, tuple(said))


def _read_result(block: ToolResultBlock, param: str) -> tuple[Part, ...]:
    match block.content:
        case None:
            return ()
        case str(text):
            return (Text(text),)
        case blocks:
            return tuple(
                part
                for index, inner in enumerate(blocks)
                for part in _read_content(inner, f"{param}[{index}]")
            )


def _read_content(block: ResultContent, param: str) -> list[Part]:
    match block:
        case TextBlock():
            return [Text(block.text)]
        case ImageBlock():
            return [_read_image(block.source)]
        case SearchResultBlock():
            texts = [block.title, block.source, *(inner.text for inner in block.content)]
            return [Text("\n".join(texts))]
        case ToolReferenceBlock():
            return [Text(block.tool_name)]
        case DocumentBlock():
            return _read_document(block, param)


def _read_image(source: Base64Source | UrlSource | FileSource) -> Image:
    match source:
        case Base64Source():
            return Image(url=f"data:{source.media_type};base64,{source.data}")
        case UrlSource():
            return Image(url=source.url)
        case FileSource():
            return Image(file_id=source.file_id)


def _read_document(block: DocumentBlock, param: str) -> list[Part]:
    """Read a document: text stands in the message, with its title before it; a file goes on as a file."""
    source, about = block.source, [text for text in (block.title, block.context) if text]
    match source:
        case PlainTextSource():
            return [Text("\n".join([*about, source.data]))]
        case ContentSource():
            texts: list[Part] = [Text("\n".join(about))] if about else []
            if isinstance(source.content, str):
                return [*texts, Text(source.content)]
            return texts + [part for inner in source.content for part in _read_content(inner, param)]
        case _:
            context: list[Part] = [Text(block.context)] if block.context else []
            return [*context, _read_file(source, block.title, param)]


def _read_file(source: Base64Source | UrlSource | FileSource, title: str | None, param: str) -> File:
    match source:
        case Base64Source():
            if source.media_type not in (_PDF, _PLAIN_TEXT):
                raise unknown_word(f"{param}.source.media_type", source.media_type, (_PDF, _PLAIN_TEXT))
            ending = "pdf" if source.media_type == _PDF else "txt"
            name = title or "document"
            return File(
                data=f"data:{source.media_type};base64,{source.data}",
                filename=name if name.lower().endswith(f".{ending}") else f"{name}.{ending}",
            )
        case UrlSource():
            return File(url=source.url, filename=title)
        case FileSource():
            return File(file_id=source.file_id, filename=title)


def _is_string(raw: Raw) -> bool:
    return bytes(raw).startswith(b'"')
