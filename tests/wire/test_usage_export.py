"""What an upstream says it served is read exactly, or refused with the place of what is wrong."""

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.core.upstream_usage import ExportRow
from runapi.wire.usage_csv import ExportFault
from runapi.wire.usage_export import MOST_BYTES, read_usage_export

HEADER = "day,model,requests,input_tokens,cached_tokens,output_tokens"
LINE = "2026-11-22,gpt-5.5,5,5000,1800,1000"
NOON = 1_795_348_800  # 2026-11-22 12:00 UTC
DAY = 86_400
MIDNIGHT = NOON - DAY // 2


def result(**changed: object) -> dict[str, object]:
    """A result as OpenAI's specification shows it."""
    fields: dict[str, object] = {
        "object": "organization.usage.completions.result",
        "input_tokens": 5000,
        "input_cached_tokens": 1800,
        "input_cache_write_tokens": 200,
        "input_uncached_tokens": 3000,
        "output_tokens": 1000,
        "input_audio_tokens": 300,
        "num_model_requests": 5,
        "project_id": None,
        "user_id": None,
        "api_key_id": None,
        "model": "gpt-5.5-2026-04-23",
        "batch": None,
        "service_tier": None,
    }
    return {**fields, **changed}


def bucket(*results: object, start: int = MIDNIGHT, seconds: int = DAY) -> dict[str, object]:
    return {"object": "bucket", "start_time": start, "end_time": start + seconds, "results": list(results)}


def page(*buckets: object, **changed: object) -> dict[str, object]:
    return {"object": "page", "data": list(buckets), "has_more": False, "next_page": None, **changed}


def read(value: object) -> tuple[ExportRow, ...]:
    return read_usage_export(json.dumps(value).encode()).rows


def refusal(data: bytes | object) -> str:
    with pytest.raises(ExportFault) as refused:
        read_usage_export(data if isinstance(data, bytes) else json.dumps(data).encode())
    said = str(refused.value)
    assert said.isprintable()
    assert len(said) < 400
    return said


ROW = ExportRow(
    day=date(2026, 11, 22),
    model="gpt-5.5",
    requests=5,
    input_tokens=5000,
    cached_tokens=1800,
    output_tokens=1000,
)


# ---- JSON ------------------------------------------------------------------------------------------------


def test_page_of_openai_is_read():
    (row,) = read(page(bucket(result())))
    assert (row.day, row.model) == (date(2026, 11, 22), "gpt-5.5-2026-04-23")
    assert (row.requests, row.input_tokens, row.cached_tokens, row.output_tokens) == (5, 5000, 1800, 1000)
    assert row.cost_nano is None


def test_several_pages_stand_in_an_array():
    export = read_usage_export(
        json.dumps(
            [
                page(bucket(result()), has_more=True, next_page="page_A"),
                page(bucket(result(num_model_requests=7), start=MIDNIGHT + DAY)),
            ]
        ).encode()
    )
    assert [(row.day.day, row.requests) for row in export.rows] == [(22, 5), (23, 7)]
    assert (export.first_day, export.last_day) == (date(2026, 11, 22), date(2026, 11, 23))
    assert not export.goes_on


def test_export_that_goes_on_says_so():
    assert read_usage_export(json.dumps(page(bucket(result()), has_more=True)).encode()).goes_on


def test_parts_of_one_model_are_added_up():
    parts = [result(project_id="a"), result(project_id="b"), result(project_id="b", batch=True)]
    (row,) = read(page(bucket(*parts)))
    assert (row.requests, row.input_tokens, row.output_tokens) == (15, 15_000, 3_000)


def test_hours_of_a_day_are_added_up():
    hours = [bucket(result(), start=MIDNIGHT + 3_600 * hour, seconds=3_600) for hour in range(24)]
    export = read_usage_export(json.dumps(page(*hours)).encode())
    assert (export.rows[0].requests, export.partial_days) == (120, ())


def test_day_of_which_hours_are_missing_is_partial():
    hours = [bucket(result(), start=MIDNIGHT + 3_600 * hour, seconds=3_600) for hour in (0, 1, 5)]
    whole = bucket(start=MIDNIGHT + 2 * DAY)
    export = read_usage_export(json.dumps(page(*hours, whole)).encode())
    assert export.partial_days == (date(2026, 11, 22), date(2026, 11, 23))


