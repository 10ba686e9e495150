"""Names of users and sessions at an upstream: all customers share one account there, and nobody speaks for another."""

import pytest

from dialects.cases import BOTH
from dialects.town import CHAT, CLAUDE, MESSAGES, RESPONSES
from fakes import anthropic_replies, replies, responses_replies

NAMES = ("prompt_cache_key", "safety_identifier", "user")
OPENAIS = pytest.mark.parametrize("path", [CHAT, RESPONSES], ids=["chat", "responses"])


def answered(path, stream):
    make = {CHAT: replies, RESPONSES: responses_replies, MESSAGES: anthropic_replies}[path]
    return make.stream_reply() if stream else make.plain_reply()


def sent_names(rogue, customer, path, stream, **fields):
    rogue.then(answered(path, stream))
    assert customer.hear(path, stream=stream, **fields).is_whole
    sent = rogue.calls[-1].json
    return [sent.get(name) for name in NAMES]


@OPENAIS
@BOTH
def test_names_that_two_customers_give_are_two_users_upstream(raided, rogue, path, stream):
    one, other = raided.customer(), raided.customer()
    names = dict.fromkeys(NAMES, "mallory")
    ours, again, theirs = (
        sent_names(rogue, customer, path, stream, **names) for customer in (one, one, other)
    )
    assert ours == again  # the same user is the same one tomorrow
    assert set(ours).isdisjoint(theirs)
    assert all(name and "mallory" not in name for name in (*ours, *theirs))


@OPENAIS
@BOTH
def test_names_that_nobody_gives_are_not_made_up(raided, rogue, path, stream):
    assert sent_names(rogue, raided.customer(), path, stream) == [None, None, None]


def test_names_are_apart_where_chat_is_written_anew_for_its_stop_sequences(raided, rogue):
    names = dict.fromkeys(NAMES, "mallory")
    one, other = (sent_names(rogue, raided.customer(), CHAT, False, stop="END", **names) for _ in range(2))
    assert set(one).isdisjoint(other)
    assert "mallory" not in {*one, *other}


def test_name_of_a_user_of_chat_s_is_apart_at_an_upstream_of_anthropic_s(raided, rogue):
    sent = []
    for _ in range(2):
        rogue.then(answered(MESSAGES, False))
        assert raided.customer().hear(CHAT, model=CLAUDE, user="mallory").is_whole
        sent.append(rogue.calls[-1].json["metadata"]["user_id"])
    assert len({*sent, "mallory"}) == 3


def test_user_of_a_messages_request_is_apart_where_it_is_passed_on(raided, rogue):
    sent = []
    for _ in range(2):
        rogue.then(answered(MESSAGES, False))
        assert (
            raided.customer()
            .hear(MESSAGES, model=CLAUDE, metadata={"user_id": "mallory", "more": 1})
            .is_whole
        )
        sent.append(rogue.calls[-1].json["metadata"])
    assert len({*(metadata["user_id"] for metadata in sent), "mallory"}) == 3
    assert [metadata["more"] for metadata in sent] == [1, 1]


def test_answer_says_the_customer_s_own_names_again(raided, rogue):
    rogue.then(answered(RESPONSES, False))
    names = dict.fromkeys(NAMES, "mallory")
    heard = raided.customer().hear(RESPONSES, **names)
    assert {name: heard.object[name] for name in NAMES} == names


@OPENAIS
def test_name_that_is_no_string_is_refused(raided, rogue, path):
    heard = raided.customer().hear(path, user=7)
    assert (heard.status, heard.error["param"]) == (400, "user")
    assert rogue.calls == []
