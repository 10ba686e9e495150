"""Answers with nothing in them, without a count, under another name, and conversations that go on from a translated one."""

import pytest

from dialects.cases import BOTH, PATHS, SERVERS, model_at
from dialects.town import CHAT, CLAUDE, MESSAGES, RESPONSES
from fakes import anthropic_replies, http, replies, responses_replies
from fakes.replies import error


def empty_answer(server, stream):
    match server:
        case "chat_only":
            return replies.stream_reply(()) if stream else replies.plain_reply("")
        case "responses_only":
            make = responses_replies.stream_reply if stream else responses_replies.plain_reply
            return make([])
        case _:
            make = anthropic_replies.stream_reply if stream else anthropic_replies.plain_reply
            return make([])


@PATHS
@SERVERS
@BOTH
def test_answer_with_nothing_in_it_is_free(town, upstream, server, path, stream):
    upstream.then(empty_answer(server, stream))
    customer = town.customer()
    heard = customer.hear(path, model=model_at(server), stream=stream)
    assert heard.is_whole
    assert heard.text == ""
    assert heard.cost_nano == customer.spent_nano == 0
    row = customer.row
    assert (row["outcome"], row["status"], row["usage"]["output"]) == ("completed", 200, 10)


@PATHS
def test_answer_of_anthropic_s_without_a_count_is_counted_here(town, messages_only, path):
    messages_only.then(anthropic_replies.plain_reply(usage=None))
    customer = town.customer()
    heard = customer.hear(path, model=CLAUDE)
    row = customer.row
    assert (row["usage_source"], row["usage"]["output"]) == ("estimated", 2)
    assert heard.cost_nano == customer.spent_nano == row["usage"]["input"] * 2_400 + 2 * 12_000


@PATHS
@SERVERS
@BOTH
def test_upstream_s_own_name_for_a_model_is_seen_by_nobody(town, scripted, server, path, stream):
    kind = server.removesuffix("_only")
    upstream, ours, theirs = getattr(scripted, kind), model_at(server), "their-very-own-name"
    upstream.reset()
    upstream.strict = False
    speaks = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}[kind]
    town.serve_as(upstream, "renamed", [speaks], [], model_map={ours: theirs})
    upstream.then(empty_or_not(server, stream, theirs), error(400, f"The model {theirs} is broken."))
    customer = town.customer()
    try:
        heard = [customer.hear(path, model=ours, stream=stream) for _ in range(2)]
    finally:
        town.command("upstreams.remove", name="renamed")
    assert [call.json["model"] for call in upstream.calls] == [theirs, theirs]
    assert heard[0].object["model"] == ours
    assert all(theirs.encode() not in one.body for one in heard)
    assert f"The model {ours} is broken." in heard[1].error["message"]


def empty_or_not(server, stream, model):
    match server:
        case "chat_only":
            return replies.stream_reply(model=model) if stream else replies.plain_reply(model=model)
        case "responses_only":
            make = responses_replies.stream_reply if stream else responses_replies.plain_reply
            return make(model=model)
        case _:
            make = anthropic_replies.stream_reply if stream else anthropic_replies.plain_reply
            return make(model=model)


@SERVERS
@BOTH
def test_conversation_goes_on_from_an_answer_whatever_the_upstream_speaks(town, upstream, server, stream):
    customer, model = town.customer(), model_at(server)
    first = customer.hear(RESPONSES, model=model, stream=stream, instructions="Be brief.").object
    assert first["store"] is True
    heard = customer.hear(
        RESPONSES, model=model, stream=stream, input="And now?", previous_response_id=first["id"]
    )
    assert heard.is_whole
    assert heard.object["previous_response_id"] == first["id"]
    asked = upstream.calls[-1].json
    said = asked["input"] if server == "responses_only" else asked["messages"]
    assert [turn["role"] for turn in said] == ["user", "assistant", "user"]
    assert "Be brief." not in upstream.calls[-1].body.decode()
    kept = http.request(town.gateway.url, "GET", f"/v1/responses/{heard.object['id']}", key=customer.key)
    assert kept.status == 200
    assert kept.json["output"] == heard.object["output"]


@pytest.mark.parametrize("server", ["chat_only", "responses_only"])
def test_answer_that_is_not_to_be_kept_is_not(town, upstream, server):
    customer = town.customer()
    first = customer.hear(RESPONSES, store=False).json
    assert first["store"] is False
    heard = customer.hear(RESPONSES, input="And now?", previous_response_id=first["id"])
    assert (heard.status, heard.error["param"]) == (400, "previous_response_id")
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("server", ["chat_only", "responses_only"])
def test_answer_of_another_account_is_not_gone_on_from(town, upstream, server):
    first = town.customer().hear(RESPONSES).json
    stranger = town.customer()
    heard = stranger.hear(RESPONSES, input="And now?", previous_response_id=first["id"])
    assert heard.status == 400
    assert len(upstream.calls) == 1
    assert stranger.spent_nano == 0


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"context_management": {"edits": []}}, "context_management"), ({"temperature": 0.3}, "temperature")],
)
def test_strict_key_of_messages_is_refused_what_gpt_has_not(town, responses_only, fields, word):
    customer = town.customer(on_refused_parameter="strict")
    heard = customer.hear(MESSAGES, **fields)
    assert heard.status == 400
    assert word in heard.error["message"]
    assert customer.transfers(heard.id) == []


def test_strict_key_of_messages_is_refused_what_makes_claude_dearer(town, messages_only):
    customer = town.customer(on_refused_parameter="strict")
    heard = customer.hear(MESSAGES, model=CLAUDE, speed="fast")
    assert (heard.status, messages_only.calls) == (400, [])
    assert "speed" in heard.error["message"]


def test_operator_s_word_counts_where_the_catalogue_knows_of_no_way(town, chat_only):
    chat_only.strict = False  # as a server of the operator's own
    customer = town.customer()
    assert customer.hear(CHAT, model="gpt-5.3-codex").is_whole
    assert customer.hear(RESPONSES, model="gpt-5.3-codex", stream=True).is_whole
    assert [call.path for call in chat_only.calls] == [CHAT, CHAT]


def test_model_without_an_upstream_is_told_from_one_that_does_not_exist(town, chat_only):
    customer = town.customer()
    assert customer.hear(MESSAGES, model=CLAUDE).status == 503
    assert customer.hear(MESSAGES, model="claude-nonesuch").status == 404
