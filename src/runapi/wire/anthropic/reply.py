"""A whole message on its way through: what it delivers and consumed, and its bytes for the client."""

import msgspec

from runapi.core.usage import Usage
from runapi.wire.anthropic.events import STOPPED, Block, end_reason, read_answered
from runapi.wire.anthropic.usage import read_anthropic_usage, read_tier, write_anthropic_usage
from runapi.wire.members import replace_members
from runapi.wire.neutral import EndReason
from runapi.wire.openai_chat.request import NULL
from runapi.wire.splice import with_cost

_WITHOUT_WORDS = ("text", "thinking", "redacted_thinking")  # blocks that may say nothing


class MessagesReply(msgspec.Struct, frozen=True):
    """A reply and what it says; `body` is as the upstream sent it, but for halves of characters."""

    body: bytes
    model: str | None
    raw_usage: bytes | None
    usage: Usage | None  # None: missing, or not to be believed
    service_tier: str | None
    delivers: bool  # some block has text, thinking or a call, or it says which stop sequence ended it
    is_capped: bool  # it ended at its output limit
    written: str

    def render(self, model: str, cost_usd: str, usage: Usage) -> bytes:
        """Write the reply for the client: its own name for the model, the cost in `usage`, all else untouched.

        `usage` stands in where the upstream sent none that can be believed.
        """
        changes = {"usage": with_cost(self._usage_to_show(usage), cost_usd)}
        if self.model != model:
            changes["model"] = msgspec.json.encode(model)
        return replace_members(self.body, changes)

    def _usage_to_show(self, counted: Usage) -> bytes:
        if self.usage is not None and self.raw_usage is not None:
            return self.raw_usage
        return write_anthropic_usage(counted)

    def text(self) -> str:
        """All that was written in it, for counting it here."""
        return self.written


def read_messages_reply(body: bytes) -> MessagesReply:
    """Read a reply.

    Raises:
        FailedAnswerError: it is an error that came with status 200; a kind of the next.
        BadReplyError: it is no message.
    """
    message, content, body = read_answered(body)
    return MessagesReply(
        body=body,
        model=message.model,
        raw_usage=None if message.usage == NULL else bytes(message.usage),
        usage=read_anthropic_usage(message.usage),
        service_tier=read_tier(message.usage),
        delivers=message.stop_reason == STOPPED
        or any(block.type not in _WITHOUT_WORDS or _text_of(block) for block in content),
        is_capped=end_reason(message.stop_reason) is EndReason.LENGTH,
        written="".join(_text_of(block) for block in content),
    )


def _text_of(block: Block) -> str:
    arguments = bytes(block.input).decode() if block.input != NULL else ""
    return block.text + block.thinking + block.name + arguments
