"""Compare what our rows say of an upstream's models with what the upstream itself says, day by day, and explain it.

Differences are ours minus theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum

import msgspec

from runapi.core.pricing import Rates
from runapi.core.upstream_usage import Counts, ExportRow, Interrupted, OurRow, UsageExport

_ONE_DAY = timedelta(days=1)


class Names(msgspec.Struct, frozen=True):
    """What is known of upstreams' names for models."""

    aliases: Mapping[str, str]  # another name for the same model -> the one under which both are compared
    ours: Mapping[str, str]  # an upstream's name -> our model
    rates: Mapping[str, Rates]  # official standard rates, by our model


class ReasonCode(StrEnum):
    """Why the two sides may differ."""

    ESTIMATED = "estimated"
    CANCELLED = "cancelled"
    FAILED = "failed_after_delivery"
    UNCOUNTED = "ended_without_usage"
    MORE_ATTEMPTS = "more_attempts"
    NEAR_MIDNIGHT = "near_midnight"
    INTERRUPTED = "server_restarted"
    UNKNOWN_MODEL = "unknown_model"
    MODEL_NOT_USED = "model_not_used"
    MODEL_NOT_EXPORTED = "model_not_exported"
    DAY_NOT_EXPORTED = "day_not_exported"
    DAY_NOT_HERE = "day_not_here"
    PARTIAL_DAY = "partial_day"
    UNEXPLAINED = "unexplained"


_ENOUGH = frozenset(
    (
        *(ReasonCode.PARTIAL_DAY, ReasonCode.UNKNOWN_MODEL, ReasonCode.MODEL_NOT_USED),
        *(ReasonCode.MODEL_NOT_EXPORTED, ReasonCode.DAY_NOT_EXPORTED, ReasonCode.DAY_NOT_HERE),
    )
)
"""Beside these nothing else needs to be unexplained."""

_BEHIND_LESS = frozenset(
    (
        *(ReasonCode.CANCELLED, ReasonCode.UNCOUNTED, ReasonCode.MORE_ATTEMPTS),
        *(ReasonCode.INTERRUPTED, ReasonCode.NEAR_MIDNIGHT),
    )
)
"""What can be behind fewer requests of ours than of theirs."""

_BEHIND_MORE = frozenset(
    (ReasonCode.ESTIMATED, ReasonCode.FAILED, ReasonCode.CANCELLED, ReasonCode.NEAR_MIDNIGHT)
)
"""What can be behind more requests of ours than of theirs."""


