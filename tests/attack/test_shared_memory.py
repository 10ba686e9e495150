"""What is kept in memory for all keys is not one key's to fill."""

import sys

import pytest

from runapi.core.keys import Mode, digest, make_key
from runapi.core.problems import Problem
from runapi.flows.authenticate import MOST_REMEMBERED, Keyring
from runapi.wire.neutral import Reasoning
from runapi.wire.reasoning_memory import ReasoningMemory, Thought
from stored.answers import principal

PEPPER = b"pepper"
KEY = make_key(Mode.LIVE, bytes(range(64)))


@pytest.fixture
def keyring() -> Keyring:
    made = Keyring(PEPPER)
    made.load({digest(KEY, PEPPER): principal()})
    return made


def test_key_in_much_white_space_is_let_in_and_not_remembered(keyring: Keyring) -> None:
    header = b"Bearer " + b" " * 30_000 + KEY.encode()
    before = sys.getrefcount(header)
    assert keyring.authenticate(header, None).account_id == 1
    assert sys.getrefcount(header) == before


def test_key_in_many_spellings_does_not_keep_others_from_being_remembered(keyring: Keyring) -> None:
    for number in range(MOST_REMEMBERED + 1):
        gap = "".join(" \t"[number >> place & 1] for place in range(14))
        keyring.authenticate(f"Bearer {gap}{KEY}".encode(), None)
    header = f"Bearer {KEY}".encode()
    before = sys.getrefcount(header)
    keyring.authenticate(header, None)
    assert sys.getrefcount(header) > before


def test_key_that_is_remembered_is_refused_once_it_is_revoked(keyring: Keyring) -> None:
    header = f"Bearer {KEY}".encode()
    keyring.authenticate(header, None)
    keyring.load({})
    with pytest.raises(Problem):
        keyring.authenticate(header, None)


def thought(size: int, *call_ids: str) -> Thought:
    return Thought((Reasoning("rs_1", "e" * size),), call_ids)


def test_long_thoughts_of_one_key_do_not_push_out_those_of_others() -> None:
    memory = ReasoningMemory(most_entries=20_000, most_bytes=1_000_000, most_per_key=2_000, most_age_s=3_600)
    memory.keep("other", "1:m", thought(1_000, "call_other"), 0.0)
    for number in range(100):
        memory.keep("raider", "1:m", thought(50_000, f"call_{number}"), 1.0)
    assert memory.find("other", "1:m", "call_other", 2.0) is not None
    assert memory.find("raider", "1:m", "call_99", 2.0) is not None
    assert memory.find("raider", "1:m", "call_0", 2.0) is None
    assert memory.size_bytes < 200_000


def test_one_thought_before_many_calls_does_not_push_out_those_of_others() -> None:
    memory = ReasoningMemory(most_entries=20_000, most_bytes=1_000_000, most_per_key=2_000, most_age_s=3_600)
    memory.keep("other", "1:m", thought(1_000, "call_other"), 0.0)
    memory.keep("raider", "1:m", thought(20_000, *(f"call_{number}" for number in range(128))), 1.0)
    assert memory.find("other", "1:m", "call_other", 2.0) is not None
    assert memory.find("raider", "1:m", "call_127", 2.0) is not None


def test_thought_that_is_longer_than_a_share_is_kept_alone() -> None:
    memory = ReasoningMemory(most_entries=20_000, most_bytes=1_000_000, most_per_key=2_000, most_age_s=3_600)
    for number in range(3):
        memory.keep("key", "1:m", thought(400_000, f"call_{number}"), 1.0)
        assert len(memory) == 1
    assert memory.find("key", "1:m", "call_2", 2.0) is not None
