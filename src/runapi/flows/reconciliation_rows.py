"""What a reconciliation shows: plain rows whose fields are the JSON that scripts read. No I/O."""

from collections.abc import Sequence
from datetime import date

import msgspec

from runapi.core.money import PICO_PER_NANO, usd
from runapi.core.reconcile import Comparison, Reason, ReasonCode, percent, total
from runapi.core.upstream_usage import NEAR_MIDNIGHT_S, Counts


class SideRow(msgspec.Struct, frozen=True):
    """What one side says. Input tokens count cached ones, too."""

    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int


class ReasonRow(msgspec.Struct, frozen=True):
    code: ReasonCode
    requests: int  # that it concerns; 0: all
    text: str


class ComparedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one day. Differences are ours minus the upstream's."""

    day: date
    model: str  # the upstream's name for it
    equal: bool
    ours: SideRow | None  # None: we have no row
    upstream: SideRow | None  # None: the export has none
    difference: SideRow
    official_difference_usd: str | None  # the difference at official standard prices; None: no price is known
    official_difference_percent: str | None  # of what the upstream's side is worth at those prices
    expected_usd: str  # what our rows say that the upstream charges
    billed_usd: str | None  # what the export says that it charged
    reasons: list[ReasonRow]


class TotalRow(msgspec.Struct, frozen=True, kw_only=True):
    """All of it added up."""

    ours: SideRow
    upstream: SideRow
    difference: SideRow
    official_difference_usd: str | None
    official_difference_percent: str | None
    expected_usd: str
    billed_usd: str | None


class ReconciliationRow(msgspec.Struct, frozen=True, kw_only=True):
    first_day: date
    last_day: date
    upstream: str | None  # None: all of them
    equal: bool
    rows: list[ComparedRow]
    total: TotalRow | None  # None: neither side has anything


TEXTS = {
    ReasonCode.ESTIMATED: "{n} of ours had no usage report, and {were} counted here",
    ReasonCode.FAILED: "{n} of ours failed after a part of the answer; the upstream may count other tokens",
    ReasonCode.CANCELLED: "{n} of ours {were} cancelled when the client left; the upstream counts what it had made",
    ReasonCode.UNCOUNTED: "{n} more of ours reached the upstream and ended without usage; it may count them",
    ReasonCode.MORE_ATTEMPTS: "{n} more calls {were} made before the ones that answered; the upstream may count them",
    ReasonCode.NEAR_MIDNIGHT: (
        "{n} of ours began or ended within {minutes} minutes of midnight UTC; the upstream may count them on the other day"
    ),
    ReasonCode.INTERRUPTED: "{n} of ours {were} cut off by a restart of this server; the upstream may count them",
    ReasonCode.UNKNOWN_MODEL: (
        "no upstream of ours has a model of this name; another program uses the upstream's key, or an upstream was removed"
    ),
    ReasonCode.MODEL_NOT_USED: "we never called this model on this day; another program uses the upstream's key",
    ReasonCode.MODEL_NOT_EXPORTED: "the export does not have this model on this day; it may be another upstream's",
    ReasonCode.DAY_NOT_EXPORTED: "the export has nothing at all on this day",
    ReasonCode.DAY_NOT_HERE: (
        "we have no request at all on this day; another program uses the upstream's key, or a backup was restored"
    ),
    ReasonCode.PARTIAL_DAY: "the day is not over, or the export has only a part of it",
    ReasonCode.UNEXPLAINED: "nothing in our rows explains {what}; another program may use the upstream's key",
}


def reconciliation_row(
    first_day: date, last_day: date, upstream: str | None, compared: Sequence[Comparison]
) -> ReconciliationRow:
    rows = [_compared_row(one) for one in compared]
    whole = total(compared)
    return ReconciliationRow(
        first_day=first_day,
        last_day=last_day,
        upstream=upstream,
        equal=all(row.equal for row in rows),
        rows=rows,
        total=None if whole is None else _total_row(whole),
    )


def _compared_row(one: Comparison) -> ComparedRow:
    difference_usd, difference_percent = _official(one)
    return ComparedRow(
        day=one.day,
        model=one.model,
        equal=one.difference == Counts(),
        ours=None if one.ours is None else _side(one.ours),
        upstream=None if one.theirs is None else _side(one.theirs),
        difference=_side(one.difference),
        official_difference_usd=difference_usd,
        official_difference_percent=difference_percent,
        expected_usd=usd(one.expected_nano),
        billed_usd=None if one.billed_nano is None else usd(one.billed_nano),
        reasons=[_reason_row(reason) for reason in one.reasons],
    )


def _total_row(whole: Comparison) -> TotalRow:
    difference_usd, difference_percent = _official(whole)
    return TotalRow(
        ours=_side(whole.ours or Counts()),
        upstream=_side(whole.theirs or Counts()),
        difference=_side(whole.difference),
        official_difference_usd=difference_usd,
        official_difference_percent=difference_percent,
        expected_usd=usd(whole.expected_nano),
        billed_usd=None if whole.billed_nano is None else usd(whole.billed_nano),
    )


def _official(one: Comparison) -> tuple[str | None, str | None]:
    """The difference in USD and as a percentage of the upstream's side."""
    if one.official_pico is None:
        return None, None
    ours, theirs = one.official_pico
    nano = -(-abs(ours - theirs) // PICO_PER_NANO)
    return usd(nano if ours >= theirs else -nano), percent(ours - theirs, theirs)


def _side(counts: Counts) -> SideRow:
    return SideRow(*msgspec.structs.astuple(counts))


def _reason_row(reason: Reason) -> ReasonRow:
    n = reason.count
    text = TEXTS[reason.code].format(
        n=n,
        were="was" if n == 1 else "were",
        minutes=NEAR_MIDNIGHT_S // 60,
        what=f"{n} request{'' if n == 1 else 's'} of the difference" if n else "this",
    )
    return ReasonRow(reason.code, n, text)
