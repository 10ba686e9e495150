"""One upstream fails and another answers, whatever dialect it speaks, as long as the client has heard nothing."""

import pytest

from dialects.cases import BOTH, PATHS
from dialects.town import CHAT, GPTS, MESSAGES, OWN, RESPONSES
from fakes import anthropic_replies, replies, responses_replies, steps

EVERYWHERE = "everywhere"
SPEAKS = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}
PAIRS = pytest.mark.parametrize("pair", [(one, other) for one in SPEAKS for other in SPEAKS if one != other])


@pytest.fixture
def serve(town, scripted):
    """Put one of the scripted upstreams behind the live keys, the first to be named first."""
    yield from _serving(town, scripted)


@pytest.fixture
def hasty_serve(hasty_town, scripted):
    yield from _serving(hasty_town, scripted)


def _serving(town, scripted):
    served = []

    def serve(kind, speaks=None):
        upstream = getattr(scripted, kind)
        upstream.reset()
        upstream.strict = False
        town.serve_as(upstream, kind, speaks or [SPEAKS[kind]], (*GPTS, *OWN), priority=len(served))
        served.append(kind)
        return upstream

    yield serve
    for kind in served:
        town.command("upstreams.remove", name=kind)
        assert not getattr(scripted, kind).unplayed


def failing_at_once(kind):
    """A stream that breaks before it has said anything."""
    match kind:
        case "responses":
            return responses_replies.stream_failed_reply(after=2)
        case "messages":
            return anthropic_replies.stream_error_reply(after=1)
        case _:
            return [
                steps.headers(200),
                *steps.sse([{"error": {"message": "Broken.", "type": "server_error"}}]),
            ]


@PATHS
@BOTH
@PAIRS
def test_upstream_of_another_dialect_answers(town, serve, path, stream, pair):
    broken, well = map(serve, pair)
    broken.then(replies.error(500))
    customer = town.customer()
    heard = customer.hear(path, model=EVERYWHERE, stream=stream)
    assert heard.is_whole
    assert heard.text == "Hello."
    assert heard.object["model"] == EVERYWHERE
    assert (len(broken.calls), len(well.calls)) == (1, 1)
    row = customer.row
    assert (row["upstream"], row["attempts"], row["outcome"]) == (pair[1], 2, "completed")
    assert heard.cost_nano == customer.spent_nano > 0


@PATHS
@PAIRS
def test_upstream_of_another_dialect_answers_where_a_stream_had_only_begun(town, serve, path, pair):
    broken, well = map(serve, pair)
    broken.then(failing_at_once(pair[0]))
    customer = town.customer()
    heard = customer.hear(path, model=EVERYWHERE, stream=True)
    assert heard.is_whole
    assert heard.text == "Hello."
    assert len(well.calls) == 1
    assert customer.row["attempts"] == 2


@PATHS
@PAIRS
def test_answer_that_has_begun_is_not_taken_up_by_anybody_else(town, serve, path, pair):
    broken, well = map(serve, pair)
    match pair[0]:
        case "responses":
            broken.then(responses_replies.stream_failed_reply(after=5))
        case "messages":
            broken.then(anthropic_replies.stream_error_reply(after=4))
        case _:
            broken.then([steps.headers(200), *steps.sse([replies.chunk({"content": "Hel"})]), steps.rst()])
    customer = town.customer()
    assert not customer.hear(path, model=EVERYWHERE, stream=True).is_whole
    assert (well.calls, customer.spent_nano) == ([], 0)


@PATHS
def test_after_a_sign_of_life_only_who_is_asked_in_the_same_way_is_tried(hasty_town, hasty_serve, path):
    broken, other = hasty_serve("responses"), hasty_serve("chat")
    broken.then([steps.sleep(0.5), *replies.error(500)])
    customer = hasty_town.customer()
    heard = customer.hear(path, model=EVERYWHERE, stream=True)
    assert not heard.is_whole
    assert other.calls == []
    assert (customer.row["outcome"], customer.spent_nano) == ("failed", 0)


@PATHS
def test_after_a_sign_of_life_an_upstream_of_the_same_dialect_goes_on(hasty_town, hasty_serve, path):
    broken, other = hasty_serve("responses"), hasty_serve("openai", [RESPONSES])
    broken.then([steps.sleep(0.5), *replies.error(500)])
    customer = hasty_town.customer()
    heard = customer.hear(path, model=EVERYWHERE, stream=True)
    assert heard.is_whole
    assert heard.text == "Hello."
    assert len(other.calls) == 1
    assert heard.cost_nano == customer.spent_nano > 0


@PAIRS
def test_what_one_upstream_cannot_be_told_another_is(town, serve, pair):
    for kind in pair:
        serve(kind)
    form = {"type": "json_object"}  # Anthropic's have no word for it
    messages = [{"role": "user", "content": "Say hello in JSON."}]
    customer = town.customer()
    heard = customer.hear(CHAT, model=EVERYWHERE, response_format=form, messages=messages)
    assert heard.is_whole
    assert customer.row["upstream"] == (pair[1] if pair[0] == "messages" else pair[0])


def test_document_that_one_upstream_cannot_be_told_another_is(town, serve):
    chat, messages = serve("chat"), serve("messages")
    document = {"type": "input_file", "file_url": "https://example.com/a.pdf"}  # Chat takes no addresses
    asked = [{"role": "user", "content": [document, {"type": "input_text", "text": "What is it?"}]}]
    heard = town.customer().hear(RESPONSES, model=EVERYWHERE, input=asked)
    assert heard.is_whole
    assert (chat.calls, len(messages.calls)) == ([], 1)


def test_document_that_nobody_can_be_told_is_refused_and_free(town, serve):
    chat = serve("chat")
    document = {"type": "input_file", "file_url": "https://example.com/a.pdf"}
    customer = town.customer()
    heard = customer.hear(RESPONSES, model=EVERYWHERE, input=[{"role": "user", "content": [document]}])
    assert (heard.status, chat.calls, customer.spent_nano) == (400, [], 0)


def test_model_that_one_upstream_does_not_know_is_asked_for_elsewhere(town, serve):
    first, second = serve("responses"), serve("chat")
    first.then(replies.error(404, "No such model.", code="model_not_found"))
    assert town.customer().hear(MESSAGES, model=EVERYWHERE).is_whole
    assert (len(first.calls), len(second.calls)) == (1, 1)


def test_the_most_that_any_way_needs_is_paid_for(town, serve):
    """A cap below what Responses takes is raised, and paid for, though the first upstream would take it."""
    chat, responses = serve("chat"), serve("responses")
    chat.then(replies.error(500))
    customer = town.customer()
    heard = customer.hear(CHAT, model=EVERYWHERE, max_completion_tokens=3)
    assert heard.is_whole
    assert chat.calls[0].json["max_completion_tokens"] == 3
    assert responses.calls[0].json["max_output_tokens"] == 16
    assert dict(customer.transfers(heard.id))["hold"] >= 16 * 4_000
