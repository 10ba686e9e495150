"""A key that is refused again and again is answered from memory for a while, and never for longer than is true."""

import pytest

from runapi.core.limit_problems import insufficient_credits
from runapi.core.throttle import (
    FORGET_AFTER_US,
    LONGEST_REST_US,
    MOST_KEYS,
    REFUSALS_UNTIL_REST,
    Throttle,
)

SECOND_US = 1_000_000


def broke():
    return insufficient_credits(5, 1, "Top up at https://example.com.")


def storm(
    throttle: Throttle, count: int, *, key_id: int = 1, start_us: int = 0, lasts_us: int | None = None
) -> int:
    """`count` worked refusals, a second apart, and the moment of the last."""
    for number in range(count):
        throttle.note_refusal(key_id, 7, broke(), start_us + number * SECOND_US, lasts_us)
    return start_us + (count - 1) * SECOND_US


def test_first_refusals_are_worked_out():
    throttle = Throttle()
    at_us = storm(throttle, REFUSALS_UNTIL_REST - 1)
    assert throttle.repeat(1, at_us) is None


def test_after_some_refusals_the_same_answer_comes_from_memory():
    throttle = Throttle()
    at_us = storm(throttle, REFUSALS_UNTIL_REST)
    repeated = throttle.repeat(1, at_us + 1)
    assert repeated is not None
    assert repeated.body() == broke().body()
    assert (repeated.status, repeated.should_retry, repeated.code) == (402, False, "insufficient_credits")
    assert throttle.repeat(2, at_us + 1) is None


def test_client_that_retries_every_second_for_an_hour_is_worked_on_once_in_a_while():
    throttle, worked = Throttle(), 0
    for second in range(3600):
        if throttle.repeat(1, second * SECOND_US) is None:
            worked += 1
            throttle.note_refusal(1, 7, broke(), second * SECOND_US)
    assert worked <= 3600 * SECOND_US // LONGEST_REST_US + 10


def test_refusal_is_never_repeated_past_its_own_end():
    throttle = Throttle()
    at_us = storm(throttle, REFUSALS_UNTIL_REST + 5, lasts_us=SECOND_US // 2)
    assert throttle.repeat(1, at_us + SECOND_US // 2 - 1) is not None
    assert throttle.repeat(1, at_us + SECOND_US // 2) is None


def test_rest_is_never_longer_than_a_few_seconds():
    throttle = Throttle()
    at_us = storm(throttle, 500)
    assert throttle.repeat(1, at_us + LONGEST_REST_US) is None


def test_refusals_far_apart_are_no_storm():
    throttle = Throttle()
    for number in range(20):
        at_us = number * (FORGET_AFTER_US + 1)
        throttle.note_refusal(1, 7, broke(), at_us)
        assert throttle.repeat(1, at_us) is None


def test_one_success_forgets_everything():
    throttle = Throttle()
    at_us = storm(throttle, REFUSALS_UNTIL_REST)
    throttle.forget_key(1)
    assert throttle.repeat(1, at_us) is None
    throttle.note_refusal(1, 7, broke(), at_us)
    assert throttle.repeat(1, at_us) is None


def test_top_up_is_noticed_by_all_keys_of_the_account():
    throttle = Throttle()
    at_us = storm(throttle, REFUSALS_UNTIL_REST)
    storm(throttle, REFUSALS_UNTIL_REST, key_id=2)
    throttle.note_refusal(3, 8, broke(), 0)
    throttle.forget_account(7)
    assert throttle.repeat(1, at_us) is None
    assert throttle.repeat(2, at_us) is None
    throttle.forget_account(9)


def test_answer_from_memory_keeps_nothing_of_the_request_before():
    """An exception that is raised keeps its frames, and they the body: each answer is one of its own."""
    throttle = Throttle()
    at_us = 0
    for number in range(REFUSALS_UNTIL_REST):
        at_us = number * SECOND_US
        problem = broke()
        with pytest.raises(type(problem)):
            raise problem
        throttle.note_refusal(1, 7, problem, at_us)
    first, second = throttle.repeat(1, at_us), throttle.repeat(1, at_us)
    assert first is not second
    assert first is not None
    assert first.__traceback__ is None


def test_memory_is_bounded():
    throttle = Throttle()
    for key_id in range(MOST_KEYS + 10):
        throttle.note_refusal(key_id, 7, broke(), 0)
    assert len(throttle._storms) == MOST_KEYS
