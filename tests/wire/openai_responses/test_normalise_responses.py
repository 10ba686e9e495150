"""What a model's maker refuses in a Responses request is made acceptable, and nothing else is touched."""

import json
from datetime import date

import msgspec
import pytest

from fakes import responses_strictness
from runapi.core.catalog import Model
from runapi.core.pricing import PriceTable, Rates
from runapi.core.problems import Problem
from runapi.wire.openai_responses.normalise import normalise_responses
from wire.openai_responses.asking import CODEX, TOOL, request

PRICES = PriceTable(standard=Rates(input=1, cached=1, cache_write=1, output=1))
MODEL = Model(
    id="gpt-5.5",
    owned_by="openai",
    released=date(2026, 4, 23),
    context_window=1_050_000,
    max_input_tokens=922_000,
    max_output_tokens=128_000,
    efforts=("none", "low", "medium", "high", "xhigh"),
    default_effort="medium",
    endpoints=("/v1/responses",),
    refused=("stop", "logit_bias"),
    refused_when_reasoning=("temperature", "top_p", "logprobs", "top_logprobs"),
    official=PRICES,
    ours=PRICES,
    source="test",
)
CODEX_MODEL = msgspec.structs.replace(MODEL, id="gpt-5.3-codex", efforts=("low", "medium", "high", "xhigh"))
PLAIN_MODEL = msgspec.structs.replace(MODEL, efforts=(), default_effort=None)
STATELESS = {"store": False, "include": ["reasoning.encrypted_content"]}


def sent(catalogued=MODEL, *, options=None, **fields):
    normal = normalise_responses(request(**fields), catalogued, **options or {})
    return json.loads(normal.encode("up-1")), normal


def test_request_of_codex_goes_on_as_it_is():
    body, normal = sent(**CODEX)
    assert body == CODEX | {"model": "up-1"}
    assert (normal.dropped, normal.effort) == ((), "medium")


def test_what_nobody_here_knows_goes_on_byte_for_byte():
    normal = normalise_responses(request(unheard_of={"a": [1.50]}, input=CODEX["input"]), MODEL)
    assert normal.fields["input"] is not None
    assert bytes(normal.fields["unheard_of"]) == b'{"a": [1.5]}'
    assert json.loads(bytes(normal.fields["input"])) == CODEX["input"]


@pytest.mark.parametrize("store", [True, None, ...])
def test_upstream_keeps_nothing_and_seals_its_reasoning(store):
    body, normal = sent(store=store)
    assert {name: body[name] for name in STATELESS} == STATELESS
    assert normal.dropped == ()
    assert sent(store=store, include=["x"])[0]["include"] == ["x", "reasoning.encrypted_content"]


def test_upstream_may_keep_what_the_client_wants_kept():
    body, _ = sent(options={"is_kept_upstream": True}, store=True)
    assert (body["store"], "include" in body) == (True, False)


def test_model_that_does_not_reason_is_not_asked_for_reasoning():
    body, normal = sent(PLAIN_MODEL, reasoning={"effort": "high"})
    assert body.keys().isdisjoint({"include", "reasoning"})
    assert (normal.dropped, normal.effort) == (("reasoning.effort",), None)
    assert sent(PLAIN_MODEL, reasoning={"effort": "none"})[1].dropped == ()


@pytest.mark.parametrize(
    ("model", "asked", "expected"),
    [
        (MODEL, "none", "none"),
        (MODEL, "minimal", "low"),
        (MODEL, "max", "xhigh"),
        (CODEX_MODEL, "none", "low"),
        (CODEX_MODEL, "high", "high"),
    ],
)
def test_effort_is_clamped_to_what_the_model_has(model, asked, expected):
    body, normal = sent(model, reasoning={"effort": asked, "context": "all_turns"})
    assert body["reasoning"] == {"effort": expected, "context": "all_turns"}
    assert normal.effort == expected
    assert normal.dropped == ()


@pytest.mark.parametrize("reasoning", [None, {}, {"effort": None}, {"context": "all_turns"}])
def test_effort_that_is_not_asked_for_is_the_models_own(reasoning):
    body, normal = sent(reasoning=reasoning)
    assert (body["reasoning"], normal.effort) == (reasoning, "medium")


