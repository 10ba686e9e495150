"""POST /v1/moderations: what a request asks, what goes upstream, and what the reply says.

OpenAI counts no tokens here; what is counted, and priced if the operator wants a price, is the text that came.
"""

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.core.admission import RequestShape
from runapi.wire.needed import needed
from runapi.wire.older_request import OlderRequest
from runapi.wire.openai_chat.reply import BadReplyError, decode_reply
from runapi.wire.openai_chat.request import NULL, decode_part, read_fields, read_text
from runapi.wire.passed_reply import PassedReply
from runapi.wire.refusals import unknown_word
from runapi.wire.text_input import TextInput

DEFAULT_MODEL = "omni-moderation-latest"


class _Url(msgspec.Struct):
    url: str


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    image_url: _Url | None = None


_decode_input = msgspec.json.Decoder(str | list[str | _Part]).decode


class ModerationsRequest(OlderRequest, frozen=True):
    """A request to judge its input, which is kept here without its images: there is no output."""

    @property
    def shape(self) -> RequestShape:
        """What decides how much it can cost."""
        size, texts = len(self.fields["input"]), len(self.input)
        return RequestShape(text_bytes=size, texts=texts, output_cap=self.output_cap)


def read_moderations_request(body: bytes) -> ModerationsRequest:
    """Read a request body; who names no model asks for DEFAULT_MODEL.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    fields = read_fields(body)
    model = read_text(fields, "model")
    raw = fields.get("input", NULL)
    if raw == NULL:
        raise problems.missing_parameter("input")
    read = decode_part("input", raw, _decode_input)
    if not read and isinstance(read, list):
        raise problems.empty_array("input")
    parts = [read] if isinstance(read, str) else read
    texts = [_text_of(part, f"input[{index}]") for index, part in enumerate(parts)]
    return ModerationsRequest(fields, model or DEFAULT_MODEL, TextInput(tuple(texts)))


def _text_of(part: str | _Part, place: str) -> str:
    if isinstance(part, str):
        return part
    match part.type:
        case "text":
            return needed(part.text, place, "text")
        case "image_url":
            needed(part.image_url, place, "image_url")
            return ""
        case _:
            raise unknown_word(f"{place}.type", part.type, ("text", "image_url"))


class _Reply(msgspec.Struct):
    results: list[Raw] | None = None
    model: str | None = None
    error: Raw = NULL


_decode_reply = msgspec.json.Decoder(_Reply).decode


def read_moderations_reply(body: bytes) -> PassedReply:
    """Read a reply; its usage is never reported.

    Raises:
        BadReplyError: it holds no results, or is an error that came with status 200.
    """
    reply = decode_reply(_decode_reply, body)
    if not reply.results or reply.error != NULL:
        raise BadReplyError
    return PassedReply(body=body, model=reply.model, delivers=True)
