"""Messages streams as Anthropic writes them, made by hand, and events of the neutral form by chance."""

import json

from hypothesis import strategies as st

from runapi.core.usage import Usage
from runapi.wire.neutral import (
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    End,
    EndReason,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    TextDelta,
)

START_USAGE = {
    "input_tokens": 19,
    "cache_creation_input_tokens": 7,
    "cache_read_input_tokens": 100,
    "output_tokens": 1,
    "service_tier": "standard",
}
END_USAGE = {"output_tokens": 31}
USAGE = Usage(input=19, cached=100, cache_write=7, output=31)
COUNTED = Usage(input=7, cached=2, cache_write=1, output=5, reasoning=3)


def start(usage=START_USAGE, model="claude-up"):
    message = {
        "id": "msg_up",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    return {"type": "message_start", "message": message}


def block(index, *deltas, **fields):
    """A block with its beginning, its deltas and its end."""
    return [
        {"type": "content_block_start", "index": index, "content_block": fields},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index, *texts):
    return block(index, *({"type": "text_delta", "text": part} for part in texts), type="text", text="")


def thought(index, *texts, signature="c2ln"):
    deltas = [{"type": "thinking_delta", "thinking": part} for part in texts]
    signed = {"type": "signature_delta", "signature": signature}
    return block(index, *deltas, signed, type="thinking", thinking="", signature="")


def call(index, *pieces, name="look"):
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, *deltas, type="tool_use", id="toolu_1", name=name, input={})


def end(reason="end_turn", usage=END_USAGE, stop_sequence=None):
    delta = {"stop_reason": reason, "stop_sequence": stop_sequence}
    return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def event(fields, *, named=True, separators=(",", ":")):
    name = f"event: {fields['type']}\n" if named else ""
    return f"{name}data: {json.dumps(fields, ensure_ascii=False, separators=separators)}\n\n".encode()


def sse(*events, **how):
    return b"".join(event(fields, **how) for fields in events)


PING = {"type": "ping"}
WHOLE = sse(
    start(), PING, *thought(0, "Hm", "m."), *text(1, "Hel", "lo."), *call(2, '{"a"', ":1}"), *end("tool_use")
)


TEXTS = st.text(min_size=1, max_size=6)
THOUGHTS = st.builds(
    lambda texts, encrypted, origin: (
        *map(ReasoningDelta, texts),
        ReasoningEnd(Reasoning("rs_1", encrypted, tuple(texts), origin)),
    ),
    st.lists(TEXTS, max_size=2),
    st.one_of(st.none(), st.just("gAAAA=")),
    st.one_of(st.none(), st.just("3/gpt-5.5:x")),
)
_ANSWERS = st.lists(
    st.one_of(
        st.lists(TEXTS, min_size=1, max_size=3).map(lambda texts: tuple(map(TextDelta, texts))),
        THOUGHTS,
        st.just("call"),
        st.lists(TEXTS, min_size=1, max_size=2).map(lambda texts: tuple(map(ReasoningDelta, texts))),
    ),
    max_size=6,
)
_ARGUMENTS = ('{"city":', '"Ré', 'o"}')


@st.composite
def answers(draw, *, overlapping=True):
    """The events of an answer; its calls may overlap with what follows them."""
    lanes, events, calls = [], [], 0
    for part in draw(_ANSWERS):
        if part != "call":
            events += part
            continue
        lane = [*(CallDelta(calls, piece) for piece in _ARGUMENTS), CallEnd(calls)]
        events.append(CallBegin(calls, f"call_{calls}", "look"))
        calls += 1
        if overlapping and draw(st.booleans()):
            lanes.append(lane)
        else:
            events += lane
    for lane in lanes:  # each in its order, at places by chance behind its beginning
        at = (
            events.index(
                next(
                    event
                    for event in events
                    if event == CallBegin(lane[-1].index, f"call_{lane[-1].index}", "look")
                )
            )
            + 1
        )
        for piece in lane:
            at = draw(st.integers(at, len(events)))
            events.insert(at, piece)
            at += 1
    reason = EndReason.CALLS if calls else EndReason.STOP
    return [Begin(1_800_000_000), *events, End(reason, COUNTED)]