def test_effort_that_does_not_exist_is_refused():
    with pytest.raises(Problem) as caught:
        sent(reasoning={"effort": "a lot"})
    assert (caught.value.status, caught.value.param) == (400, "reasoning.effort")
    assert "'xhigh'" in caught.value.message


SAMPLING = {
    "temperature": 0.5,
    "top_p": 0.5,
    "top_logprobs": 2,
    "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
}


def test_what_the_model_refuses_is_left_out_and_named():
    body, normal = sent(**SAMPLING, stop=["x"])
    assert body.keys().isdisjoint({"temperature", "top_p", "top_logprobs", "stop"})
    assert body["include"] == ["reasoning.encrypted_content"]
    assert set(normal.dropped) == {"temperature", "top_p", "top_logprobs", "stop", "include"}


def test_what_is_refused_beside_reasoning_is_kept_without_it():
    body, normal = sent(**SAMPLING, reasoning={"effort": "none"})
    assert {name: body[name] for name in SAMPLING} == SAMPLING
    assert normal.dropped == ()


@pytest.mark.parametrize("fields", [{"temperature": 1}, {"top_p": 1.0}, {"top_logprobs": 0}, {"top_p": None}])
def test_what_asks_for_nothing_is_left_out_without_a_word(fields):
    assert sent(**fields)[1].dropped == ()
    assert sent(**fields, options={"strict": True})[0].keys().isdisjoint(fields)


def test_strict_key_is_told_instead():
    with pytest.raises(Problem) as caught:
        sent(options={"strict": True}, temperature=0.5)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "temperature")


@pytest.mark.parametrize(
    ("cap", "expected"), [(None, None), (100, 100), (128_000, 128_000), (500_000, 128_000)]
)
def test_cap_is_at_most_what_the_model_gives(cap, expected):
    assert sent(max_output_tokens=cap)[0]["max_output_tokens"] == expected


@pytest.mark.parametrize(("granted", "expected"), [(None, 100), (50, 50), (3, 16)])
def test_granted_cap_goes_upstream_and_never_less_than_it_takes(granted, expected):
    normal = normalise_responses(request(max_output_tokens=100), MODEL)
    assert json.loads(normal.encode("up-1", granted))["max_output_tokens"] == expected


def test_tools_that_are_not_sold_are_left_out_and_named():
    options = {"refused_tools": frozenset({"web_search"})}
    body, normal = sent(options=options, **CODEX)
    assert body["tools"] == CODEX["tools"][:4]
    assert body["tool_choice"] == "auto"
    assert normal.dropped == ("tools",)
    assert sent(options=options, tools=[TOOL])[1].dropped == ()
    with pytest.raises(Problem):
        sent(options=options | {"strict": True}, **CODEX)


def test_with_the_last_tool_goes_what_cannot_stand_without_one():
    options = {"refused_tools": frozenset({"web_search"})}
    body, _ = sent(
        options=options, tools=[{"type": "web_search"}], tool_choice="required", parallel_tool_calls=True
    )
    assert body.keys().isdisjoint({"tools", "tool_choice", "parallel_tool_calls"})


def test_fields_for_us_alone_and_options_of_no_stream_stay_here():
    body, _ = sent(max_cost=0.05, stream_options={"include_obfuscation": False})
    assert body.keys().isdisjoint({"max_cost", "stream_options"})
    options = {"include_obfuscation": False}
    assert sent(stream=True, stream_options=options)[0]["stream_options"] == options


def test_request_of_the_client_is_not_changed():
    asked = request(**SAMPLING)
    before = dict(asked.fields)
    normalise_responses(asked, MODEL)
    assert asked.fields == before


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "max", None])
@pytest.mark.parametrize(
    "fields", [SAMPLING, {"max_output_tokens": 999_999}, {"max_cost": 1}, {"tools": [TOOL]}]
)
def test_openai_takes_what_comes_out(effort, fields):
    normal = normalise_responses(request(**fields, reasoning={"effort": effort}), MODEL)
    body = json.loads(normal.encode("gpt-5.5-2026-04-23", 100))
    assert responses_strictness.refusal(body, None) is None
