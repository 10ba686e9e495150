import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import specification
from fakes.any_json import any_json
from fakes.sandbox_calls import assert_refused, is_cut, kinds, pauses, refusal_of, reply_of, streamed_by
from runapi.upstream.sandbox import completions
from runapi.upstream.sandbox.plans import Cut, Plan, Send
from runapi.wire.tokens import count_text

MODEL = "gpt-3.5-turbo-instruct"


def plan(prompt: object = "Say hi", **fields: object) -> Plan:
    body = {"model": MODEL, "prompt": prompt, **fields}
    return completions.plan(json.dumps(body).encode(), "req_1", 1_700_000_000)


def ask(prompt: object = "Say hi", **fields: object) -> dict:
    reply = reply_of(plan(prompt, **fields))
    specification.check_completion(reply)
    return reply


def texts(reply: dict) -> list[str]:
    return [choice["text"] for choice in reply["choices"]]


def stream(prompt: object = "Say hi", **fields: object) -> list[dict]:
    *sent, done = streamed_by(plan(prompt, stream=True, **fields))
    assert done == b"data: [DONE]\n\n"
    chunks = [json.loads(data.removeprefix(b"data: ")) for data in sent]
    for chunk in chunks:
        specification.check_completion_chunk(chunk)
    return chunks


def test_answer_is_text_of_sixteen_tokens_unless_more_are_asked_for():
    reply = ask()
    assert (reply["object"], reply["model"]) == ("text_completion", MODEL)
    (choice,) = reply["choices"]
    assert choice["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == count_text(choice["text"]) == 16
    assert reply["usage"]["prompt_tokens"] == count_text("Say hi")
    whole = ask(max_tokens=100)
    assert '"Say hi"' in texts(whole)[0]
    assert whole["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"max_tokens": 100},
        {"n": 3},
        {"echo": True},
        {"logprobs": 2},
        {"stop": " from"},
        {"prompt": ["one", "[[sandbox:reply two]]"], "n": 2, "echo": True},
        {"prompt": "[[sandbox:chunks 20]]", "max_tokens": 50},
        {"max_tokens": 0, "echo": True},
    ],
)
def test_stream_put_together_is_the_whole_answer(fields):
    reply, chunks = ask(**fields), stream(**fields, stream_options={"include_usage": True})
    for choice in reply["choices"]:
        parts = [part for chunk in chunks for part in chunk["choices"] if part["index"] == choice["index"]]
        assert "".join(part["text"] for part in parts) == choice["text"]
        assert [part["finish_reason"] for part in parts][-1] == choice["finish_reason"]
        assert all(part["finish_reason"] is None for part in parts[:-1])
        if choice["logprobs"]:
            for key, found in choice["logprobs"].items():
                assert found == [one for part in parts if part["logprobs"] for one in part["logprobs"][key]]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == reply["usage"]
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert len({chunk["id"] for chunk in chunks} | {reply["id"]}) == 1


def test_stream_without_the_option_says_nothing_of_usage():
    assert not any("usage" in chunk for chunk in stream())


def test_every_prompt_gets_its_answers_in_order():
    reply = ask(["one", "two"], n=2, max_tokens=100)
    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2, 3]
    assert [word in text for word, text in zip(("one", "one", "two", "two"), texts(reply), strict=True)] == [
        True
    ] * 4
    assert len(set(texts(reply))) == 4
    assert reply["usage"]["prompt_tokens"] == count_text("one") + count_text("two")
    assert reply["usage"]["completion_tokens"] == sum(map(count_text, texts(reply)))


def test_tokens_are_the_text_they_spell():
    assert texts(ask([24912, 2375], max_tokens=90)) == texts(ask("hello world", max_tokens=90))
    assert len(texts(ask([[24912], [2375]]))) == 2


def test_echo_gives_the_prompt_back_before_the_answer():
    assert texts(ask("Once [[sandbox:reply upon]]", echo=True)) == ["Once [[sandbox:reply upon]]upon"]
    reply = ask("Only this", echo=True, max_tokens=0)
    assert texts(reply) == ["Only this"]
    assert reply["usage"]["completion_tokens"] == 0