class Reason(msgspec.Struct, frozen=True):
    """A possible cause, and how many requests it concerns (0: all)."""

    code: ReasonCode
    count: int = 0


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one day, by both sides."""

    day: date
    model: str
    ours: Counts | None  # None: no row
    theirs: Counts | None
    official_pico: tuple[int, int] | None  # ours and theirs at official rates; None: no price is known
    expected_nano: int  # what our rows say that the upstream charges
    billed_nano: int | None
    reasons: tuple[Reason, ...]

    @property
    def difference(self) -> Counts:
        return (self.ours or Counts()).minus(self.theirs or Counts())


class _Side(msgspec.Struct):
    """Our rows of one model and day, added up."""

    counts: Counts = Counts()
    models: tuple[str, ...] = ()
    cost_nano: int = 0
    estimated: int = 0
    failed: int = 0
    cancelled: int = 0
    uncounted: int = 0
    more_attempts: int = 0
    near_begin: int = 0
    near_end: int = 0

    def add(self, row: OurRow) -> None:
        self.counts = self.counts.plus(
            Counts(row.requests, row.input_tokens, row.cached_tokens, row.output_tokens)
        )
        self.models = (*self.models, row.model)
        self.cost_nano += row.cost_nano
        for name in self.__struct_fields__[3:]:
            setattr(self, name, getattr(self, name) + getattr(row, name))


_NO_SIDE = _Side()
_Place = tuple[date, str]


def compare(
    export: UsageExport,
    ours: Iterable[OurRow],
    interrupted: Iterable[Interrupted],
    names: Names,
) -> list[Comparison]:
    """Compare every model and day that either side has; `ours` also holds the days before and after the export."""
    return _Comparer(export, ours, interrupted, names).compare()


class _Comparer:
    def __init__(
        self,
        export: UsageExport,
        ours: Iterable[OurRow],
        interrupted: Iterable[Interrupted],
        names: Names,
    ) -> None:
        self._export = export
        self._names = names
        self._theirs: dict[_Place, list[ExportRow]] = {}
        for row in export.rows:
            self._theirs.setdefault((row.day, self._name(row.model)), []).append(row)
        self._ours: dict[_Place, _Side] = {}
        for our in ours:
            self._ours.setdefault((our.day, self._name(our.upstream_model)), _Side()).add(our)
        self._interrupted: dict[_Place, int] = {}
        for cut in interrupted:
            place = cut.day, cut.model
            self._interrupted[place] = self._interrupted.get(place, 0) + cut.requests
        self._days_of_ours = {day for day, _ in self._ours}
        self._days_of_theirs = {day for day, _ in self._theirs}

    def compare(self) -> list[Comparison]:
        places = self._theirs.keys() | {
            place
            for place, side in self._ours.items()
            # Where nothing was counted by us and nothing by them there is nothing to compare.
            if side.counts != Counts()
        }
        within = (place for place in places if self._export.first_day <= place[0] <= self._export.last_day)
        return [self._compare_one(*place) for place in sorted(within)]

    def _compare_one(self, day: date, model: str) -> Comparison:
        side, rows = self._ours.get((day, model)), self._theirs.get((day, model), [])
        ours = None if side is None else side.counts
        theirs = _sum(rows) if rows else None
        our_model = self._our_model(model, side)
        rates = self._names.rates.get(our_model or "")
        billed = [row.cost_nano for row in rows if row.cost_nano is not None]
        return Comparison(
            day=day,
            model=model,
            ours=ours,
            theirs=theirs,
            official_pico=None
            if rates is None
            else ((ours or Counts()).official_pico(rates), (theirs or Counts()).official_pico(rates)),
            expected_nano=0 if side is None else side.cost_nano,
            billed_nano=sum(billed) if billed and len(billed) == len(rows) else None,
            reasons=tuple(self._reasons(day, model, our_model, (ours or Counts()).minus(theirs or Counts()))),
        )

    def _our_model(self, model: str, side: _Side | None) -> str | None:
        if side is not None and side.models:
            return side.models[0]
        return self._names.ours.get(model)

    def _reasons(self, day: date, model: str, our_model: str | None, off: Counts) -> list[Reason]:
        if off == Counts():
            return []
        found = [
            *self._missing(day, model, our_model),
            *self._counted_reasons(day, model, our_model, off),
        ]
        if any(reason.code in _ENOUGH for reason in found):
            return found
        can_be_behind = _BEHIND_LESS if off.requests < 0 else _BEHIND_MORE
        left = abs(off.requests) - sum(reason.count for reason in found if reason.code in can_be_behind)
        if left > 0 or not found:
            found.append(Reason(ReasonCode.UNEXPLAINED, max(left, 0)))
        return found

    def _missing(self, day: date, model: str, our_model: str | None) -> list[Reason]:
        """Why one side may have nothing, or less, of all of the day."""
        found = [Reason(ReasonCode.PARTIAL_DAY)] if day in self._export.partial_days else []
        if (day, model) not in self._ours:
            if our_model is None:
                found.append(Reason(ReasonCode.UNKNOWN_MODEL))
            else:
                is_used = day in self._days_of_ours
                found.append(Reason(ReasonCode.MODEL_NOT_USED if is_used else ReasonCode.DAY_NOT_HERE))
        elif (day, model) not in self._theirs:
            has_others = day in self._days_of_theirs
            found.append(Reason(ReasonCode.MODEL_NOT_EXPORTED if has_others else ReasonCode.DAY_NOT_EXPORTED))
        return found

    def _counted_reasons(self, day: date, model: str, our_model: str | None, off: Counts) -> list[Reason]:
        """Every kind of request that can be behind a difference in this direction, with its number."""
        side = self._ours.get((day, model), _NO_SIDE)
        near = (
            side.near_begin
            + side.near_end
            + self._ours.get((day - _ONE_DAY, model), _NO_SIDE).near_end
            + self._ours.get((day + _ONE_DAY, model), _NO_SIDE).near_begin
        )
        is_less = min(msgspec.structs.astuple(off)) < 0
        counts = {
            ReasonCode.ESTIMATED: side.estimated,
            ReasonCode.FAILED: side.failed,
            ReasonCode.CANCELLED: side.cancelled,
            # Of these we know no usage: they can only be behind more on the other side.
            ReasonCode.UNCOUNTED: side.uncounted if is_less else 0,
            ReasonCode.MORE_ATTEMPTS: side.more_attempts if is_less else 0,
            ReasonCode.INTERRUPTED: self._interrupted.get((day, our_model or ""), 0) if is_less else 0,
            ReasonCode.NEAR_MIDNIGHT: near,
        }
        return [Reason(code, count) for code, count in counts.items() if count]

    def _name(self, model: str) -> str:
        return self._names.aliases.get(model, model)


def total(comparisons: Sequence[Comparison]) -> Comparison | None:
    """Add everything up; None when there is nothing. Without a price for each model there is none for the sum."""
    if not comparisons:
        return None
    ours = theirs = Counts()
    for one in comparisons:
        ours, theirs = ours.plus(one.ours or Counts()), theirs.plus(one.theirs or Counts())
    priced = [one.official_pico for one in comparisons if one.official_pico is not None]
    billed = [one.billed_nano for one in comparisons if one.billed_nano is not None]
    return Comparison(
        day=comparisons[-1].day,
        model="",
        ours=ours,
        theirs=theirs,
        official_pico=(sum(pair[0] for pair in priced), sum(pair[1] for pair in priced))
        if len(priced) == len(comparisons)
        else None,
        expected_nano=sum(one.expected_nano for one in comparisons),
        billed_nano=sum(billed) if billed else None,
        reasons=(),
    )


def percent(difference: int, of: int) -> str | None:
    """Write a difference as a percentage of the other side, with two decimals; None where that has nothing."""
    if of == 0:
        return None
    hundredths = (abs(difference) * 10_000 + of // 2) // of
    sign = "-" if difference < 0 and hundredths else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02d}"


def _sum(rows: Iterable[ExportRow]) -> Counts:
    counts = Counts()
    for row in rows:
        counts = counts.plus(Counts(row.requests, row.input_tokens, row.cached_tokens, row.output_tokens))
    return counts
