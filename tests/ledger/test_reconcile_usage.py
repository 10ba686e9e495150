"""Our rows against an upstream's word, on a real database: what is counted, on which day, and what is refused."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from fakes.offices import Clock
from runapi.core.keys import Mode
from runapi.core.reconcile import ReasonCode
from runapi.core.records import Outcome, RequestRecord
from runapi.core.upstream_usage import ExportRow
from runapi.core.usage import Usage, UsageSource
from runapi.flows.office import CommandRefused, Office
from runapi.flows.reconcile_usage import ReconcileUsage, reconcile_usage
from runapi.flows.reconciliation_rows import TEXTS, ComparedRow, ReconciliationRow
from runapi.store.database import Database
from runapi.store.requests import insert_records
from runapi.store.secrets import Vault
from runapi.store.upstreams import insert_upstream
from runapi.wire.catalog_file import package_catalog

DAY = date(2026, 11, 22)
BEGIN_US = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1_000_000
HOUR_US = 3_600 * 1_000_000
DAY_US = 24 * HOUR_US
DONE = RequestRecord(
    id="",
    at_us=BEGIN_US + 12 * HOUR_US,
    account_id=1,
    key_id=1,
    mode=Mode.LIVE,
    endpoint="/v1/chat/completions",
    model="gpt-5.5",
    stream=False,
    status=200,
    outcome=Outcome.COMPLETED,
    upstream="openai",
    upstream_model="gpt-5.5",
    attempts=1,
    total_us=1_000_000,
    usage=Usage(input=600, cached=400, output=300),
    usage_source=UsageSource.REPORTED,
    upstream_cost_nano=12_200_000,
)
THEIRS = ExportRow(
    day=DAY, model="gpt-5.5-2026-04-23", requests=1, input_tokens=1_000, cached_tokens=400, output_tokens=300
)


@pytest.fixture
def office(database: Database) -> Office:
    models = {"gpt-5.5": "gpt-5.5", "gpt-5.4-mini": "my-mini"}
    for name in ("openai", "azure"):
        database.run_now(
            lambda connection, name=name: insert_upstream(
                connection, name=name, base_url="http://a", models=models, key_ciphertext=b"x", now_us=1
            )
        )
    return Office(Vault.unlock(database), package_catalog(), Clock(BEGIN_US + 9 * DAY_US), bytes)


def store(database: Database, *changes: dict[str, object]) -> None:
    """Rows of requests, each like DONE but for what is said."""
    rows = [
        msgspec.structs.replace(DONE, **{"id": f"req_{number:032x}", **changed})
        for number, changed in enumerate(changes)
    ]
    database.run_now(insert_records, rows)


async def reconciled(
    database: Database, office: Office, *rows: ExportRow, **asked: object
) -> ReconciliationRow:
    days = {"first_day": DAY, "last_day": DAY}
    return await reconcile_usage(database, office, ReconcileUsage(rows=list(rows), **{**days, **asked}))  # type: ignore[arg-type]


async def one_row(database: Database, office: Office, *rows: ExportRow, **asked: object) -> ComparedRow:
    (row,) = (await reconciled(database, office, *rows, **asked)).rows
    return row


def codes(row: ComparedRow) -> dict[ReasonCode, int]:
    return {reason.code: reason.requests for reason in row.reasons}


async def test_rows_that_agree_are_equal(database: Database, office: Office) -> None:
    store(database, {})
    found = await reconciled(database, office, THEIRS)
    assert found.equal
    assert found.total is not None
    assert (found.total.official_difference_usd, found.total.official_difference_percent) == ("0", "0.00")
    assert (found.rows[0].model, found.rows[0].expected_usd, found.rows[0].billed_usd) == (
        "gpt-5.5",
        "0.0122",
        None,
    )


async def test_what_never_reached_a_paid_upstream_is_not_counted(database: Database, office: Office) -> None:
    store(
        database,
        {},
        {"mode": Mode.TEST},
        {"upstream": None, "attempts": 0, "outcome": Outcome.REFUSED},
        {"at_us": BEGIN_US - 1},
        {"at_us": BEGIN_US + DAY_US},
    )
    assert (await reconciled(database, office, THEIRS)).equal


async def test_day_has_its_first_and_last_microsecond(database: Database, office: Office) -> None:
    store(database, {"at_us": BEGIN_US}, {"at_us": BEGIN_US + DAY_US - 1})
    row = await one_row(database, office)
    assert row.ours is not None
    assert (row.ours.requests, row.ours.input_tokens, row.ours.cached_tokens) == (2, 2_000, 800)


async def test_difference_is_worth_what_its_tokens_cost_officially(
    database: Database, office: Office
) -> None:
    store(database, {"usage_source": UsageSource.ESTIMATED})
    theirs = msgspec.structs.replace(THEIRS, output_tokens=400, cost_nano=15_000_000)
    row = await one_row(database, office, theirs)
    assert row.difference.output_tokens == -100
    assert (row.official_difference_usd, row.official_difference_percent) == ("-0.003", "-19.74")
    assert (row.expected_usd, row.billed_usd) == ("0.0122", "0.015")
    assert codes(row) == {ReasonCode.ESTIMATED: 1}
    assert row.reasons[0].text == "1 of ours had no usage report, and was counted here"


async def test_every_kind_of_doubtful_request_is_counted(database: Database, office: Office) -> None:
    nothing = {"usage": Usage(), "usage_source": UsageSource.NONE}
    store(
        database,
        {"usage_source": UsageSource.ESTIMATED},
        {"outcome": Outcome.FAILED},
        {"outcome": Outcome.CANCELLED},
        {"outcome": Outcome.CANCELLED, **nothing},
        {"outcome": Outcome.FAILED, **nothing},
        {"outcome": Outcome.FAILED, **nothing},
        {"attempts": 3},
        {"total_us": 13 * HOUR_US},  # it ended on the next day
        {"at_us": BEGIN_US + 1},
        {"at_us": BEGIN_US - 1},
        {"at_us": BEGIN_US + DAY_US + 1},
        {"upstream": None, "attempts": 0, "error_code": "server_restarted", **nothing},
    )
    theirs = msgspec.structs.replace(THEIRS, requests=99, input_tokens=99_000, output_tokens=99_000)
    row = await one_row(database, office, theirs)
    assert row.ours is not None
    assert row.ours.requests == 6
    assert codes(row) == {
        ReasonCode.ESTIMATED: 1,
        ReasonCode.FAILED: 1,
        ReasonCode.CANCELLED: 2,
        ReasonCode.UNCOUNTED: 2,
        ReasonCode.MORE_ATTEMPTS: 2,
        ReasonCode.INTERRUPTED: 1,
        ReasonCode.NEAR_MIDNIGHT: 4,
        ReasonCode.UNEXPLAINED: 93 - 2 - 2 - 2 - 1 - 4,
    }


async def test_one_upstream_is_compared_with_its_own_requests(database: Database, office: Office) -> None:
    store(database, {}, {"upstream": "azure"})
    assert (await reconciled(database, office, THEIRS, upstream="openai")).equal
    row = await one_row(database, office, THEIRS)
    assert row.difference.requests == 1


async def test_upstream_that_was_removed_can_still_be_compared(database: Database, office: Office) -> None:
    store(database, {"upstream": "removed"})
    assert (await reconciled(database, office, THEIRS, upstream="removed")).equal
    with pytest.raises(CommandRefused, match=r"no upstream named 'azuer'.*Did you mean azure\?"):
        await reconciled(database, office, THEIRS, upstream="azuer")


async def test_upstreams_own_name_for_a_model_is_compared_and_priced_as_ours(
    database: Database, office: Office
) -> None:
    store(database, {"model": "gpt-5.4-mini", "upstream_model": "my-mini"})
    theirs = msgspec.structs.replace(THEIRS, model="my-mini", requests=2)
    row = await one_row(database, office, theirs)
    assert row.official_difference_usd == "0"
    assert codes(row) == {ReasonCode.UNEXPLAINED: 1}
    unused = await reconciled(database, office, theirs, upstream="azure")
    assert [reason.code for reason in unused.rows[0].reasons] == [ReasonCode.DAY_NOT_HERE]


async def test_today_is_not_over_yet(database: Database, office: Office) -> None:
    today = msgspec.structs.replace(THEIRS, day=date(2026, 12, 1))
    row = await one_row(database, office, today, first_day=today.day, last_day=today.day)
    assert ReasonCode.PARTIAL_DAY in codes(row)


async def test_nothing_on_either_side_is_an_empty_answer(database: Database, office: Office) -> None:
    found = await reconciled(database, office)
    assert (found.rows, found.total, found.equal) == ([], None, True)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"first_day": date(2026, 11, 23)}, "in their order"),
        ({"last_day": date(2028, 1, 1)}, "1 to 400 days"),
        ({"first_day": date(1, 1, 1), "last_day": date(1, 1, 1)}, "of the years 2000 to 2099"),
        ({"first_day": date(9999, 12, 31), "last_day": date(9999, 12, 31)}, "of the years 2000 to 2099"),
        ({"rows": [THEIRS, THEIRS]}, "There are two rows of 2026-11-22 'gpt-5.5-2026-04-23'"),
        ({"rows": [msgspec.structs.replace(THEIRS, day=date(2026, 11, 23))]}, "not within"),
        ({"rows": [msgspec.structs.replace(THEIRS, cached_tokens=1_001)]}, "more cached tokens"),
        ({"rows": [msgspec.structs.replace(THEIRS, model="a\x1b[31m")]}, "no name of a model"),
        ({"upstream": "sandbox"}, "built-in provider"),
        ({"upstream": "a b"}, "cannot be the name"),
    ],
)
async def test_parameters_that_no_file_can_have_are_refused(
    database: Database, office: Office, asked: dict[str, object], told: str
) -> None:
    whole = {"first_day": DAY, "last_day": DAY, "rows": [THEIRS], **asked}
    with pytest.raises(CommandRefused, match=told):
        await reconcile_usage(database, office, ReconcileUsage(**whole))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {"requests": -1},
        {"requests": 1.5},
        {"requests": 10**15 + 1},
        {"requests": True},
        {"model": ""},
        {"model": "x" * 257},
        {"day": "22.11.2026"},
        {"cost_nano": -1},
        {"colour": "red"},
    ],
)
def test_rows_that_no_file_can_have_are_no_parameters(changed: dict[str, object]) -> None:
    row = {**msgspec.to_builtins(THEIRS), **changed}
    asked = {"first_day": "2026-11-22", "last_day": "2026-11-22", "rows": [row]}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(asked), type=ReconcileUsage)


def test_every_reason_has_words() -> None:
    assert set(TEXTS) == set(ReasonCode)
