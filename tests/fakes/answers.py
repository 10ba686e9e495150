"""Answers in neutral form, by chance and by hand, and what a client makes of a Chat stream."""

import json

from hypothesis import strategies as st
from msgspec import Raw

from runapi.core.usage import Usage
from runapi.wire.neutral import (
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    CallKind,
    End,
    EndReason,
    Event,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)

USAGE = Usage(input=15, cached=4, output=10, reasoning=3)
LOGPROB = Raw(b'[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}]')
TEXT = st.text(min_size=1, max_size=10)
counts = st.integers(0, 10_000_000)


@st.composite
def usages(draw):
    output = draw(counts)
    return Usage(
        draw(st.integers(0, 5_000_000)),
        draw(st.integers(0, 10**6)),
        draw(st.integers(0, 10**6)),
        output,
        draw(st.integers(0, output)),
    )


@st.composite
def answers(draw, *, has_reasoning=False):
    """The events of one whole answer: text, perhaps a refusal, and calls one after the other."""
    events: list[Event] = [Begin(1741569952)]
    if has_reasoning and draw(st.booleans()):
        events += [ReasoningDelta(text) for text in draw(st.lists(TEXT, max_size=2))]
        events.append(ReasoningEnd(Reasoning("rs_1", draw(TEXT))))
    events += [
        TextDelta(text, draw(st.sampled_from([None, LOGPROB]))) for text in draw(st.lists(TEXT, max_size=4))
    ]
    events += [RefusalDelta(text) for text in draw(st.lists(TEXT, max_size=1))]
    calls = draw(st.integers(0, 3))
    for index in range(calls):
        kind = draw(st.sampled_from(CallKind))
        events.append(CallBegin(index, f"call_{index}", draw(TEXT), kind))
        events += [CallDelta(index, text) for text in draw(st.lists(TEXT, max_size=3))]
        events.append(CallEnd(index))
    reason = (
        EndReason.CALLS
        if calls
        else draw(st.sampled_from([EndReason.STOP, EndReason.LENGTH, EndReason.CONTENT_FILTER]))
    )
    return [*events, End(reason, draw(usages()), service_tier="default")]


def chunks_of(data):
    """The chunks of a Chat stream that has ended."""
    *events, done = data.decode().removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]
