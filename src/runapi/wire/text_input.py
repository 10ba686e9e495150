"""Text as the older endpoints take it: one string or many, or the same in tokens."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from runapi.core import problems
from runapi.wire.openai_chat.request import Fields, decode_part
from runapi.wire.tokens import count_text

Tokens = list[Annotated[int, Meta(ge=0)]]

_decode_texts = msgspec.json.Decoder(list[str]).decode
_decode_token_lists = msgspec.json.Decoder(list[Annotated[Tokens, Meta(min_length=1)]]).decode
_decode_tokens = msgspec.json.Decoder(Tokens).decode
_decode_text = msgspec.json.Decoder(str).decode
_WHAT = "a string, or an array of strings or tokens"


class TextInput(msgspec.Struct, frozen=True):
    """What a field holds: how many texts, and their tokens where they came so."""

    texts: tuple[str, ...] = ()
    token_counts: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.texts) + len(self.token_counts)

    def count_tokens(self) -> int:
        """Count its tokens; long texts take long."""
        return sum(map(count_text, self.texts)) + sum(self.token_counts)


def read_text_input(fields: Fields, name: str) -> TextInput:
    """Read a required field that holds text.

    Raises:
        Problem: 400, naming the field and what was expected.
    """
    raw = fields.get(name)
    if raw is None or raw == b"null":
        raise problems.missing_parameter(name)
    written = bytes(raw)
    if written.startswith(b'"'):
        return TextInput((decode_part(name, raw, _decode_text),))
    if not written.startswith(b"["):
        raise problems.invalid_type(name, _WHAT, "another type")
    first = written[1:].lstrip()[:1]
    if first == b"]":
        raise problems.empty_array(name)
    return _read_list(name, raw, first)


def _read_list(name: str, raw: Raw, first: bytes) -> TextInput:
    match first:
        case b'"':
            return TextInput(tuple(decode_part(name, raw, _decode_texts)))
        case b"[":
            lists = decode_part(name, raw, _decode_token_lists)
            return TextInput(token_counts=tuple(map(len, lists)))
        case _:
            return TextInput(token_counts=(len(decode_part(name, raw, _decode_tokens)),))
