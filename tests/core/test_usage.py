"""Token kinds are disjoint."""

from runapi.core.usage import Usage


def test_all_input_is_the_sum_of_the_three_kinds_of_input():
    assert Usage(input=1, cached=20, cache_write=300, output=4_000, reasoning=50).all_input == 321


def test_total_counts_reasoning_once_as_part_of_the_output():
    assert Usage(input=1, cached=20, cache_write=300, output=4_000, reasoning=50).total == 4_321


def test_nothing_is_used_by_default():
    assert Usage().total == 0
