"""Two sides of the same days: what differs, by how much, what it is worth, and what can be behind it."""

from datetime import date, timedelta

import msgspec
import pytest

from runapi.core.pricing import Rates
from runapi.core.reconcile import Comparison, Names, Reason, ReasonCode, compare, percent, total
from runapi.core.upstream_usage import Counts, ExportRow, Interrupted, OurRow, UsageExport

DAY = date(2026, 11, 22)
NEXT = DAY + timedelta(days=1)
MODEL = "gpt-5.5"
SNAPSHOT = "gpt-5.5-2026-04-23"
RATES = Rates(input=5_000_000, output=30_000_000, cached=500_000, cache_write=5_000_000)
NAMES = Names({SNAPSHOT: MODEL}, {MODEL: MODEL, "my-name": "gpt-5.4"}, {MODEL: RATES})


def theirs(requests: int = 5, model: str = MODEL, day: date = DAY, **changed: int) -> ExportRow:
    counts = {"input_tokens": 1_000, "cached_tokens": 400, "output_tokens": 300, **changed}
    return ExportRow(day=day, model=model, requests=requests, **counts)


def ours(requests: int = 5, upstream_model: str = MODEL, day: date = DAY, **changed: object) -> OurRow:
    fields: dict[str, object] = {
        "model": MODEL,
        "input_tokens": 1_000,
        "cached_tokens": 400,
        "output_tokens": 300,
        "cost_nano": 0,
        **dict.fromkeys(
            ("estimated", "failed", "cancelled", "uncounted", "more_attempts", "near_begin", "near_end"), 0
        ),
        **changed,
    }
    return OurRow(day=day, upstream_model=upstream_model, requests=requests, **fields)  # type: ignore[arg-type]


def export(*rows: ExportRow, last_day: date = DAY, partial_days: tuple[date, ...] = ()) -> UsageExport:
    return UsageExport(first_day=DAY, last_day=last_day, rows=rows, partial_days=partial_days)


def compared(
    their_rows: list[ExportRow],
    our_rows: list[OurRow],
    interrupted: tuple[Interrupted, ...] = (),
    **days: object,
) -> list[Comparison]:
    return compare(export(*their_rows, **days), our_rows, interrupted, NAMES)  # type: ignore[arg-type]


def reasons(
    their_rows: list[ExportRow], our_rows: list[OurRow], interrupted: tuple[Interrupted, ...] = ()
) -> tuple[Reason, ...]:
    (one,) = compared(their_rows, our_rows, interrupted)
    return one.reasons


def test_sides_that_say_the_same_are_equal_and_need_no_reason():
    (one,) = compared([theirs()], [ours(estimated=2, near_end=1)])
    assert (one.difference, one.reasons) == (Counts(), ())
    assert one.official_pico == (12_200_000_000, 12_200_000_000)


def test_snapshot_is_compared_with_the_model_that_it_is_one_of():
    (one,) = compared(
        [theirs(2, SNAPSHOT), theirs(3)],
        [ours(5, SNAPSHOT, input_tokens=2_000, cached_tokens=800, output_tokens=600)],
    )
    assert (one.model, one.difference) == (MODEL, Counts())


def test_rows_of_one_name_upstream_are_added_up_whatever_we_call_them():
    (one,) = compared(
        [theirs(10, input_tokens=2_000, cached_tokens=800, output_tokens=600)], [ours(), ours(model="alias")]
    )
    assert one.difference == Counts()


def test_difference_is_ours_minus_theirs_and_is_priced_at_official_rates():
    (one,) = compared([theirs(input_tokens=1_100, cached_tokens=400, output_tokens=310)], [ours(estimated=1)])
    assert one.difference == Counts(0, -100, 0, -10)
    assert one.official_pico is not None
    assert one.official_pico[1] - one.official_pico[0] == 100 * RATES.input + 10 * RATES.output


def test_cached_tokens_are_priced_as_such():
    (one,) = compared([theirs(cached_tokens=0)], [ours()])
    assert one.official_pico is not None
    assert one.official_pico[0] - one.official_pico[1] == 400 * (RATES.cached - RATES.input)


def test_model_without_an_official_price_has_no_worth():
    (one,) = compared([theirs(model="my-name")], [])
    assert one.official_pico is None
    assert one.reasons == (Reason(ReasonCode.DAY_NOT_HERE),)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("cancelled", ReasonCode.CANCELLED),
        ("uncounted", ReasonCode.UNCOUNTED),
        ("more_attempts", ReasonCode.MORE_ATTEMPTS),
        ("near_begin", ReasonCode.NEAR_MIDNIGHT),
        ("near_end", ReasonCode.NEAR_MIDNIGHT),
    ],
)
def test_fewer_requests_of_ours_are_explained_by_what_we_do_not_count(kind: str, code: ReasonCode):
    assert reasons([theirs(7)], [ours(5, **{kind: 2})]) == (Reason(code, 2),)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("estimated", ReasonCode.ESTIMATED),
        ("failed", ReasonCode.FAILED),
        ("cancelled", ReasonCode.CANCELLED),
        ("near_begin", ReasonCode.NEAR_MIDNIGHT),
    ],
)
def test_more_requests_of_ours_are_explained_by_what_they_may_not_count(kind: str, code: ReasonCode):
    assert reasons([theirs(3)], [ours(5, **{kind: 2})]) == (Reason(code, 2),)


