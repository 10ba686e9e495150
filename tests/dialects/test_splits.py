"""However the network cuts an upstream's bytes, the client gets the same: over sockets, for each translation."""

import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialects.town import CHAT, CLAUDE, MESSAGES, RESPONSES
from fakes import anthropic_replies, replies, responses_replies, steps

TEXTS = ("H\u00e9l", "lo \U0001f30d, ", "wor", "ld. END", " never")
ARGUMENTS = '{"where":"R\u00e9union","deep":true}'
TOOLS = {
    CHAT: [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    RESPONSES: [{"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}],
    MESSAGES: [{"name": "look", "input_schema": {"type": "object"}}],
}
CASES = [
    (CHAT, "responses_only"),
    (CHAT, "messages_only"),
    (CHAT, "chat_only"),  # with a stop sequence, which is enforced here
    (RESPONSES, "responses_only"),
    (RESPONSES, "chat_only"),
    (RESPONSES, "messages_only"),
    (MESSAGES, "responses_only"),
    (MESSAGES, "chat_only"),
    (MESSAGES, "messages_only"),
]


def rich_answer(server):
    match server:
        case "responses_only":
            items = [responses_replies.Thought(("Hm, ", "well.")), responses_replies.Said(TEXTS)]
            return responses_replies.stream_reply([*items, responses_replies.Called("look", ARGUMENTS)])
        case "messages_only":
            blocks = [anthropic_replies.Thought(), anthropic_replies.Said(TEXTS)]
            return anthropic_replies.stream_reply([*blocks, anthropic_replies.Used("look", ARGUMENTS)])
        case _:
            return replies.stream_reply(TEXTS)


def bodies(script):
    """The pieces of a script's body."""
    for step in script:
        if isinstance(step, steps.Body):
            yield step.data
        elif isinstance(step, list | tuple):
            yield from bodies(step)


def cut_at(script, cuts):
    """The same script, its body cut at these places, in thousandths of it."""
    (answer,) = script

    def write(request):
        data = b"".join(bodies(answer.write(request)))
        places = sorted({len(data) * cut // 1_000 for cut in cuts} | {0, len(data)})
        pieces = [data[start:end] for start, end in pairwise(places)]
        return [
            steps.headers(200, steps.EVENT_STREAM),
            *([steps.body(piece), steps.sleep(0.004)] for piece in pieces),
        ]

    return [steps.answer(write)]


def plain(heard):
    """What was received, but for its names and times, which each request has of its own."""
    data = re.sub(rb'"(created|created_at|completed_at)":\d+', rb'"\1":0', heard.body)
    return data.replace(heard.id.removeprefix("req_").encode(), b"ID")


@pytest.mark.parametrize(("path", "server"), CASES)
def test_client_s_bytes_do_not_depend_on_the_cuts(town, upstream, path, server):
    upstream.strict = False
    customer = town.customer()
    model = CLAUDE if server == "messages_only" else "gpt-5.5"
    more = {"stop": "END"} if (path, server) == (CHAT, "chat_only") else {"tools": TOOLS[path]}

    def ask(cuts):
        upstream.then(cut_at(rich_answer(server), cuts))
        heard = customer.hear(path, model=model, stream=True, **more)
        assert heard.is_whole
        return plain(heard)

    whole = ask([])

    @settings(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(cuts=st.lists(st.integers(1, 999), min_size=1, max_size=8))
    def check(cuts):
        assert ask(cuts) == whole

    check()