def test_best_of_counts_all_that_were_made():
    best, alone = ask(best_of=3), ask(n=3)
    assert len(best["choices"]) == 1
    assert texts(best)[0] == texts(alone)[0]
    assert best["usage"] == alone["usage"]


def test_stop_sequence_ends_the_answer_before_it():
    reply = ask("[[sandbox:reply one, two; three]]", stop=[";", "four"])
    assert (texts(reply), reply["choices"][0]["finish_reason"]) == (["one, two"], "stop")


def test_log_probabilities_stand_where_their_tokens_do():
    (choice,) = ask("[[sandbox:reply one two three]]", logprobs=3)["choices"]
    found = choice["logprobs"]
    assert found["tokens"] == ["one", " two", " three"]
    assert found["text_offset"] == [0, 3, 7]
    assert all(len(tops) == 3 for tops in found["top_logprobs"])
    assert [tops[token] for tops, token in zip(found["top_logprobs"], found["tokens"], strict=True)] == found["token_logprobs"]  # fmt: skip


def test_no_prompt_is_an_empty_one():
    assert ask(None)["usage"]["prompt_tokens"] == 0


def test_suffix_is_counted():
    assert ask(suffix=" the end")["usage"]["prompt_tokens"] == count_text("Say hi") + count_text(" the end")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"prompt": []}, "prompt", "empty_array"),
        ({"prompt": [[]]}, "prompt[0]", "empty_array"),
        ({"prompt": 5}, "prompt", "invalid_type"),
        ({"prompt": ["a", 5]}, "prompt[1]", "invalid_type"),
        ({"prompt": [[1, "a"]]}, "prompt[0]", "invalid_value"),
        ({"prompt": [10**9]}, "prompt", "invalid_value"),
        ({"prompt": ["a"] * 100, "n": 2}, "prompt", "invalid_value"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 2, "best_of": 1}, "best_of", None),
        ({"best_of": 2, "stream": True}, "best_of", None),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"logprobs": 6}, "logprobs", "integer_above_max_value"),
        ({"logprobs": 1, "echo": True}, "logprobs", None),
        ({"stop": ["a"] * 5}, "stop", "array_above_max_length"),
        ({"suffix": 1}, "suffix", "invalid_type"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"prompt": "[[sandbox:dance]]"}, "prompt", "invalid_value"),
        ({"prompt": f"[[sandbox:reply {'x ' * 9000}]]", "echo": True, "n": 128, "max_tokens": 9000}, "n", "invalid_value"),
        ({"prompt": "x" * 10_000, "echo": True, "n": 128}, "prompt", "invalid_value"),
    ],
)  # fmt: skip
def test_parameter_that_openai_refuses_is_refused(fields, param, code):
    assert_refused(refusal_of(plan(**fields), 400), param, code)


def test_directives_are_followed():
    assert refusal_of(plan(["hi", "[[sandbox:status 503]]"]), 503)["code"] == "server_is_overloaded"
    said = "[[sandbox:chunks 10 interval_ms=20]][[sandbox:delay 1]]"
    assert pauses(plan(said, max_tokens=90, stream=True)) == [1.0] + [0.02] * 9
    assert kinds(list(plan("[[sandbox:cut_after 2]]", stream=True).events)) == [Send, Send, Cut]
    assert is_cut(plan("[[sandbox:cut_after 2]]"))
    assert "can't help" in texts(ask("[[sandbox:refuse]]"))[0]
    usage = ask("[[sandbox:reasoning 5]] [[sandbox:cached 3]]")["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 5
    assert usage["prompt_tokens_details"]["cached_tokens"] == 3


FIELDS = "model prompt stream stream_options n best_of echo logprobs max_tokens stop suffix temperature"


@settings(deadline=None, max_examples=200)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS.split(), any_json(leaves=6))))
def test_any_json_gets_a_reply_or_a_refusal(fields):
    found = completions.plan(json.dumps({"model": MODEL, "prompt": "hi", **fields}).encode(), "req_1", 1)
    sent = b"".join(event.data for event in found.events)
    if found.status == 400:
        specification.check_error(json.loads(sent))
    elif found.headers["content-type"] == "application/json":
        specification.check_completion(json.loads(sent))
    else:
        assert sent.endswith(b"data: [DONE]\n\n")