def test_day_without_results_is_covered_all_the_same():
    export = read_usage_export(json.dumps(page(bucket(), bucket(start=MIDNIGHT + DAY))).encode())
    assert (export.rows, export.partial_days) == ((), ())
    assert export.last_day == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, "missing required field `data`"),
        ([], "no time bucket"),
        (page(), "no time bucket"),
        ([page(), page()], "no time bucket"),
        (page(5), "$.data[0]"),
        ([page(bucket()), {"data": 5}], "$[1].data"),
        (page({"start_time": MIDNIGHT, "end_time": MIDNIGHT + DAY}), "missing required field `results`"),
        (page(bucket(start=-1)), "start_time"),
        (page(bucket(start=MIDNIGHT * 1_000)), "start_time"),
        (page({**bucket(), "start_time": 1.5}), "Expected `int`, got `float` - at `$.data[0].start_time`"),
        (page(bucket(seconds=0)), "bucket at $.data[0] ends before it begins"),
        (page(bucket(seconds=-5)), "ends before it begins"),
        (page(bucket(start=NOON)), "reaches over midnight UTC"),
        (
            page(bucket(result()), bucket(result())),
            "bucket at $.data[1] repeats time of the one at $.data[0]",
        ),
        ([page(bucket()), page(bucket())], "bucket at $[1].data[0] repeats time of the one at $[0].data[0]"),
        (page(bucket(), bucket(start=MIDNIGHT + 5, seconds=60)), "repeats time"),
        (page(bucket(5)), "result at $.data[0].results[0] is no usage"),
        (page(bucket({"object": "organization.usage.completions.result"})), "missing required field"),
        (page(bucket(result(), result())), "results[1] repeats the one at $.data[0].results[0]"),
        (page(bucket(result(model=None))), "group_by=model"),
        (page(bucket(result(model=""))), "which is no name"),
        (page(bucket(result(model="a\nb"))), "which is no name"),
        (page(bucket(result(model="x" * 257))), "which is no name"),
        (page(bucket(result(model=5))), "results[0] is no usage: Expected `str"),
        (page(bucket(result(input_tokens=-1))), "Expected `int` >= 0 - at `$.input_tokens`"),
        (page(bucket(result(output_tokens=1.0))), "got `float` - at `$.output_tokens`"),
        (page(bucket(result(num_model_requests=True))), "got `bool`"),
        (page(bucket(result(num_model_requests="5"))), "got `str`"),
        (page(bucket(result(input_tokens=10**16))), "<= 1000000000000000"),
        (page(bucket(result(input_tokens=10**40))), "<= 1000000000000000"),
        (page(bucket(result(input_cached_tokens=5001))), "more cached input tokens than input tokens"),
        (page(bucket(result(object="organization.costs.result"))), "only /v1/organization/usage/completions"),
        (page(bucket(result(input_tokens=10**15), result(input_tokens=10**15, batch=True))), "are too large"),
    ],
)
def test_json_that_says_what_cannot_be_is_refused_with_its_place(value: object, told: str):
    assert told in refusal(value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b" \n\t ", "is empty"),
        (b"{", "is not JSON"),
        (b'{"data": [NaN]}', "is not JSON"),
        (b'{"data": []} x', "is not JSON"),
        (b"[" * 100_000, "no usage export"),
        (b'{"data": "\xff"}', "no usage export"),
        (b'{"data": [{"start_time": \xff', "is not JSON"),
        (
            json.dumps(page(bucket(result(model="x")))).encode().replace(b'"x"', b'"\xff"'),
            "results[0] is no usage",
        ),
        (
            json.dumps(page(bucket(result(model="x")))).encode().replace(b'"x"', b"[" * 9_999 + b"]" * 9_999),
            "recursion",
        ),
        (b"x" * (MOST_BYTES + 1), "larger than 16 MB"),
    ],
)
def test_file_that_is_no_export_is_refused(data: bytes, told: str):
    assert told in refusal(data)


def test_years_of_days_are_refused():
    assert "at most 400 can be compared" in refusal(page(bucket(), bucket(start=MIDNIGHT + 400 * DAY)))


# ---- CSV -------------------------------------------------------------------------------------------------


def csv(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *lines]).encode()


def test_csv_is_read():
    export = read_usage_export(csv(LINE))
    assert export.rows == (ROW,)
    assert (export.first_day, export.last_day, export.goes_on) == (ROW.day, ROW.day, False)


@pytest.mark.parametrize(
    "data",
    [
        csv(LINE, ""),
        csv("", LINE, "", ""),
        b"\xef\xbb\xbf" + csv(LINE),
        csv(LINE).replace(b"\n", b"\r\n"),
        csv(" 2026-11-22 , gpt-5.5 ,5, 5000,1800,1000"),
        csv('"2026-11-22","gpt-5.5","5","5000","1800","1000"'),
        csv(
            "gpt-5.5,2026-11-22,1000,5,5000,1800",
            header="model,day,output_tokens,requests,input_tokens,cached_tokens",
        ),
    ],
)
def test_csv_as_other_programs_write_it_is_read_too(data: bytes):
    assert read_usage_export(data).rows == (ROW,)


@pytest.mark.parametrize(
    ("text", "nano"),
    [("0", 0), ("1.5", 1_500_000_000), ("0.000000001", 1), ("999999999", 999_999_999 * 10**9), ("", None)],
)
def test_cost_is_exact(text: str, nano: int | None):
    (row,) = read_usage_export(csv(f"{LINE},{text}", header=f"{HEADER},cost_usd")).rows
    assert row.cost_nano == nano


