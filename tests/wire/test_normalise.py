"""A request as the model's maker accepts it, with nothing else touched."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.core.problems import Problem
from runapi.wire.catalog_file import package_catalog
from runapi.wire.normalise import normalise
from runapi.wire.openai_chat.request import read_chat_request

MODELS = package_catalog().models
MESSAGES = [{"role": "user", "content": "Hi"}]


def send(model="gpt-5.5", *, strict=False, **fields):
    request = read_chat_request(json.dumps({"model": model, "messages": MESSAGES} | fields).encode())
    made = normalise(request, MODELS[model], strict=strict)
    return json.loads(made.encode("their-name")), made.dropped


def test_the_products_own_sample_request_becomes_one_that_openai_accepts():
    body, dropped = send(temperature=0.3, max_tokens=1024)
    assert body == {"model": "their-name", "messages": MESSAGES, "max_completion_tokens": 1024}
    assert dropped == ("temperature",)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("effort", [None, "none", "minimal", "low", "medium", "high", "xhigh", "max"])
def test_sampling_parameters_stay_exactly_where_no_reasoning_happens(model, effort):
    body, dropped = send(
        model, temperature=0.3, top_p=0.5, **({"reasoning_effort": effort} if effort else {})
    )
    sent = body.get("reasoning_effort", MODELS[model].default_effort)
    assert sent in MODELS[model].efforts
    assert ("temperature" in body, "top_p" in body) == (sent == "none",) * 2
    assert dropped == (() if sent == "none" else ("temperature", "top_p"))


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("gpt-5.5", "minimal", "low"),
        ("gpt-5.5", "max", "xhigh"),
        ("gpt-5.5", "none", "none"),
        ("gpt-5.3-codex", "none", "low"),
        ("gpt-5.3-codex", "high", "high"),
    ],
)
def test_effort_is_clamped_to_what_the_model_has(model, asked, sent):
    assert send(model, reasoning_effort=asked)[0]["reasoning_effort"] == sent


def test_an_effort_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(Problem) as caught:
        send(reasoning_effort="extreme")
    assert (caught.value.status, caught.value.param) == (400, "reasoning_effort")
    assert "'medium'" in caught.value.message


@pytest.mark.parametrize(
    ("fields", "cap"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({"max_tokens": None, "max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": None}, 5),
        ({"max_completion_tokens": 500_000}, 128_000),
        ({"max_tokens": 500_000}, 128_000),
    ],
)
def test_the_output_cap_is_renamed_and_clamped(fields, cap):
    body, dropped = send(**fields)
    assert body["max_completion_tokens"] == cap
    assert "max_tokens" not in body
    assert dropped == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"stop": None},
        {"stop": []},
        {"presence_penalty": 0},
        {"frequency_penalty": 0.0},
        {"logit_bias": {}},
        {"temperature": 1},
        {"top_p": 1.0},
        {"logprobs": False},
        {"modalities": ["text"]},
    ],
)
def test_a_refused_parameter_without_effect_is_left_out_in_silence(fields):
    body, dropped = send(**fields, strict=True)
    assert body == {"model": "their-name", "messages": MESSAGES}
    assert dropped == ()


@pytest.mark.parametrize("name", ["presence_penalty", "logit_bias", "prediction", "temperature"])
def test_a_strict_key_is_told_what_a_lax_one_finds_in_a_header(name):
    value = {"logit_bias": {"1": 1}, "prediction": {"type": "content", "content": "x"}}.get(name, 0.5)
    assert send(**{name: value})[1] == (name,)
    with pytest.raises(Problem) as caught:
        send(**{name: value}, strict=True)
    assert (caught.value.status, caught.value.param, caught.value.code) == (
        400,
        name,
        "unsupported_parameter",
    )


def test_stop_sequences_that_the_model_refuses_are_to_be_enforced_here():
    request = read_chat_request(
        json.dumps({"model": "gpt-5.5", "messages": MESSAGES, "stop": ["a", "b"]}).encode()
    )
    sent = normalise(request, MODELS["gpt-5.5"], strict=True)
    assert (sent.stops, sent.dropped) == (("a", "b"), ())
    assert "stop" not in sent.fields


def test_stop_sequences_of_several_answers_are_left_out_and_named():
    assert send(stop="x", n=2)[1] == ("stop",)


@pytest.mark.parametrize("written", ["[]", "[ ]", "[\n]"])
def test_empty_tools_go_and_take_with_them_what_needs_tools(written):
    text = f'{{"model":"gpt-5.5","messages":[{{"role":"user","content":""}}],"tools":{written},"tool_choice":"auto"}}'
    request = read_chat_request(text.encode())
    assert set(normalise(request, MODELS["gpt-5.5"]).fields) == {"model", "messages"}


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, {"include_usage": True}),
        ({"stream_options": None}, {"include_usage": True}),
        ({"stream_options": {"include_usage": False}}, {"include_usage": True}),
        (
            {"stream_options": {"include_obfuscation": False}},
            {"include_obfuscation": False, "include_usage": True},
        ),
    ],
)
def test_the_upstream_is_always_asked_for_usage(options, sent):
    assert send(stream=True, **options)[0]["stream_options"] == sent


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    name=st.text(min_size=1).map(lambda text: "x_" + text),
    value=json_values,
    indent=st.sampled_from([None, 0, 3]),
)
def test_fields_that_nobody_knows_go_on_byte_for_byte(name, value, indent):
    raw = json.dumps(value, ensure_ascii=False, indent=indent)
    text = f'{{"model":"gpt-5.5",{json.dumps(name)}:{raw},"messages":[{{"role":"user","content":"é"}}]}}'
    made = normalise(read_chat_request(text.encode()), MODELS["gpt-5.5"])
    assert bytes(made.fields[name]) == raw.encode()
    assert raw.encode() in made.encode("m")
    assert '[{"role":"user","content":"é"}]'.encode() in made.encode("m")
