"""A chunk that is like the one before it needs no reading, and nothing else is taken for such a chunk."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.chunks import HEAD, USAGE, chunk, sse
from runapi.core.usage import Usage
from runapi.wire.openai_chat.stream import ChatStream
from runapi.wire.openai_chat.template import learn_template

RENAMES = [(b'"model":"gpt-5.5-2026-04-23"', b'"model":"gpt-5.5"'), (b',"usage":null', b"")]
MARKS = [RENAMES[0][0]]
TRAPS = st.sampled_from(
    [
        *(
            '"',
            "\\",
            '\\"',
            "\n\n",
            "\r\n",
            "\r",
            "}",
            "é",
            "\u4e2d",
            "\U0001f600",
            "\x00",
            "~text~",
            "~padding~",
        ),
        *('"model":"gpt-5.5-2026-04-23"', ',"usage":null', '"usage":null,', "data: [DONE]\n\n", '"}\n\n'),
        *('"},"finish_reason":null}],"usage":null}\n\n', '","obfuscation":"x', '"content":"x"'),
    ]
)
TEXTS = TRAPS | st.text(max_size=6)
DELTAS = st.one_of(
    st.builds(lambda text: {"content": text}, TEXTS),
    st.builds(lambda text: {"content": text}, TEXTS),
    st.builds(lambda text: {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}, TEXTS),
    st.builds(lambda text: {"content": None, "reasoning_content": text}, TEXTS),
    st.builds(lambda text: {"role": "assistant", "content": text}, TEXTS),
    st.builds(lambda one, other: {"content": one, "x_new": {"content": other}}, TEXTS, TEXTS),
    st.just({}),
)
MORE = st.fixed_dictionaries(
    {}, optional={"obfuscation": TEXTS, "service_tier": st.sampled_from(["flex", "default"])}
)
HEADS = st.sampled_from(
    [HEAD, HEAD, HEAD, HEAD | {"id": "chatcmpl-other", "created": 17}, HEAD | {"model": {"content": "x"}}, {}]
)


def known(stream, out):
    usage = stream.usage
    return (
        out,
        stream.text,
        stream.text_length,
        stream.delivers,
        stream.ended,
        stream.fault,
        usage,
        stream.service_tier,
    )


def relay(reads, *, wants_usage):
    stream, out = ChatStream(model="gpt-5.5", wants_usage=wants_usage), b""
    for data in reads:
        if not stream.ended and stream.fault is None:
            out += stream.feed(data)
    if stream.ended:
        out += stream.tail("0.1", Usage(input=1, output=1))
    return known(stream, out)


@given(
    head=HEADS,
    chunks=st.lists(st.tuples(DELTAS, MORE), min_size=2, max_size=10),
    others=st.dictionaries(st.integers(0, 9), HEADS, max_size=2),
    forms=st.tuples(st.booleans(), st.booleans()),
    data=st.data(),
)
def test_the_short_way_gives_what_the_long_way_gives(head, chunks, others, forms, data):
    spaced, wants_usage = forms
    events = [
        chunk(delta, spaced=spaced, head=others.get(place, head), **more)
        for place, (delta, more) in enumerate(chunks)
    ]
    events += [chunk({}, "stop", head=head), chunk(usage=USAGE, head=head), b"[DONE]"]
    framed = [sse(event, done=False) for event in events]
    long_way = relay([b": a comment before it\n" + event for event in framed], wants_usage=wants_usage)
    assert relay(framed, wants_usage=wants_usage) == long_way
    whole = b"".join(framed)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    reads = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert relay(reads, wants_usage=wants_usage) == long_way


@pytest.mark.parametrize("more", [{}, {"obfuscation": "k3Zq"}])
@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize(
    "delta_with",
    [
        lambda text: {"content": text},
        lambda text: {"tool_calls": [{"index": 0, "function": {"arguments": text}}]},
    ],
)
def test_a_chunk_like_the_one_before_it_is_written_anew_without_reading_it(delta_with, spaced, more):
    renames = [(b'"model": "gpt-5.5-2026-04-23"', b'"model":"gpt-5.5"')] if spaced else RENAMES
    template = learn_template(chunk(delta_with("Hel"), spaced=spaced, **more), renames, [renames[0][0]])
    assert template is not None
    text = 'a "quoted" line\n\\ \u4e2d'
    if more:
        more = {"obfuscation": ""}
    event = sse(chunk(delta_with(text), spaced=spaced, **more), done=False)
    ours = event
    for old, new in renames:
        ours = ours.replace(old, new)
    assert template.take(b"before" + event + b"data: ", 6) == (ours, text, 6 + len(event))


@pytest.mark.parametrize(
    "event",
    [
        chunk({"role": "assistant", "content": "a"}),
        chunk({"content": ""}),
        chunk({"content": "a"}, "stop"),
        chunk({"content": "a"}, usage=USAGE),
        chunk({"content": "a"}, error={"message": "no"}),
        chunk({"content": "~text~"}),
        chunk({"content": "a"}, x_new="~padding~"),
        chunk({"content": "a"}).replace(b'"content"', b'"content":"b","content"'),
        chunk({"content": "a", "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "b"}}]}),
        chunk({"content": "a"}, head=HEAD | {"model": "another"}),
        chunk({"content": "a" * 5000}),
        json.dumps({"content": "a", "choices": [{"delta": {"content": "b"}}]}).encode(),
        b'{"choices":[{"delta":\n{"content":"a"}}]}',
        b'{"choices":[{"delta":{"content":"a"}},{"delta":{}}]}',
    ],
)
def test_a_chunk_that_does_more_than_to_add_its_text_makes_no_template(event):
    assert learn_template(event, RENAMES, MARKS) is None


@pytest.mark.parametrize(
    "gap", [b'"x" ', b' "x"', b'"x"\n\n', b'\n"x"', b'"x', b'""', b"null", b'"\\ud800"', b'"\xff"', b'"\n"']
)
def test_what_does_not_fill_the_gap_as_one_string_is_read_the_long_way(gap):
    event = chunk({"content": "Hel"}, obfuscation="pad")
    template = learn_template(event, RENAMES, MARKS)
    assert template is not None
    assert template.take(sse(event.replace(b'"Hel"', gap)), 0) is None
    if gap != b'""':
        assert template.take(sse(event.replace(b'"pad"', gap)), 0) is None
    framed = sse(event, done=False)
    assert all(template.take(framed[:end], 0) is None for end in range(len(framed)))


@pytest.mark.parametrize("prefix", [b"", b": a comment takes the long way\n"])
def test_a_finish_that_was_held_leaves_before_the_text_that_follows_it(prefix):
    stream = ChatStream(model="gpt-5.5", wants_usage=True)
    stream.feed(prefix + sse(chunk({"content": "a"}), done=False))
    stream.feed(prefix + sse(chunk({"content": "b"}), done=False))
    assert stream.feed(prefix + sse(chunk({}, "stop", index=1), done=False)) == b""
    out = stream.feed(prefix + sse(chunk({"content": "c"}), done=False))
    assert out.index(b'"stop"') < out.index(b'"c"')


@pytest.mark.parametrize("prefix", [b"", b": a comment takes the long way\n"])
def test_the_head_of_the_newest_chunk_is_kept_when_heads_change_to_and_fro(prefix):
    stream = ChatStream(model="gpt-5.5", wants_usage=True)
    other = HEAD | {"id": "chatcmpl-other", "model": "another"}
    for event in (
        chunk({"content": "a"}),
        chunk({"content": "b"}),
        chunk({}, head=other),
        chunk({"content": "c"}),
    ):
        stream.feed(prefix + sse(event, done=False))
    assert json.loads(stream.heartbeat("unused", 0)[6:])["id"] == HEAD["id"]
