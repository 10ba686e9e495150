"""A field that another reader of JSON would take for a known one never gets past the hold to an upstream."""

import json

import pytest

from dialects.town import CHAT, CLAUDE, HELLO, MESSAGES, RESPONSES

EMBEDDINGS = "/v1/embeddings"


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        (CHAT, "MODEL", "gpt-5.5"),
        (CHAT, "Max_Completion_Tokens", 128_000),
        (CHAT, "N", 100),
        (CHAT, "Service_Tier", "priority"),
        (CHAT, "\u017ftream", True),  # a long s, which folds to s
        (CHAT, "max_to\u212aens", 128_000),  # the sign of Kelvin, which folds to k
        (RESPONSES, "Max_Output_Tokens", 128_000),
        (RESPONSES, "Tools", [{"type": "web_search"}]),
        (RESPONSES, "Store", True),
        (MESSAGES, "Speed", "fast"),
        (MESSAGES, "Max_Tokens", 128_000),
        (EMBEDDINGS, "Input", ["x" * 1000]),
    ],
)
def test_field_that_some_upstreams_take_for_another_is_refused(raided, rogue, path, field, value):
    asked = {"model": "text-embedding-3-small", "input": "x"} if path == EMBEDDINGS else HELLO[path]
    customer = raided.customer()
    for written in ({**asked, field: value}, {field: value, **asked}):
        heard = customer.hear(path, written)
        assert heard.status == 400
        assert field in heard.error["message"]
    assert rogue.calls == []
    assert customer.spent_nano == 0


def test_model_of_another_price_cannot_be_had_by_a_capital_letter(raided, rogue):
    customer = raided.customer()
    heard = customer.hear(CHAT, {**HELLO[CHAT], "model": "gpt-5.4-nano", "MODEL": "gpt-5.5"})
    assert heard.status == 400
    assert heard.error["code"] == "unknown_parameter"
    assert heard.error["param"] == "MODEL"
    assert rogue.calls == []


@pytest.mark.parametrize("field", ["providerOptions", "X", "x-own", "\u00fcber", "Modell"])
def test_field_that_is_like_none_is_passed_on(raided, rogue, field):
    assert raided.customer().hear(CHAT, {**HELLO[CHAT], field: {"deep": [1]}}).status == 200
    assert rogue.calls[-1].json[field] == {"deep": [1]}


@pytest.mark.parametrize(
    "options",
    [
        '{"include_usage":true,"Include_Usage":false}',
        '{"include_usage":true,"\\u0049nclude_usage":false}',
        '{"include_usage":false,"INCLUDE_USAGE":false}',
    ],
)
def test_wish_for_usage_cannot_be_taken_back_by_a_look_alike(raided, rogue, options):
    asked = json.dumps({**HELLO[CHAT], "stream": True})[:-1] + f',"stream_options":{options}}}'
    assert raided.customer().hear(CHAT, asked.encode()).is_whole
    assert rogue.calls[-1].json["stream_options"] == {"include_usage": True}


def test_other_options_of_a_stream_stay(raided, rogue):
    options = {"include_usage": True, "include_obfuscation": False, "newer": {"a": 1}}
    assert raided.customer().hear(CHAT, stream=True, stream_options=options).is_whole
    assert rogue.calls[-1].json["stream_options"] == options


def test_look_alike_of_a_claude_model_is_refused_as_anthropic_would(raided, rogue):
    heard = raided.customer().hear(MESSAGES, model=CLAUDE, Fallbacks=[{"model": "dearer"}])
    assert heard.status == 400
    assert heard.json["type"] == "error"
    assert rogue.calls == []
