"""A Messages request on its way to an upstream that speaks Messages: as the client wrote it, but for what must change."""

import msgspec
from msgspec import Raw

from runapi.wire.anthropic.effort import LEAST_BUDGET
from runapi.wire.anthropic.request import MessagesRequest
from runapi.wire.anthropic.signature import OURS
from runapi.wire.openai_chat.request import Fields, is_null

_OUR_OWN = ("max_cost",)
_OPERATORS = (
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "speed",
    "user_profile_id",
    "workspace_id",
)
"""What makes the same tokens dearer, or belongs to the account at the upstream, which is the operator's."""

_decode_messages = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_blocks = msgspec.json.Decoder(list[Raw]).decode


class _Block(msgspec.Struct):
    type: str = ""
    signature: str | None = None


_decode_block = msgspec.json.Decoder(_Block).decode


def write_passed_on(request: MessagesRequest, model: str, output_cap: int | None) -> bytes:
    """Write the body for one upstream.

    Thinking that another model signed through us is left out: Anthropic would refuse its signature.

    Args:
        request: as the client sent it.
        model: the upstream's name for the model.
        output_cap: the most output tokens that were paid for; a lower `max_tokens` holds.
    """
    fields = {name: raw for name, raw in request.fields.items() if name not in (*_OUR_OWN, *_OPERATORS)}
    fields["model"] = Raw(msgspec.json.encode(model))
    if output_cap is not None and request.max_tokens is not None and output_cap < request.max_tokens:
        fields["max_tokens"] = Raw(b"%d" % output_cap)
        _shrink_thinking(fields, request, output_cap)
    if OURS.encode() in bytes(fields["messages"]):
        _leave_out_foreign_thinking(fields, request)
    return msgspec.json.encode(fields)


def not_passed_on(request: MessagesRequest) -> tuple[str, ...]:
    """The parameters that `write_passed_on` leaves out although they ask for something: tell the client."""
    return tuple(name for name in _OPERATORS if name in request.fields and not is_null(request.fields[name]))


def _shrink_thinking(fields: Fields, request: MessagesRequest, output_cap: int) -> None:
    """Keep the budget for thinking below `max_tokens`, as Anthropic demands."""
    thinking = request.known.thinking
    budget = None if thinking is None else thinking.budget_tokens
    if thinking is None or thinking.type != "enabled" or budget is None or budget < output_cap:
        return
    if output_cap < 2 * LEAST_BUDGET:
        _do_without_thinking(fields)
        return
    changed = msgspec.json.decode(fields["thinking"], type=Fields)
    changed["budget_tokens"] = Raw(b"%d" % (output_cap // 2))
    fields["thinking"] = Raw(msgspec.json.encode(changed))


def _do_without_thinking(fields: Fields) -> None:
    fields.pop("thinking", None)
    fields.pop("context_management", None)  # which may ask for thinking to be cleared, and then needs it


def _leave_out_foreign_thinking(fields: Fields, request: MessagesRequest) -> None:
    """Take out the blocks; a budget for thinking goes too where the newest calls would stand without theirs."""
    messages = _decode_messages(fields["messages"])
    lost = [_without_foreign_thinking(message) for message in messages]
    kept = [message for message in messages if bytes(message["content"]) != b"[]"]
    if not any(lost):
        return
    fields["messages"] = Raw(msgspec.json.encode(kept))
    thinking = request.known.thinking
    if thinking is not None and thinking.type == "enabled" and any(lost[-2:]):
        _do_without_thinking(fields)


def _without_foreign_thinking(message: Fields) -> bool:
    """Take the blocks out of one message; say whether there were any."""
    content = bytes(message.get("content", b""))
    if not content.startswith(b"[") or OURS.encode() not in content:
        return False
    blocks = _decode_blocks(content)
    kept = [block for block in blocks if not _is_foreign(block)]
    message["content"] = Raw(msgspec.json.encode(kept))
    return len(kept) < len(blocks)


def _is_foreign(raw: Raw) -> bool:
    try:
        block = _decode_block(raw)
    except msgspec.DecodeError:
        return False
    return block.type == "thinking" and (block.signature or "").startswith(OURS)
