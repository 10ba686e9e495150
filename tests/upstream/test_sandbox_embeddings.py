import base64
import itertools
import json
import math
import struct

import pytest

from fakes import specification
from fakes.sandbox_calls import assert_refused, is_cut, pauses, refusal_of, reply_of
from runapi.upstream.sandbox import embeddings
from runapi.upstream.sandbox.embeddings import MOST_NUMBERS, make_vector
from runapi.upstream.sandbox.plans import Plan
from runapi.wire.tokens import count_text

SMALL = "text-embedding-3-small"


def plan(**fields: object) -> Plan:
    return embeddings.plan(json.dumps({"model": SMALL, "input": "hi", **fields}).encode(), "req_1")


def ask(**fields: object) -> dict:
    reply = reply_of(plan(**fields))
    specification.check_embeddings(reply)
    return reply


def vector(**fields: object) -> list[float]:
    (found,) = ask(**fields)["data"]
    return found["embedding"]


def floats(text: str) -> tuple[float, ...]:
    data = base64.b64decode(text)
    return struct.unpack(f"<{len(data) // 4}f", data)


def as_float(number: float) -> float:
    (found,) = struct.unpack("<f", struct.pack("<f", number))
    return found


@pytest.mark.parametrize(
    ("model", "length"), [(SMALL, 1536), ("text-embedding-3-large", 3072), ("text-embedding-ada-002", 1536)]
)
def test_vector_has_length_one_and_the_models_number_of_dimensions(model, length):
    found = vector(model=model)
    assert len(found) == length
    assert math.hypot(*found) == pytest.approx(1, abs=1e-6)


def test_same_text_gets_the_same_vector_and_another_another():
    texts = ["hi", "ho", "hi"]
    first, other, again = (found["embedding"] for found in ask(input=texts)["data"])
    assert first == again == vector(input="hi")
    assert first != other
    assert first != vector(model="text-embedding-ada-002")


def test_vectors_of_different_texts_lie_apart():
    vectors = [make_vector(text, SMALL, 1536) for text in ("one", "two", "three", "four")]
    for one, other in itertools.combinations(vectors, 2):
        assert abs(sum(a * b for a, b in zip(one, other, strict=True))) < 0.2


def test_base64_holds_the_same_numbers():
    (found,) = ask(encoding_format="base64", dimensions=8)["data"]
    assert floats(found["embedding"]) == tuple(map(as_float, vector(dimensions=8, encoding_format="float")))


def test_fewer_dimensions_can_be_asked_for():
    found = vector(dimensions=256)
    assert len(found) == 256
    assert math.hypot(*found) == pytest.approx(1, abs=1e-6)


def test_several_inputs_are_answered_in_their_order_and_counted_together():
    reply = ask(input=["one", "two words"])
    assert [found["index"] for found in reply["data"]] == [0, 1]
    tokens = count_text("one") + count_text("two words")
    assert reply["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert reply["model"] == SMALL


def test_tokens_are_the_text_they_spell():
    tokens = [24912, 2375]  # "hello", " world" in o200k_base
    assert vector(input=tokens) == vector(input="hello world")
    reply = ask(input=[tokens, [2375]])
    assert reply["usage"]["prompt_tokens"] == 3
    assert reply["data"][1]["embedding"] == vector(input=" world")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": ""}, "input", "invalid_value"),
        ({"input": ["a", ""]}, "input[1]", "invalid_value"),
        ({"input": []}, "input", "empty_array"),
        ({"input": [[]]}, "input[0]", "empty_array"),
        ({"input": 7}, "input", "invalid_type"),
        ({"input": ["a", 7]}, "input[1]", "invalid_type"),
        ({"input": [1, "a"]}, "input[0]", "invalid_type"),
        ({"input": [True]}, "input[0]", "invalid_type"),
        ({"input": [[1.5]]}, "input[0]", "invalid_type"),
        ({"input": [10**9]}, "input", "invalid_value"),
        ({"input": [-1]}, "input", "invalid_value"),
        ({"input": ["a"] * 2049}, "input", "array_above_max_length"),
        ({"input": "a " * 9000}, "input", None),
        ({"encoding_format": "hex"}, "encoding_format", "invalid_value"),
        ({"dimensions": 0}, "dimensions", "integer_below_min_value"),
        ({"dimensions": 1537}, "dimensions", None),
        ({"dimensions": 5, "model": "text-embedding-ada-002"}, "dimensions", None),
        ({"input": "[[sandbox:dance]]"}, "input", "invalid_value"),
    ],
)
def test_parameter_that_openai_refuses_is_refused(fields, param, code):
    assert_refused(refusal_of(plan(**fields), 400), param, code)


def test_more_numbers_than_one_reply_can_hold_are_refused():
    most = MOST_NUMBERS // 1536
    assert refusal_of(plan(input=["a"] * (most + 1)), 400)["param"] == "input"
    assert plan(input=["a"] * most, encoding_format="base64").status == 200


def test_directives_are_followed():
    found = plan(input=["hi", "[[sandbox:status 429 retry_after=3]]"])
    assert refusal_of(found, 429)["code"] == "rate_limit_exceeded"
    assert pauses(plan(input="[[sandbox:delay 2]]")) == [2.0]
    assert is_cut(plan(input="[[sandbox:cut_after 1]]"))
    assert ask(input="[[sandbox:reply hi]]")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"model": "m", "input": {"a": 1}}'])
def test_any_body_gets_a_refusal(body):
    assert refusal_of(embeddings.plan(body, "req_1"), 400)
