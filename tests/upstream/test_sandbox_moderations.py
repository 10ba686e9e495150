import json

import pytest

from fakes import specification
from fakes.sandbox_calls import assert_refused, is_cut, pauses, refusal_of, reply_of
from runapi.upstream.sandbox import moderations
from runapi.upstream.sandbox.plans import Plan

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def plan(asked: object, **fields: object) -> Plan:
    return moderations.plan(json.dumps({"input": asked, **fields}).encode(), "req_1")


def ask(asked: object, **fields: object) -> dict:
    reply = reply_of(plan(asked, **fields))
    specification.check_moderation(reply)
    return reply


def test_text_is_not_flagged_and_the_same_text_gets_the_same_scores():
    (first,), (again,), (other,) = (ask(text)["results"] for text in ("hi", "hi", "ho"))
    assert first == again
    assert not first["flagged"]
    assert not any(first["categories"].values())
    assert all(0 < score < 0.01 for score in first["category_scores"].values())
    assert first["category_scores"] != other["category_scores"]


def test_text_with_the_refuse_directive_is_flagged():
    plain, flagged = ask(["hi", "[[sandbox:refuse]]"])["results"]
    assert (plain["flagged"], flagged["flagged"]) == (False, True)
    assert [name for name, is_so in flagged["categories"].items() if is_so] == ["harassment"]
    assert flagged["category_scores"]["harassment"] > 0.9


def test_parts_are_judged_together_and_an_image_is_told_of():
    (found,) = ask([{"type": "text", "text": "hi"}, IMAGE])["results"]
    assert found["category_applied_input_types"]["violence"] == ["text", "image"]
    assert found["category_applied_input_types"]["hate"] == ["text"]
    (text_only,) = ask("hi")["results"]
    assert text_only["category_applied_input_types"]["violence"] == ["text"]


def test_model_is_the_one_asked_for_or_the_usual_one():
    assert ask("hi")["model"] == "omni-moderation-latest"
    assert ask("hi", model="omni-moderation-2024-09-26")["model"] == "omni-moderation-2024-09-26"


@pytest.mark.parametrize(
    ("asked", "param", "code"),
    [
        (None, "input", "missing_required_parameter"),
        (5, "input", "invalid_type"),
        ([], "input", "empty_array"),
        (["a", 5], "input[1]", "invalid_type"),
        ([5], "input[0]", "invalid_type"),
        ([{"type": "audio"}], "input[0].type", "invalid_value"),
        ([{"type": "text"}], "input[0].text", "missing_required_parameter"),
        ([{"type": "image_url", "image_url": {}}], "input[0].image_url.url", "missing_required_parameter"),
        (["a"] * 1001, "input", "invalid_value"),
        ("[[sandbox:dance]]", "input", "invalid_value"),
    ],
)
def test_input_that_openai_refuses_is_refused(asked, param, code):
    assert_refused(refusal_of(plan(asked), 400), param, code)


def test_directives_are_followed():
    assert refusal_of(plan(["hi", "[[sandbox:status 500]]"]), 500)
    assert pauses(plan("[[sandbox:delay 3]]")) == [3.0]
    assert is_cut(plan("[[sandbox:cut_after 1]]"))
