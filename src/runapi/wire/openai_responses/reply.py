"""A whole Responses answer on its way through: what it delivers and consumed, and its bytes for the client."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Raw

from runapi.core.usage import Usage
from runapi.wire.members import replace_members
from runapi.wire.neutral import EndReason
from runapi.wire.openai_chat.reply import BadReplyError, decode_reply, text_below
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_responses.answer_parts import Incomplete, ResponseError, end_reason
from runapi.wire.openai_responses.usage import read_responses_usage, write_responses_usage
from runapi.wire.splice import with_cost

NO_ECHOES: Mapping[str, bytes] = MappingProxyType({})
_WHOLE = (None, "completed", "incomplete")
_SILENT_ITEMS = frozenset(("message", "reasoning"))  # these deliver what they hold, all others by being there
_CLIENTS_OWN_CALLS = frozenset(("function_call", "custom_tool_call"))
WRITTEN = ("text", "refusal", "name", "arguments", "input", "code")


class Part(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class Item(msgspec.Struct):
    """An item of an answer; `content` is as written, for unknown items have contents of their own."""

    type: str = ""
    content: Raw = NULL
    summary: Raw = NULL


class _Reply(msgspec.Struct):
    output: list[Item]
    model: str | None = None
    status: str | None = None
    incomplete_details: Incomplete | None = None
    usage: Raw = NULL
    error: ResponseError | str | None = None
    service_tier: str | None = None


_decode = msgspec.json.Decoder(_Reply).decode
_decode_parts = msgspec.json.Decoder(list[Part]).decode


class ResponsesReply(msgspec.Struct, frozen=True):
    """An answer and what it says; `body` is as the upstream sent it."""

    body: bytes
    model: str | None
    raw_usage: bytes | None
    usage: Usage | None  # None: missing, or not to be believed
    service_tier: str | None
    delivers: bool  # it has text, a refusal, a call or something else that an upstream's tool made
    is_capped: bool  # it ended at its output limit
    hosted_calls: Mapping[str, int]  # how often each tool ran at the upstream, by the type of its item
    echoes: Mapping[str, bytes] = NO_ECHOES  # fields, as JSON, in which the answer says again what was asked

    def render(self, model: str, cost_usd: str, usage: Usage) -> bytes:
        """Write the answer for the client: its own name for the model, the cost in `usage`, all else untouched.

        `usage` stands in where the upstream sent none that can be believed.
        """
        believed = self.raw_usage if self.usage is not None else None
        changes = {"usage": with_cost(believed or write_responses_usage(usage), cost_usd), **self.echoes}
        if self.model is not None and self.model != model:
            changes["model"] = msgspec.json.encode(model)
        return replace_members(self.body, changes)

    def text(self) -> str:
        """All that was written in the answer, for counting it here.

        Raises:
            BadReplyError: it holds what JSON allows and nobody can read, such as a number of 5,000 digits.
        """
        return text_below(self.body, "output", WRITTEN)


def read_responses_reply(body: bytes, echoes: Mapping[str, bytes] = NO_ECHOES) -> ResponsesReply:
    """Read an answer.

    Args:
        body: as the upstream sent it.
        echoes: fields, as JSON, in which it says again what was asked, where something else went upstream.

    Raises:
        BadReplyError: not JSON, no list of items, not finished, or one that says that it failed.
    """
    reply = decode_reply(_decode, body)
    if reply.error is not None or reply.status not in _WHOLE:
        raise BadReplyError
    return ResponsesReply(
        body=body,
        model=reply.model,
        raw_usage=None if reply.usage == NULL else bytes(reply.usage),
        usage=read_responses_usage(reply.usage),
        service_tier=reply.service_tier,
        delivers=any(map(delivers, reply.output)),
        is_capped=reply.status == "incomplete" and end_reason(reply.incomplete_details) is EndReason.LENGTH,
        hosted_calls=Counter(item.type for item in reply.output if is_hosted_call(item.type)),
        echoes=echoes,
    )


def delivers(item: Item) -> bool:
    """Whether an item has something for the client: encrypted reasoning, or an empty message, has nothing."""
    if item.type not in _SILENT_ITEMS:
        return True
    try:
        parts = [part for raw in (item.content, item.summary) if raw != NULL for part in _decode_parts(raw)]
    except msgspec.DecodeError:
        return True  # of a shape unknown here: something is there
    return any(part.text or part.refusal for part in parts)


def is_hosted_call(item_type: str) -> bool:
    """Whether items of this type are calls of a tool that ran at the upstream, which may charge for it."""
    return item_type.endswith("_call") and item_type not in _CLIENTS_OWN_CALLS