def test_days_between_lines_are_covered():
    export = read_usage_export(csv("2026-11-24,b,1,1,0,1", LINE))
    assert (export.first_day.day, export.last_day.day, export.partial_days) == (22, 24, ())
    assert [row.day.day for row in export.rows] == [22, 24]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (csv(), "no line below it"),
        (csv(LINE, header="day,model,requests"), "Line 1: the column input_tokens is missing"),
        (csv(LINE, header=f"{HEADER},colour"), "Line 1: there is no column 'colour'"),
        (csv(LINE, header=f"{HEADER},day"), "Line 1: a column stands there twice"),
        (csv(LINE, header=HEADER.upper()), "there is no column 'DAY'"),
        (LINE.encode(), "there is no column '2026-11-22'"),
        (b"hello", "there is no column 'hello'"),
        (csv(f"{LINE},5"), "Line 2 has 7 fields, and the header has 6"),
        (csv(LINE, "2026-11-23,b,1,1,1"), "Line 3 has 5 fields"),
        (csv(LINE, "", LINE), "Line 4 repeats 2026-11-22 'gpt-5.5' of line 2"),
        (csv(LINE.replace("5000", "-5000")), "Line 2: input_tokens is '-5000'"),
        (csv(LINE.replace("5000", "5000.0")), "Line 2: input_tokens is '5000.0'"),
        (csv(LINE.replace("5000", "5e3")), "Line 2: input_tokens is '5e3'"),
        (csv(LINE.replace("5000", "5_000")), "Line 2: input_tokens is '5_000'"),
        (csv(LINE.replace("5000", "NaN")), "Line 2: input_tokens is 'NaN'"),
        (csv(LINE.replace("5000", "")), "Line 2: input_tokens is ''"),
        (csv(LINE.replace("5000", "\u0665")), "Line 2: input_tokens is"),
        (csv(LINE.replace("5000", "1000000000000001")), "a whole number from 0 to 1000000000000000"),
        (csv(LINE.replace("5000", "9" * 5_000)), "Line 2: input_tokens is '9999"),
        (csv(LINE.replace("1800", "5001")), "Line 2 has more cached_tokens than input_tokens"),
        (csv(LINE.replace("2026-11-22", "2026-02-30")), "Line 2: '2026-02-30' is no day"),
        (csv(LINE.replace("2026-11-22", "22.11.2026")), "Line 2: '22.11.2026' is no day"),
        (csv(LINE.replace("2026-11-22", "20261122")), "is no day"),
        (csv(LINE.replace("2026-11-22", "1926-11-22")), "is no day"),
        (csv(LINE.replace("gpt-5.5", "")), "Line 2: the model '' is no name"),
        (csv(LINE.replace("gpt-5.5", "a\x1b[31m")), "is no name"),
        (csv(LINE.replace("gpt-5.5", "x" * 257)), "is no name"),
        (csv(LINE).replace(b"gpt", b"\xff\xfe"), "Line 2 is not UTF-8 text"),
        (csv(LINE.replace("gpt-5.5", '"gpt')), "Line 2 is not CSV"),
        (csv(LINE.replace("gpt-5.5", "g\rpt")), "Line 2 is not CSV"),
        (csv(LINE.replace("gpt-5.5", "x" * 200_000)), "Line 2 is not CSV: field larger"),
        (csv(LINE, "2028-11-22,b,1,1,0,1"), "at most 400 can be compared"),
        (csv(f"{LINE},-1", header=f"{HEADER},cost_usd"), "Line 2: cost_usd is '-1'"),
        (csv(f"{LINE},1e3", header=f"{HEADER},cost_usd"), "Line 2: cost_usd is '1e3'"),
        (csv(f"{LINE},nan", header=f"{HEADER},cost_usd"), "Line 2: cost_usd is 'nan'"),
        (csv(f"{LINE},1.0000000001", header=f"{HEADER},cost_usd"), "Line 2: cost_usd is"),
        (
            csv(*(f"2026-11-22,model-{number},1,1,0,1" for number in range(20_001))),
            "Line 20002 is one too many",
        ),
    ],
)
def test_csv_that_is_wrong_is_refused_with_its_line(data: bytes, told: str):
    assert told in refusal(data)


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: f"{HEADER}\n{text}".encode("utf-8", "ignore"))
)
def test_any_bytes_are_read_or_refused(data: bytes):
    try:
        export = read_usage_export(data)
    except ExportFault:
        assert refusal(data)
    else:
        assert export.first_day <= export.last_day


@given(
    st.lists(
        st.tuples(
            st.dates(date(2026, 1, 1), date(2026, 12, 31)), st.sampled_from("abc"), st.integers(0, 10**15)
        ),
        min_size=1,
        unique_by=lambda row: row[:2],
    )
)
def test_both_forms_say_the_same(rows: list[tuple[date, str, int]]):
    lines = [f"{day},{model},{count},{count},{count // 2},{count}" for day, model, count in rows]
    by_day: dict[date, list[object]] = {}
    for day, model, count in rows:
        counted = {"num_model_requests": count, "input_tokens": count, "input_cached_tokens": count // 2}
        by_day.setdefault(day, []).append(result(model=model, output_tokens=count, **counted))
    buckets = [
        bucket(*results, start=int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()))
        for day, results in by_day.items()
    ]
    assert read(page(*buckets)) == read_usage_export(csv(*lines)).rows
