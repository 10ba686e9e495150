"""Reasoning comes back through a client as it left, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.wire.anthropic.signature import (
    MOST_BYTES,
    is_claudes,
    open_seal,
    read_signature,
    seal_redacted,
    seal_thinking,
    sign,
)
from runapi.wire.neutral import Reasoning

NAMES = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
OPAQUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=50)


@given(item_id=NAMES, origin=NAMES, encrypted=OPAQUE, thinking=st.text(max_size=20))
def test_what_was_signed_is_read_again(item_id, origin, encrypted, thinking):
    item = Reasoning(item_id, encrypted, (thinking,) if thinking else (), origin)
    signature = sign(item)
    assert signature.startswith("runapi1:")
    assert signature.isascii()
    assert read_signature(signature, thinking) == item


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "EqQBCgIYAhIM",
        "runapi2:a:b:c",
        "runapi1:",
        "runapi1:::",
        "runapi1:a:b",
        "runapi1:a:b:c d",
        "runapi1:a:b:\u00e9",
        "runapi1:a:b:" + "x" * MOST_BYTES,
    ],
)
def test_what_nobody_signed_so_is_somebody_elses(signature):
    assert read_signature(signature, "Hm.") is None


@pytest.mark.parametrize("encrypted", ["x" * MOST_BYTES, "a b", "\u00e9", None])
def test_what_cannot_be_carried_leaves_an_empty_signature(encrypted):
    signature = sign(Reasoning("rs_1", encrypted))
    assert len(signature) < 30
    assert read_signature(signature, "") is None


@given(signature=OPAQUE, thinking=st.text(max_size=20))
def test_a_claude_models_thinking_comes_back_whole(signature, thinking):
    item = seal_thinking(signature, thinking)
    assert is_claudes(item.encrypted)
    assert open_seal(item) == {"type": "thinking", "thinking": thinking, "signature": signature}


def test_thinking_whose_text_was_changed_is_left_out():
    item = seal_thinking("c2ln", "Hm.")
    assert open_seal(Reasoning(item.id, item.encrypted, ("Ha.",))) is None
    assert open_seal(Reasoning(item.id, item.encrypted, ())) is None
    assert open_seal(Reasoning(item.id, item.encrypted, ("H", "m."))) is not None


def test_redacted_thinking_comes_back_whole():
    assert open_seal(seal_redacted("abc:d=")) == {"type": "redacted_thinking", "data": "abc:d="}


def test_what_no_claude_model_thought_is_not_given_to_one():
    for item in (Reasoning("rs_1", "gAAAA"), Reasoning("rs_1", None), Reasoning("rs_1", "claude1:x:y")):
        assert open_seal(item) is None
    assert not is_claudes("gAAAA")


def test_a_thought_without_signature_or_too_long_carries_nothing():
    assert seal_thinking("", "Hm.").encrypted is None
    assert seal_thinking("x" * MOST_BYTES, "Hm.").encrypted is None
    assert seal_redacted("x" * MOST_BYTES).encrypted is None
