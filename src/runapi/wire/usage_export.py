"""Read what an upstream says that it served: OpenAI's organization usage (JSON), or a CSV (`usage_csv`).

JSON: pages of `GET /v1/organization/usage/completions?group_by=model`, one or several in an array (OpenAI's published
specification, UsageTimeBucket and UsageCompletionsResult, November 2026).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from runapi.core.upstream_usage import MOST_COUNT, MOST_DAYS, MOST_ROWS, Count, ExportRow, UsageExport
from runapi.wire.usage_csv import ExportFault, is_model, read_csv, shown

MOST_BYTES: Final = 16 * 1024 * 1024

_DAY_S = 86_400
_BOM = b"\xef\xbb\xbf"
_COUNTS = ("requests", "input_tokens", "cached_tokens", "output_tokens")
_RESULT = "organization.usage.completions.result"
_FIRST_S, _LAST_S = 946_684_800, 4_102_444_800  # the years 2000 to 2099

Second = Annotated[int, Meta(ge=_FIRST_S, le=_LAST_S)]


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """The part of OpenAI's result that is compared; it has more fields, and will get others."""

    model: str | None = None
    input_tokens: Count
    output_tokens: Count
    num_model_requests: Count
    input_cached_tokens: Count = 0
    project_id: str | None = None
    user_id: str | None = None
    api_key_id: str | None = None
    batch: bool | None = None
    service_tier: str | None = None

    @property
    def group(self) -> tuple[object, ...]:
        return (self.model, self.project_id, self.user_id, self.api_key_id, self.batch, self.service_tier)


class _AnyResult(msgspec.Struct, frozen=True):
    object: str = _RESULT


class _Bucket(msgspec.Struct, frozen=True):
    start_time: Second
    end_time: Second
    results: list[msgspec.Raw]


class _Page(msgspec.Struct, frozen=True):
    data: list[_Bucket]
    has_more: bool = False


def read_usage_export(data: bytes) -> UsageExport:
    """Read an export, JSON or CSV.

    Raises:
        ExportFault: it is neither, too large, or says something that cannot be; the text names line or place.
    """
    if len(data) > MOST_BYTES:
        raise ExportFault(
            f"The file is larger than {MOST_BYTES // 1024 // 1024} MB: export fewer days, by day and model only."
        )
    content = data.removeprefix(_BOM).strip()
    if not content:
        raise ExportFault("The file is empty.")
    export = _read_json(content) if content[:1] in b"{[" else read_csv(data.removeprefix(_BOM))
    days = (export.last_day - export.first_day).days + 1
    if days > MOST_DAYS:
        raise ExportFault(f"The file covers {days} days: at most {MOST_DAYS} can be compared at once.")
    if len(export.rows) > MOST_ROWS:
        raise ExportFault(
            f"The file has {len(export.rows)} days and models: at most {MOST_ROWS} can be compared."
        )
    return export


# ---- JSON ------------------------------------------------------------------------------------------------


def _read_json(content: bytes) -> UsageExport:
    pages = _decode_pages(content)
    # An array's own pages are at [0], [1], ...; a page alone is the whole.
    is_array = content[:1] == b"["
    buckets = [
        (f"$[{page}].data[{number}]" if is_array else f"$.data[{number}]", bucket)
        for page, one in enumerate(pages)
        for number, bucket in enumerate(one.data)
    ]
    if not buckets:
        raise ExportFault("The file has no time bucket: give start_time and end_time when you export.")
    _check_buckets(buckets)
    sums: dict[tuple[date, str], ExportRow] = {}
    for place, bucket in buckets:
        for row in _read_bucket(place, bucket):
            before = sums.get((row.day, row.model))
            sums[row.day, row.model] = row if before is None else _add(place, before, row)
    first, last = min(map(_begin, buckets)), max(map(_end, buckets))
    return UsageExport(
        first_day=first,
        last_day=last,
        rows=tuple(sums[place] for place in sorted(sums)),
        partial_days=tuple(_partial_days([bucket for _, bucket in buckets], first, last)),
        goes_on=pages[-1].has_more,
    )


