"""Stop sequences that a model refuses end its answers here: in every protocol that has them, however the text is cut."""

import pytest

from dialects.cases import BOTH
from dialects.town import CHAT, MESSAGES
from fakes import replies, responses_replies, steps
from fakes.responses_replies import Called, Said

SERVERS = pytest.mark.parametrize("server", ["chat_only", "responses_only"])
PIECES = (
    ("One. END Two.",),
    ("One. E", "ND Two."),
    ("One. EN", "D", " Two."),
    tuple("One. END Two."),
    ("One. ", "EN", "EN", "END Two."),
)
STOP = {CHAT: "stop", MESSAGES: "stop_sequences"}


def said(server, pieces, stream, **more):
    if server == "chat_only":
        return replies.stream_reply(pieces, **more) if stream else replies.plain_reply("".join(pieces))
    make = responses_replies.stream_reply if stream else responses_replies.plain_reply
    return make([Said(pieces)], **more)


def ending(heard):
    """Why the answer ended, and by which sequence, as far as the protocol says."""
    if heard.path == CHAT:
        return heard.object["choices"][0]["finish_reason"], None
    return heard.object["stop_reason"], heard.object["stop_sequence"]


@SERVERS
@pytest.mark.parametrize("asked", [(CHAT, False), (CHAT, True), (MESSAGES, False), (MESSAGES, True)])
@pytest.mark.parametrize("pieces", PIECES, ids=lambda pieces: str(len(pieces)))
def test_answer_ends_before_the_sequence(town, upstream, server, asked, pieces):
    path, stream = asked
    upstream.then(said(server, pieces, stream))
    customer = town.customer()
    heard = customer.hear(path, stream=stream, **{STOP[path]: ["END", "never"]})
    assert heard.text == "".join(pieces).split("END", maxsplit=1)[0]
    assert ending(heard) == (("stop", None) if path == CHAT else ("stop_sequence", "END"))
    assert "x-runapi-dropped" not in heard.headers
    [call] = upstream.calls
    assert "stop" not in call.json
    assert heard.cost_nano == customer.spent_nano == 19 * 2_500 + 10 * 15_000  # of what the model wrote


@SERVERS
@BOTH
def test_beginning_of_a_sequence_that_does_not_come_is_said(town, upstream, server, stream):
    upstream.then(said(server, ("One. EN", "CORE E"), stream))
    heard = town.customer().hear(CHAT, stream=stream, stop="END")
    assert heard.text == "One. ENCORE E"
    assert ending(heard) == ("stop", None)


@SERVERS
def test_answer_that_begins_with_the_sequence_is_empty_and_charged(town, upstream, server):
    upstream.then(said(server, ("END Two.",), True))
    customer = town.customer()
    heard = customer.hear(CHAT, stream=True, stop="END")
    assert heard.text == ""
    assert heard.is_whole
    assert customer.row["outcome"] == "completed"
    assert customer.spent_nano > 0


def test_calls_behind_the_sequence_are_not_made(town, responses_only):
    items = [Said(("One. END Two.",)), Called("look", "{}")]
    responses_only.then(responses_replies.stream_reply(items))
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    heard = town.customer().hear(CHAT, stream=True, stop="END", tools=[tool])
    choice = heard.object["choices"][0]
    assert (choice["finish_reason"], choice["message"].get("tool_calls")) == ("stop", None)
    assert heard.text == "One. "


def test_upstream_that_breaks_behind_the_sequence_does_not_break_the_answer(town, responses_only):
    script = responses_replies.stream_reply(
        [Said(("One. END", " Two."))], cut_after=6, cut=steps.rst(), between=[steps.sleep(0.02)]
    )
    responses_only.then(script)
    customer = town.customer()
    heard = customer.hear(CHAT, stream=True, stop="END")
    assert (heard.text, heard.is_whole) == ("One. ", True)
    row = customer.row
    assert (row["outcome"], row["usage_source"]) == ("completed", "estimated")
    assert heard.cost_nano == customer.spent_nano > 0


def test_several_choices_cannot_be_stopped_here(town, chat_only):
    chat_only.strict = False
    heard = town.customer().hear(CHAT, n=2, stop="END")
    assert heard.headers["x-runapi-dropped"] == "stop"