@pytest.mark.parametrize("kind", ["uncounted", "more_attempts"])
def test_what_has_no_usage_here_does_not_explain_more_of_ours(kind: str):
    assert reasons([theirs(4)], [ours(5, **{kind: 9})]) == (Reason(ReasonCode.UNEXPLAINED, 1),)


def test_what_is_counted_here_does_not_explain_fewer_requests_of_ours():
    found = reasons([theirs(6)], [ours(5, estimated=1)])
    assert found == (Reason(ReasonCode.ESTIMATED, 1), Reason(ReasonCode.UNEXPLAINED, 1))


def test_requests_beyond_every_reason_stay_unexplained():
    found = reasons([theirs(12)], [ours(5, cancelled=2, uncounted=1)])
    assert found[-1] == Reason(ReasonCode.UNEXPLAINED, 4)


def test_other_tokens_of_as_many_requests_are_explained_by_estimates_or_not_at_all():
    assert reasons([theirs(output_tokens=299)], [ours(estimated=1)]) == (Reason(ReasonCode.ESTIMATED, 1),)
    assert reasons([theirs(output_tokens=299)], [ours()]) == (Reason(ReasonCode.UNEXPLAINED),)


def test_requests_that_a_restart_cut_off_explain_more_of_theirs():
    cut = (Interrupted(DAY, MODEL, 1), Interrupted(DAY, "gpt-5.4", 5), Interrupted(NEXT, MODEL, 5))
    assert reasons([theirs(6)], [ours()], cut) == (Reason(ReasonCode.INTERRUPTED, 1),)


def test_midnight_shifts_requests_to_the_neighbouring_day_on_both_of_them():
    their_rows = [theirs(4), theirs(6, day=NEXT)]
    our_rows = [ours(5, near_end=1), ours(5, day=NEXT)]
    first, second = compared(their_rows, our_rows, last_day=NEXT)
    assert first.reasons == second.reasons == (Reason(ReasonCode.NEAR_MIDNIGHT, 1),)


def test_days_beside_the_export_explain_and_are_not_compared():
    before = ours(5, day=DAY - timedelta(days=1), near_end=2)
    after = ours(5, day=NEXT, near_begin=1)
    (one,) = compared([theirs(8)], [before, ours(), after])
    assert (one.day, one.reasons) == (DAY, (Reason(ReasonCode.NEAR_MIDNIGHT, 3),))


def test_what_only_one_side_has_is_named_by_why():
    def codes(their_rows: list[ExportRow], our_rows: list[OurRow]) -> list[ReasonCode]:
        return [reason.code for one in compared(their_rows, our_rows) for reason in one.reasons]

    assert codes([theirs(model="gpt-9")], [ours()])[-1:] == [ReasonCode.UNKNOWN_MODEL]
    assert codes([theirs()], []) == [ReasonCode.DAY_NOT_HERE]
    assert codes([], [ours()]) == [ReasonCode.DAY_NOT_EXPORTED]
    assert codes([theirs(), theirs(model="my-name")], [ours()]) == [ReasonCode.MODEL_NOT_USED]
    assert codes([theirs()], [ours(), ours(upstream_model="my-name")]) == [ReasonCode.MODEL_NOT_EXPORTED]


def test_requests_without_any_usage_on_either_side_are_not_listed():
    assert compared([], [ours(0, uncounted=3, input_tokens=0, cached_tokens=0, output_tokens=0)]) == []


def test_day_that_is_covered_in_part_needs_no_other_reason():
    (one,) = compared([theirs(2)], [ours()], partial_days=(DAY,))
    assert one.reasons == (Reason(ReasonCode.PARTIAL_DAY),)


def test_bill_is_kept_where_every_row_has_one():
    billed = msgspec.structs.replace(theirs(2), cost_nano=7)
    (one,) = compared([billed], [ours(2, cost_nano=5)])
    assert (one.billed_nano, one.expected_nano) == (7, 5)
    (one,) = compared([billed, theirs(1, SNAPSHOT)], [ours()])
    assert one.billed_nano is None


def test_total_adds_all_up_and_has_a_worth_only_where_each_has_one():
    both = compared([theirs(), theirs(3, "my-name")], [ours(cost_nano=5)])
    whole = total(both)
    assert whole is not None
    assert (whole.theirs, whole.ours) == (Counts(8, 2_000, 800, 600), Counts(5, 1_000, 400, 300))
    assert (whole.official_pico, whole.expected_nano) == (None, 5)
    assert total(both[:1]) is not None
    assert total([]) is None


def test_rows_are_ordered_by_day_and_model():
    rows = [theirs(model="b", day=NEXT), theirs(model="a", day=NEXT), theirs(model="c")]
    assert [(one.day, one.model) for one in compared(rows, [], last_day=NEXT)] == [
        (DAY, "c"),
        (NEXT, "a"),
        (NEXT, "b"),
    ]


@pytest.mark.parametrize(
    ("difference", "of", "written"),
    [
        (0, 10, "0.00"),
        (1, 3, "33.33"),
        (2, 3, "66.67"),
        (-1, 3, "-33.33"),
        (-10, 10, "-100.00"),
        (1, 20_000, "0.01"),
        (1, 20_001, "0.00"),
        (-1, 10**9, "0.00"),
        (25, 10, "250.00"),
        (5, 0, None),
        (0, 0, None),
    ],
)
def test_percentage_is_rounded_half_up_and_exact(difference: int, of: int, written: str | None):
    assert percent(difference, of) == written
