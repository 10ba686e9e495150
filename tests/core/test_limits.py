"""No sequence of requests gets past a limit of its key; a refusal changes nothing and says when there is room."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.core.limits import Gates, KeyGate, KeyLimits, Limit, Pass, Reached
from runapi.core.windows import DAY_US, MINUTE_US, PerMinute, Span, SpendWindow, bounds

USD = 1_000_000_000
SECOND_US = 1_000_000


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


NOW_US = us("2026-11-22T20:00:00")  # a Sunday


def gate(spent: dict[Span, int] | None = None, **limits: object) -> KeyGate:
    return KeyGate(KeyLimits(**limits), NOW_US, spent or {})


def enter(
    to: KeyGate,
    *,
    amount: int = 10,
    least: int = 1,
    tokens: int = 1,
    now: int = NOW_US,
    ticks: int = 0,
    model: str = "m",
) -> Pass | Reached:
    return to.enter(model, tokens=tokens, amount_nano=amount, least_nano=least, now_us=now, ticks_us=ticks)


# ---- calendar windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "at", "start", "end"),
    [
        (Span.DAY, "2026-11-22T23:59:59", "2026-11-22", "2026-11-23"),
        (Span.DAY, "2026-11-23T00:00:00", "2026-11-23", "2026-11-24"),
        (Span.WEEK, "2026-11-22T20:00:00", "2026-11-16", "2026-11-23"),
        (Span.WEEK, "2026-11-23T00:00:00", "2026-11-23", "2026-11-30"),
        (Span.MONTH, "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
        (Span.MONTH, "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        (Span.MONTH, "2027-01-31T12:00:00", "2027-01-01", "2027-02-01"),
    ],
)
def test_windows_are_calendar_days_weeks_from_monday_and_months_in_utc(span, at, start, end):
    assert bounds(span, us(at)) == (us(start), us(end))


@given(st.sampled_from(Span), st.integers(0, us("2200-01-01")))
def test_window_holds_its_moment_and_the_next_one_begins_where_it_ends(span, at_us):
    start, end = bounds(span, at_us)
    assert start <= at_us < end
    assert bounds(span, start) == (start, end)
    if span is not Span.TOTAL:
        assert bounds(span, end)[0] == end


@given(
    st.lists(
        st.tuples(st.integers(0, DAY_US), st.integers(1, 100), st.integers(0, 100), st.integers(0, 60)),
        max_size=60,
    )
)
def test_no_sequence_of_requests_spends_more_than_the_limit_in_any_day(steps):
    """Requests begin and end in any order, over midnight too; each is charged at most what it was granted."""
    limited, now, running = gate(spend_nano={Span.DAY: 100}), NOW_US, []
    charged: dict[int, int] = {}
    for wait_us, amount, charge, ends in steps:
        now += wait_us // 4
        admitted = enter(limited, amount=amount, now=now)
        if isinstance(admitted, Pass):
            assert 1 <= admitted.amount_nano <= amount
            running.append((admitted, now, charge))
        while len(running) > ends % 8:
            ended, at_us, cost = running.pop(ends % len(running))
            cost = min(cost, ended.amount_nano)
            limited.leave(ended, cost, 1, 0)
            charged[at_us // DAY_US] = charged.get(at_us // DAY_US, 0) + cost
    for ended, at_us, cost in running:
        limited.leave(ended, min(cost, ended.amount_nano), 1, 0)
        charged[at_us // DAY_US] = charged.get(at_us // DAY_US, 0) + min(cost, ended.amount_nano)
    assert all(spent <= 100 for spent in charged.values())


def test_reached_limit_says_when_it_resets():
    limited = gate(spend_nano={Span.DAY: 5 * USD}, spent={Span.DAY: 5 * USD})
    reached = enter(limited)
    assert isinstance(reached, Reached)
    assert (reached.limit, reached.span, reached.resets_us) == (Limit.SPEND, Span.DAY, us("2026-11-23"))
    problem = reached.problem()
    assert problem.status == 429
    assert (
        problem.message == "Daily spending limit reached ($5 for this key). Resets at 2026-11-23T00:00:00Z."
    )
    assert problem.retry_after_s == 4 * 3600
    assert problem.should_retry is False
    assert isinstance(enter(limited, now=us("2026-11-23")), Pass)


def test_limit_in_total_never_resets_and_is_a_402():
    reached = enter(gate(spend_nano={Span.TOTAL: 5}, spent={Span.TOTAL: 5}))
    assert isinstance(reached, Reached)
    assert reached.resets_us is None
    assert (reached.problem().status, reached.problem().type) == (402, "insufficient_quota")


def test_money_that_running_requests_hold_is_no_reached_limit():
    limited = gate(spend_nano={Span.DAY: 10})
    admitted = enter(limited, amount=10)
    assert isinstance(admitted, Pass)
    held = enter(limited)
    assert isinstance(held, Reached)
    assert held.limit is Limit.SPEND_HELD
    assert held.problem().retry_after_s == 2
    limited.leave(admitted, 4, 1, 0)
    again = enter(limited)
    assert isinstance(again, Pass)
    assert again.amount_nano == 6


def test_amount_is_the_room_of_the_tightest_window():
    limited = gate(
        spend_nano={Span.DAY: 100, Span.MONTH: 40, Span.TOTAL: 60}, spent={Span.MONTH: 10, Span.TOTAL: 15}
    )
    admitted = enter(limited, amount=1_000)
    assert isinstance(admitted, Pass)
    assert admitted.amount_nano == 30


def test_request_that_needs_more_than_the_room_is_refused_and_reserves_nothing():
    limited = gate(spend_nano={Span.DAY: 100, Span.WEEK: 5})
    assert isinstance(enter(limited, amount=50, least=6), Reached)
    admitted = enter(limited, amount=50, least=5)
    assert isinstance(admitted, Pass)
    assert admitted.amount_nano == 5


def test_what_the_ledger_does_not_grant_is_given_back_to_the_key():
    limited = gate(spend_nano={Span.DAY: 10})
    admitted = enter(limited, amount=10)
    assert isinstance(admitted, Pass)
    limited.shrink(admitted, 3)
    second = enter(limited, amount=10)
    assert isinstance(second, Pass)
    assert second.amount_nano == 7
    limited.leave(admitted, 3, 1, 0)
    limited.leave(second, 0, 1, 0)
    third = enter(limited, amount=10)
    assert isinstance(third, Pass)
    assert third.amount_nano == 7


def test_leaving_twice_counts_once():
    limited = gate(spend_nano={Span.DAY: 10}, concurrent=1)
    admitted = enter(limited, amount=10)
    assert isinstance(admitted, Pass)
    limited.leave(admitted, 4, 1, 0)
    limited.leave(admitted, 4, 1, 0)
    limited.shrink(admitted, 0)
    second = enter(limited, amount=10)
    assert isinstance(second, Pass)
    assert second.amount_nano == 6
    assert isinstance(enter(limited), Reached)


def test_charge_of_a_request_from_before_midnight_is_not_of_the_new_day():
    limited = gate(spend_nano={Span.DAY: 10, Span.TOTAL: 100})
    late = enter(limited, amount=10)
    assert isinstance(late, Pass)
    fresh = enter(limited, amount=4, now=us("2026-11-23T00:00:01"))
    assert isinstance(fresh, Pass)
    limited.leave(late, 3, 1, 0)
    second = enter(limited, amount=100, now=us("2026-11-23T00:00:02"))
    assert isinstance(second, Pass)
    assert second.amount_nano == 6
    limited.leave(fresh, 4, 1, 0)
    limited.leave(second, 6, 1, 0)
    assert isinstance(enter(limited, now=us("2026-11-23T00:00:02")), Reached)
    in_all = enter(limited, amount=100, now=us("2026-11-24"))
    assert isinstance(in_all, Pass)
    assert in_all.amount_nano == 10
    limited.leave(in_all, 10, 1, 0)
    limited.change(KeyLimits(spend_nano={Span.TOTAL: 100}), us("2026-11-24"), {})
    rest = enter(limited, amount=100, now=us("2026-11-24"))
    assert isinstance(rest, Pass)
    assert rest.amount_nano == 100 - 3 - 4 - 6 - 10


def test_clock_that_is_set_back_opens_no_window_again():
    limited = gate(spend_nano={Span.DAY: 10})
    tomorrow = enter(limited, amount=10, now=us("2026-11-23T08:00:00"))
    assert isinstance(tomorrow, Pass)
    assert isinstance(enter(limited, now=NOW_US), Reached)
    limited.leave(tomorrow, 5, 1, 0)
    back = enter(limited, amount=10, now=NOW_US)
    assert isinstance(back, Pass)
    limited.leave(back, 5, 1, 0)
    assert isinstance(enter(limited, now=NOW_US), Reached)


def test_model_that_costs_nothing_still_needs_room():
    assert isinstance(enter(gate(spend_nano={Span.DAY: 0}), amount=0, least=0), Reached)


# ---- per minute --------------------------------------------------------------------------------------------


@given(st.integers(1, 1_000), st.integers(0, 10**15))
def test_burst_is_exactly_the_limit_and_the_next_one_comes_exactly_in_its_time(limit, ticks_us):
    minute = PerMinute(limit)
    for _ in range(limit):
        assert minute.wait_us(1, ticks_us) == 0
        minute.take(1, ticks_us)
    wait_us = minute.wait_us(1, ticks_us)
    assert wait_us == -(-MINUTE_US // limit)
    assert minute.wait_us(1, ticks_us + wait_us - 1) == 1
    assert minute.wait_us(1, ticks_us + wait_us) == 0


@given(st.integers(1, 20), st.lists(st.integers(0, MINUTE_US // 4), max_size=120))
def test_never_more_than_the_limit_and_what_flowed_back_in_any_stretch(limit, pauses):
    minute, ticks_us, taken = PerMinute(limit), 0, []
    for pause_us in pauses:
        ticks_us += pause_us
        if minute.wait_us(1, ticks_us) == 0:
            minute.take(1, ticks_us)
            taken.append(ticks_us)
    for first, at_us in enumerate(taken):
        for last in range(first, len(taken)):
            assert (last - first + 1 - limit) * MINUTE_US <= (taken[last] - at_us) * limit


@given(st.integers(1, 100), st.integers(1, 100))
def test_full_minute_later_everything_is_there_again(limit, cost):
    minute = PerMinute(limit)
    minute.take(min(cost, limit), 0)
    assert minute.wait_us(limit, MINUTE_US) == 0


def test_requests_over_the_limit_are_told_how_long_to_wait():
    limited = gate(requests_per_minute=2)
    assert isinstance(enter(limited), Pass)
    assert isinstance(enter(limited), Pass)
    reached = enter(limited, ticks=SECOND_US)
    assert isinstance(reached, Reached)
    problem = reached.problem()
    assert (
        problem.message == "Rate limit reached for this key: 2 requests per minute. Please try again in 29s."
    )
    assert (problem.status, problem.type, problem.retry_after_s) == (429, "requests", 29)
    assert isinstance(enter(limited, ticks=30 * SECOND_US), Pass)


def test_tokens_count_as_they_were_used_in_the_end():
    limited = gate(tokens_per_minute=100)
    admitted = enter(limited, tokens=90)
    assert isinstance(admitted, Pass)
    assert isinstance(enter(limited, tokens=20), Reached)
    limited.leave(admitted, 0, 30, 0)
    assert isinstance(enter(limited, tokens=20), Pass)
    thirsty = enter(limited, tokens=10)
    assert isinstance(thirsty, Pass)
    limited.leave(thirsty, 0, 250, 0)
    reached = enter(limited, tokens=1)
    assert isinstance(reached, Reached)
    assert reached.limit is Limit.TOKENS
    assert reached.wait_us == (30 + 20 + 250 + 1 - 100) * MINUTE_US // 100


def test_tokens_used_long_after_the_request_came_count_when_they_were_used():
    limited = gate(tokens_per_minute=100)
    admitted = enter(limited, tokens=1)
    assert isinstance(admitted, Pass)
    limited.leave(admitted, 0, 201, 10 * MINUTE_US)
    assert isinstance(enter(limited, tokens=1, ticks=10 * MINUTE_US), Reached)


def test_request_larger_than_the_limit_goes_through_alone():
    limited = gate(tokens_per_minute=100)
    admitted = enter(limited, tokens=5_000)
    assert isinstance(admitted, Pass)
    limited.leave(admitted, 0, 100, 0)
    assert isinstance(enter(limited, tokens=5_000), Reached)
    assert isinstance(enter(limited, tokens=5_000, ticks=MINUTE_US), Pass)


# ---- the rest ----------------------------------------------------------------------------------------------


def test_refusal_by_one_limit_uses_up_nothing_of_another():
    limited = gate(requests_per_minute=1, spend_nano={Span.DAY: 5})
    assert isinstance(enter(limited, least=6), Reached)
    assert isinstance(enter(limited, least=5), Pass)


def test_concurrent_requests_are_counted_until_they_leave():
    limited = gate(concurrent=2)
    first = enter(limited)
    assert isinstance(first, Pass)
    assert isinstance(enter(limited), Pass)
    reached = enter(limited)
    assert isinstance(reached, Reached)
    assert reached.problem().retry_after_s == 1
    limited.leave(first, 0, 1, 0)
    assert isinstance(enter(limited), Pass)


def test_model_that_the_key_may_not_use_does_not_exist_for_it():
    limited = gate(models=("gpt-5.5",))
    reached = enter(limited, model="gpt-5.4")
    assert isinstance(reached, Reached)
    assert (reached.problem().status, reached.problem().code) == (404, "model_not_found")
    assert isinstance(enter(limited, model="gpt-5.5"), Pass)
    assert limited.limits.allows_model("gpt-5.5")


def test_expired_key_is_refused_from_its_moment_on():
    limited = gate(expires_us=NOW_US)
    assert limited.check_caller("192.0.2.1", NOW_US - 1) is None
    reached = limited.check_caller("192.0.2.1", NOW_US)
    assert reached is not None
    assert (reached.problem().status, reached.problem().code) == (401, "key_expired")
    assert "2026-11-22T20:00:00Z" in reached.problem().message


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "192.0.2.255", "2001:db8::7", "::ffff:192.0.2.9", "203.0.113.5"]
)
def test_address_within_a_network_is_let_in(address):
    limited = gate(networks=("192.0.2.0/24", "2001:db8::/32", "203.0.113.5"))
    assert limited.check_caller(address, NOW_US) is None
    assert limited.check_caller(address, NOW_US) is None


@pytest.mark.parametrize(
    "address", ["192.0.3.1", "2001:db9::7", "::ffff:192.0.3.9", "203.0.113.6", "", "unix:", "x" * 500]
)
def test_address_outside_every_network_is_refused(address):
    limited = gate(networks=("192.0.2.0/24", "2001:db8::/32", "203.0.113.5"))
    assert limited.check_caller("192.0.2.1", NOW_US) is None
    reached = limited.check_caller(address, NOW_US)
    assert reached is not None
    assert (reached.problem().status, reached.problem().code) == (401, "ip_not_authorized")
    assert len(reached.problem().message) < 300


def test_key_without_limits_is_let_in():
    assert gate().check_caller("anywhere", NOW_US) is None
    assert isinstance(enter(gate(), amount=10**18, least=10**18, tokens=10**9), Pass)


# ---- all gates ---------------------------------------------------------------------------------------------


def test_gates_keep_what_was_used_when_limits_are_loaded_again():
    gates = Gates()
    limits = {1: KeyLimits(spend_nano={Span.DAY: 10}, requests_per_minute=2)}
    gates.load(limits, {1: {Span.DAY: 4}}, NOW_US)
    admitted = enter(gates.get(1), amount=10)
    assert isinstance(admitted, Pass)
    assert admitted.amount_nano == 6
    gates.load(limits | {2: KeyLimits(concurrent=1)}, {1: {Span.DAY: 4}}, NOW_US)
    gates.get(1).leave(admitted, 1, 1, 0)
    second = enter(gates.get(1), amount=10)
    assert isinstance(second, Pass)
    assert second.amount_nano == 5
    third = enter(gates.get(1))
    assert isinstance(third, Reached)
    assert third.limit is Limit.REQUESTS
    assert gates.get(3) is None


def test_limit_that_is_added_while_a_request_runs_counts_its_charge_but_no_reservation():
    gates = Gates()
    gates.load({1: KeyLimits(concurrent=5)}, {}, NOW_US)
    limited = gates.get(1)
    admitted = enter(limited, amount=8)
    assert isinstance(admitted, Pass)
    gates.load({1: KeyLimits(spend_nano={Span.DAY: 10})}, {1: {Span.DAY: 1}}, NOW_US)
    limited.leave(admitted, 3, 1, 0)
    after = enter(gates.get(1), amount=100)
    assert isinstance(after, Pass)
    assert after.amount_nano == 6


def test_only_keys_with_a_new_spending_window_must_be_added_up():
    gates = Gates()
    limits = {
        1: KeyLimits(spend_nano={Span.DAY: 10}),
        2: KeyLimits(concurrent=1),
        3: KeyLimits(spend_nano={Span.DAY: 1}),
    }
    assert gates.without_history(limits) == [1, 3]
    gates.load(limits, {}, NOW_US)
    assert gates.without_history(limits) == []
    changed = {1: KeyLimits(spend_nano={Span.DAY: 9}), 3: KeyLimits(spend_nano={Span.DAY: 1, Span.TOTAL: 1})}
    assert gates.without_history(changed) == [3]


def test_limit_that_is_lowered_below_what_is_spent_refuses_at_once():
    gates = Gates()
    gates.load({1: KeyLimits(spend_nano={Span.DAY: 10})}, {1: {Span.DAY: 8}}, NOW_US)
    gates.load({1: KeyLimits(spend_nano={Span.DAY: 5})}, {1: {Span.DAY: 8}}, NOW_US)
    assert isinstance(enter(gates.get(1), now=NOW_US + 1), Reached)


def test_gate_of_a_key_that_lost_its_limits_still_lets_its_requests_leave():
    gates = Gates()
    gates.load({1: KeyLimits(concurrent=1)}, {}, NOW_US)
    limited = gates.get(1)
    admitted = enter(limited)
    gates.load({}, {}, NOW_US)
    assert gates.get(1) is None
    assert isinstance(admitted, Pass)
    limited.leave(admitted, 5, 5, 0)


def test_window_that_was_left_alone_for_years_is_the_present_one_at_once():
    window = SpendWindow(Span.MONTH, 10, 0, spent_nano=10)
    window.roll(NOW_US)
    assert (window.start_us, window.room_nano()) == (us("2026-11-01"), 10)