def _decode_pages(content: bytes) -> Sequence[_Page]:
    try:
        if content[:1] == b"[":
            return msgspec.json.decode(content, type=list[_Page])
        return [msgspec.json.decode(content, type=_Page)]
    except msgspec.ValidationError as fault:
        raise ExportFault(f"The file is no usage export of OpenAI: {fault}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise ExportFault(f"The file is not JSON: {fault}.") from None


def _check_buckets(buckets: Sequence[tuple[str, _Bucket]]) -> None:
    """Make sure that buckets lie inside days and beside each other."""
    before: tuple[str, _Bucket] | None = None
    for place, bucket in sorted(buckets, key=lambda pair: pair[1].start_time):
        if bucket.end_time <= bucket.start_time:
            raise ExportFault(f"The bucket at {place} ends before it begins.")
        if _begin((place, bucket)) != _end((place, bucket)):
            raise ExportFault(
                f"The bucket at {place} reaches over midnight UTC: export with a start_time at midnight UTC and "
                "bucket_width=1d."
            )
        if before is not None and bucket.start_time < before[1].end_time:
            raise ExportFault(
                f"The bucket at {place} repeats time of the one at {before[0]}: give each page once."
            )
        before = place, bucket


def _read_bucket(place: str, bucket: _Bucket) -> Iterator[ExportRow]:
    seen: dict[tuple[object, ...], int] = {}
    for number, raw in enumerate(bucket.results):
        here = f"{place}.results[{number}]"
        result = _read_result(here, raw)
        if result.group in seen:
            raise ExportFault(
                f"The result at {here} repeats the one at {place}.results[{seen[result.group]}]."
            )
        seen[result.group] = number
        if result.model is None:
            raise ExportFault(f"The result at {here} names no model: export with group_by=model.")
        if not is_model(result.model):
            raise ExportFault(f"The model at {here} is {shown(result.model)}, which is no name.")
        if result.input_cached_tokens > result.input_tokens:
            raise ExportFault(f"The result at {here} has more cached input tokens than input tokens.")
        yield ExportRow(
            day=_day(bucket.start_time),
            model=result.model,
            requests=result.num_model_requests,
            input_tokens=result.input_tokens,
            cached_tokens=result.input_cached_tokens,
            output_tokens=result.output_tokens,
        )


def _read_result(place: str, raw: msgspec.Raw) -> _Result:
    try:
        kind = msgspec.json.decode(raw, type=_AnyResult).object
        if kind != _RESULT:
            raise ExportFault(
                f"The result at {place} is an {shown(kind)}: only /v1/organization/usage/completions can be compared."
            )
        return msgspec.json.decode(raw, type=_Result)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise ExportFault(f"The result at {place} is no usage: {fault}.") from None


def _add(place: str, one: ExportRow, other: ExportRow) -> ExportRow:
    """Several results of one model are parts of it: by project, by key, by hour."""
    sums = {name: getattr(one, name) + getattr(other, name) for name in _COUNTS}
    if max(sums.values()) > MOST_COUNT:
        raise ExportFault(f"The counts of {shown(one.model)} on {one.day} are too large, at {place}.")
    return msgspec.structs.replace(one, **sums)


def _partial_days(buckets: Sequence[_Bucket], first: date, last: date) -> Iterator[date]:
    covered: dict[date, int] = {}
    for bucket in buckets:
        day = _day(bucket.start_time)
        covered[day] = covered.get(day, 0) + bucket.end_time - bucket.start_time
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if covered.get(day, 0) < _DAY_S:
            yield day


def _day(second: int) -> date:
    return datetime.fromtimestamp(second, UTC).date()


def _begin(placed: tuple[str, _Bucket]) -> date:
    return _day(placed[1].start_time)


def _end(placed: tuple[str, _Bucket]) -> date:
    return _day(placed[1].end_time - 1)
