"""What is read of a Responses request, and what is refused with which words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import specification
from runapi.core.problems import Problem
from runapi.wire.openai_responses.request import read_responses_request
from wire.openai_responses.asking import CODEX, body, request

MESSAGE = {"role": "user", "content": "Hi"}


def problem_of(data):
    try:
        read_responses_request(data)
    except Problem as problem:
        return problem
    return None


def refusal(data):
    with pytest.raises(Problem) as caught:
        read_responses_request(data)
    specification.check_error(caught.value.body())
    assert caught.value.status == 400
    return caught.value


def test_request_of_codex_is_read_and_kept_whole():
    read = request(**CODEX)
    assert (read.model, read.stream, read.effort, read.store) == ("gpt-5.5", True, "medium", False)
    assert read.tool_types == {"function", "custom", "tool_search", "namespace", "web_search"}
    assert "new_kind_of_item" in read.item_types
    assert {name: json.loads(bytes(raw)) for name, raw in read.fields.items()} == CODEX
    assert [json.loads(bytes(raw))[0]["text"] for raw in read.part_lists] == ["Be brief.", "List the files."]


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": ...}, "model", "missing_required_parameter"),
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": 5}, "model", "invalid_type"),
        ({"input": ...}, "input", "missing_required_parameter"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": []}, "input", "empty_array"),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": {}}, "input", "invalid_type"),
        ({"input": True}, "input", "invalid_type"),
        ({"input": ["Hi"]}, "input[0]", "invalid_type"),
        ({"input": [MESSAGE, {}]}, "input[1].role", "missing_required_parameter"),
        ({"input": [{"type": "message", "content": "x"}]}, "input[0].role", "missing_required_parameter"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role", "invalid_value"),
        ({"input": [{"role": 5, "content": "x"}]}, "input[0].role", "invalid_type"),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter"),
        ({"input": [{"role": "user", "content": None}]}, "input[0].content", "missing_required_parameter"),
        ({"input": [{"role": "user", "content": 5}]}, "input[0].content", "invalid_type"),
        ({"input": [{"type": 5}]}, "input[0].type", "invalid_type"),
        ({"instructions": ["x"]}, "instructions", "invalid_type"),
        ({"background": True}, "background", "unsupported_parameter"),
        ({"background": "yes"}, "background", "invalid_type"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"conversation": {"id": "conv_1"}}, "conversation", "unsupported_parameter"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported_parameter"),
        ({"include": "all"}, "include", "invalid_type"),
        ({"include": [1]}, "include[0]", "invalid_type"),
        ({"max_output_tokens": 15}, "max_output_tokens", "invalid_value"),
        ({"max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
        ({"max_output_tokens": 10**30}, "max_output_tokens", "invalid_value"),
        ({"max_output_tokens": 99.5}, "max_output_tokens", "invalid_type"),
        ({"max_output_tokens": "100"}, "max_output_tokens", "invalid_type"),
        ({"max_tool_calls": "3"}, "max_tool_calls", "invalid_type"),
        ({"metadata": []}, "metadata", "invalid_type"),
        ({"metadata": {"a": 1}}, "metadata", "invalid_type"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata", "invalid_value"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls", "invalid_type"),
        ({"previous_response_id": 5}, "previous_response_id", "invalid_type"),
        ({"prompt_cache_key": 5}, "prompt_cache_key", "invalid_type"),
        ({"reasoning": "high"}, "reasoning", "invalid_type"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort", "invalid_type"),
        ({"reasoning": {"summary": True}}, "reasoning.summary", "invalid_type"),
        ({"safety_identifier": 5}, "safety_identifier", "invalid_type"),
        ({"service_tier": 1}, "service_tier", "invalid_type"),
        ({"store": "yes"}, "store", "invalid_type"),
        ({"stream": 1}, "stream", "invalid_type"),
        ({"stream_options": []}, "stream_options", "invalid_type"),
        (
            {"stream_options": {"include_obfuscation": 1}},
            "stream_options.include_obfuscation",
            "invalid_type",
        ),
        ({"temperature": 2.5}, "temperature", "invalid_value"),
        ({"temperature": -1}, "temperature", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"text": "short"}, "text", "invalid_type"),
        ({"text": {"format": "json"}}, "text.format", "invalid_type"),
        ({"text": {"format": {}}}, "text.format.type", "missing_required_parameter"),
        ({"text": {"verbosity": 1}}, "text.verbosity", "invalid_type"),
        ({"tool_choice": 1}, "tool_choice", "invalid_type"),
        ({"tools": {}}, "tools", "invalid_type"),
        ({"tools": [1]}, "tools[0]", "invalid_type"),
        ({"tools": [{"name": "f"}]}, "tools[0].type", "missing_required_parameter"),
        ({"top_logprobs": 21}, "top_logprobs", "invalid_value"),
        ({"top_p": 1.5}, "top_p", "invalid_value"),
        ({"truncation": "some"}, "truncation", "invalid_value"),
        ({"user": {}}, "user", "invalid_type"),
    ],
)
def test_wrong_value_is_refused_by_its_name(fields, param, code):
    problem = refusal(body(**fields))
    assert (problem.param, problem.code) == (param, code)
    assert f"'{param}'" in problem.message


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"model":"x","input":"y",}', "invalid_json"),
        (b'{"model":"x","input":"\xff"}', "invalid_json"),
        (b'{"model":"x","input":"y","new":NaN}', "invalid_json"),
        (b'{"model":"x","input":"y","top_p":1e999}', "invalid_value"),
        (b"[]", "invalid_type"),
        (b'"text"', "invalid_type"),
        (b"7", "invalid_type"),
        (b"null", "invalid_type"),
        (b'{"model":"x","input":' + b"[" * 100_000, "invalid_json"),
    ],
)
def test_what_is_no_object_is_refused(data, code):
    assert refusal(data).code == code


def test_words_that_are_allowed_are_named():
    assert "'auto', 'disabled'" in refusal(body(truncation="some")).message
    assert "'developer'" in refusal(body(input=[{"role": "tool", "content": ""}])).message


@pytest.mark.parametrize(
    "fields",
    [
        {"background": False, "conversation": None, "prompt": None},
        {"max_output_tokens": 16},
        {"reasoning": {"effort": "none", "context": "all_turns", "mode": "pro"}},
        {"reasoning": {"effort": "whatever"}},  # the catalogue's business
        {"input": [{"id": "msg_1"}]},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"input": [{"type": "unheard_of", "content": 7, "output": [1]}]},
        {"input": [], "previous_response_id": "resp_1"},
        {"input": ..., "previous_response_id": "resp_1"},
        {"tools": [{"type": "unheard_of", "name": 7}], "tool_choice": {"type": "unheard_of"}},
        {"include": ["unheard.of"], "service_tier": "ultrafast", "unheard_of": [1]},
        {"truncation": "auto", "temperature": 2, "top_p": 0, "top_logprobs": 20},
        dict.fromkeys(("instructions", "tools", "text", "reasoning", "metadata", "include", "stream")),
    ],
)
def test_what_an_upstream_may_understand_is_let_through(fields):
    asked = {"model": "gpt-5.5", "input": "Hello"} | fields
    kept = {name: value for name, value in asked.items() if value is not ...}
    assert {name: json.loads(bytes(raw)) for name, raw in request(**fields).fields.items()} == kept


def test_key_that_stands_twice_counts_with_its_last_value():
    read = read_responses_request(b'{"model":5,"input":"a","model":"gpt-5.5","input":"b"}')
    assert (read.model, bytes(read.fields["input"])) == ("gpt-5.5", b'"b"')


def test_answers_are_kept_unless_the_client_says_no():
    assert request().store
    assert request(store=None).store
    assert not request(store=False).store


def test_half_a_character_is_mended():
    read = read_responses_request(rb'{"model":"gpt-5.5","input":"cut \ud83d here"}')
    assert json.loads(bytes(read.fields["input"])) == "cut � here"


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(data):
    problem = problem_of(data)
    assert problem is None or problem.status == 400


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*CODEX, "metadata", "truncation", "top_p"]), VALUES, max_size=5))
def test_no_values_break_the_reader(fields):
    problem = problem_of(body(**fields))
    assert problem is None or (problem.status == 400 and problem.param is not None)
