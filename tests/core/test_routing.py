"""Which upstreams are tried, and in which order."""

from hypothesis import given
from hypothesis import strategies as st

from runapi.core.routing import MOST_ATTEMPTS, Upstream, plan

NOW_S = 1_000.0


def upstream(number: int, priority: int = 100, model: str = "m") -> Upstream:
    return Upstream(
        id=number,
        name=f"u{number}",
        base_url=f"http://127.0.0.1:{number}/v1",
        models={model: f"their-{number}"},
        priority=priority,
    )


def tried(upstreams: list[Upstream], resting: dict[int, float] | None = None, model: str = "m") -> list[int]:
    return [deployment.upstream.id for deployment in plan(upstreams, model, resting or {}, NOW_S)]


def test_lower_priority_number_is_tried_first():
    assert tried([upstream(1, 100), upstream(2, 5), upstream(3, 50)]) == [2, 3, 1]


def test_equals_are_tried_in_the_order_in_which_they_were_added():
    assert tried([upstream(7), upstream(3), upstream(5)]) == [7, 3, 5]


def test_upstream_that_does_not_serve_the_model_is_left_out():
    assert tried([upstream(1, model="other"), upstream(2)]) == [2]
    assert tried([upstream(1, model="other")]) == []
    assert tried([]) == []


def test_three_are_tried_at_most_and_they_are_the_best():
    assert tried([upstream(number, priority=100 - number) for number in range(1, 9)]) == [8, 7, 6]


def test_resting_upstream_comes_last_rather_than_never():
    assert tried([upstream(1), upstream(2, 200)], {1: NOW_S + 5}) == [2, 1]


def test_when_all_rest_the_one_that_wakes_first_is_tried_first():
    resting = {1: NOW_S + 9, 2: NOW_S + 3, 3: NOW_S + 6}
    assert tried([upstream(1, 1), upstream(2, 2), upstream(3, 3)], resting) == [2, 3, 1]


def test_upstream_that_has_rested_is_as_good_as_the_others():
    assert tried([upstream(1), upstream(2)], {1: NOW_S, 2: NOW_S - 500}) == [1, 2]


def test_deployment_carries_the_upstreams_own_name_for_the_model():
    assert plan([upstream(4)], "m", {}, NOW_S)[0].model == "their-4"


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8),
    st.dictionaries(st.integers(0, 8), st.floats(0, 2 * NOW_S)),
)
def test_plan_never_repeats_an_upstream_nor_leaves_a_ready_one_for_a_resting_one(rows, resting):
    upstreams = [
        upstream(number, priority, "m" if serves else "other")
        for number, (priority, serves) in enumerate(rows)
    ]
    serving = {one.id for one in upstreams if "m" in one.models}
    order = tried(upstreams, resting)
    assert len(order) == len(set(order)) == min(len(serving), MOST_ATTEMPTS)
    assert set(order) <= serving
    ready = {number for number in serving if resting.get(number, 0) <= NOW_S}
    assert set(order[: len(ready)]) <= ready
