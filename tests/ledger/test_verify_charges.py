"""`verify` prices every charge again: its usage times the pinned price is what was charged, and the request's row says so."""
# ruff: noqa: S608 - the names put into SQL are the test's own

import asyncio

import msgspec
import pytest
from sqlalchemy import Connection, text

from ledger.filled import AT_US, write
from ledger.priced import (
    DEARER,
    MODEL,
    OTHER_MODEL,
    TABLE,
    USED,
    checkpoint_at,
    fill_priced,
    hold_at,
    open_shop,
    price,
    settle_at,
)
from ledger.test_verify import executes, found_after, rehash_from
from runapi.core.ledger.faults import Area, Fault
from runapi.core.ledger.operations import Operation, Settle
from runapi.core.money import nano_from_pico
from runapi.core.pricing import Charge, charge
from runapi.core.usage import Usage
from runapi.store.database import Database
from runapi.store.ledger.batch import write_operations
from runapi.store.ledger.recovery import recover
from runapi.store.ledger.verify import verify, verify_running
from runapi.store.prices import publish_prices

SETTLED = "(SELECT min(seq) FROM transfer WHERE kind = 'settle' AND cost_pico > 1000000)"
ITS_REQUEST = f"(SELECT request_id FROM transfer WHERE seq = {SETTLED})"
COST = charge(TABLE, USED)


def faults(database: Database) -> tuple[Fault, ...]:
    return database.run_now(verify).faults


def test_right_charges_of_every_tier_and_length_have_no_fault(database: Database) -> None:
    fill_priced(database)
    found = database.run_now(verify)
    assert found.faults == ()
    assert (found.checked[Area.PRICES], found.checked[Area.REQUESTS]) == (34, 40)


async def test_running_server_prices_again_in_steps(database: Database) -> None:
    fill_priced(database)
    found = await verify_running(database)
    assert found == database.run_now(verify)
    assert found.checked[Area.PRICES] == 34


@pytest.mark.parametrize(
    ("cost", "tier", "told"),
    [
        (
            Charge(COST.pico + 1, nano_from_pico(COST.pico + 1)),
            None,
            f"its usage at price version 1 costs {COST.pico}",
        ),
        (Charge(0, 0), None, "cost 0 pico-dollars"),
        (charge(DEARER, USED), None, "its usage at price version 1 costs"),
        (charge(TABLE, USED, "flex"), None, "its usage at price version 1 costs"),
        (COST, "priority", f"costs {charge(TABLE, USED, 'priority').pico}"),
    ],
)
def test_wrong_charge_is_found_though_everything_agrees_with_it(
    database: Database, cost: Charge, tier: str | None, told: str
) -> None:
    seat = open_shop(database)
    asked = hold_at("req_wrong")
    write(database, [asked, settle_at(asked, cost, tier=tier)], seat)
    (fault,) = faults(database)
    assert (fault.area, fault.seq) == (Area.PRICES, 8)
    assert told in fault.text


def test_charge_is_priced_by_the_version_of_its_hold_and_no_later_one(database: Database) -> None:
    seat = open_shop(database)
    first, second = hold_at("req_1", 1), hold_at("req_2", 2)
    ends = [settle_at(first, COST), settle_at(second, charge(DEARER, USED))]
    write(database, [first, second, *ends], seat)
    assert faults(database) == ()


@pytest.mark.parametrize(("version", "model"), [(3, "gpt-5.5"), (2, OTHER_MODEL), (1, "gpt-9")])
def test_version_that_does_not_price_the_model_is_a_fault(
    database: Database, version: int, model: str
) -> None:
    seat = open_shop(database)
    asked = hold_at("req_unknown", version, model=model)
    write(database, [asked, settle_at(asked, COST)], seat)
    (fault,) = faults(database)
    assert fault.area is Area.PRICES
    assert f"priced by version {version}, in which '{model}' has no price" in fault.text


def test_charge_without_a_price_version_is_not_priced(database: Database) -> None:
    seat = open_shop(database)
    asked = hold_at("req_free", 0)
    write(database, [asked, settle_at(asked, Charge(123_000, 123))], seat)
    found = database.run_now(verify)
    assert (found.faults, found.checked[Area.PRICES]) == ((), 0)


def test_charge_without_a_row_of_the_request_is_a_fault(database: Database) -> None:
    seat = open_shop(database)
    asked = hold_at("req_lost")
    write(database, [asked, msgspec.structs.replace(settle_at(asked, COST), record=None)], seat)
    (fault,) = faults(database)
    assert (fault.area, fault.text) == (
        Area.REQUESTS,
        "req_lost was charged, and has no row of its own",
    )


def test_cost_above_the_hold_is_priced_whole_and_charged_in_part(database: Database) -> None:
    seat = open_shop(database)
    asked = hold_at("req_over", amount_nano=COST.nano - 1_000)
    write(database, [asked, settle_at(asked, COST)], seat)
    found = database.run_now(verify)
    assert (found.faults, found.checked[Area.PRICES]) == ((), 1)


def test_recovered_request_is_priced_at_its_checkpoint(database: Database) -> None:
    seat = open_shop(database)
    with_progress, without = hold_at("req_progress"), hold_at("req_nothing")
    write(database, [with_progress, without, checkpoint_at(with_progress)], seat)
    assert recover(database, AT_US + 60_000_000).settled == 1
    found = database.run_now(verify)
    assert (found.faults, found.checked[Area.PRICES], found.checked[Area.REQUESTS]) == ((), 1, 2)


def test_checkpoint_at_another_price_is_found_after_the_recovery(database: Database) -> None:
    seat = open_shop(database)
    asked = hold_at("req_progress")
    wrong = msgspec.structs.replace(checkpoint_at(asked), progress_pico=COST.pico - 1)
    write(database, [asked, wrong], seat)
    recover(database, AT_US + 60_000_000)
    (fault,) = faults(database)
    assert fault.area is Area.PRICES


EDITED_REQUESTS = {
    "its cost": ("cost_nano = cost_nano + 1", Area.REQUESTS, "says it cost"),
    "its exact cost": ("cost_pico = cost_pico + 1", Area.REQUESTS, "pico-dollars; it was charged for"),
    "its tokens": ("input_tokens = input_tokens + 1", Area.REQUESTS, "tokens; it was charged for"),
    "its reasoning tokens": (
        "reasoning_tokens = reasoning_tokens + 1",
        Area.REQUESTS,
        "tokens; it was charged",
    ),
    "its model": ("model = 'gpt-5.4-nano'", Area.PRICES, "gpt-5.4-nano"),
    "a model that is none": ("model = 'gpt-x'", Area.PRICES, "'gpt-x' has no price"),
}


@pytest.mark.parametrize("what", EDITED_REQUESTS)
def test_edited_row_of_a_request_is_found(database: Database, what: str) -> None:
    change, area, told = EDITED_REQUESTS[what]
    seat = open_shop(database)
    asked = hold_at("req_edited", 2 if "5.4-nano" in change else 1)
    write(database, [asked, settle_at(asked, charge(DEARER, USED) if "5.4-nano" in change else COST)], seat)
    found = found_after(database, executes(f"UPDATE request SET {change}"))
    assert found.found == {area: 1}
    assert told in found.faults[0].text


def test_edited_tier_of_a_request_is_found(database: Database) -> None:
    seat = open_shop(database)
    asked = hold_at("req_edited")
    write(database, [asked, settle_at(asked, COST)], seat)
    found = found_after(database, executes("UPDATE request SET service_tier = 'flex'"))
    assert found.found == {Area.PRICES: 1}


def test_deleted_row_of_a_charged_request_is_found(database: Database) -> None:
    fill_priced(database)
    found = found_after(database, executes(f"DELETE FROM request WHERE id = {ITS_REQUEST}"))
    assert found.found == {Area.REQUESTS: 1}


def test_void_whose_request_claims_a_cost_is_found(database: Database) -> None:
    fill_priced(database)
    void = "(SELECT request_id FROM transfer WHERE kind = 'void' LIMIT 1)"
    found = found_after(database, executes(f"UPDATE request SET cost_pico = 1 WHERE id = {void}"))
    assert found.found == {Area.REQUESTS: 1}
    assert "it was charged for 0" in found.faults[0].text


FORGERIES = {
    "another usage": f"UPDATE transfer SET usage = '{{\"input\": 1}}' WHERE seq = {SETTLED}",
    "no usage": f"UPDATE transfer SET usage = '' WHERE seq = {SETTLED}",
    "a usage that is no JSON": f"UPDATE transfer SET usage = usage || '}}' WHERE seq = {SETTLED}",
    "counts as text": f'UPDATE transfer SET usage = \'{{"input": "1"}}\' WHERE seq = {SETTLED}',
    "another version": f"UPDATE transfer SET price_version = 3 - price_version WHERE seq = {SETTLED}",
    "a version that is none": f"UPDATE transfer SET price_version = 9 WHERE seq = {SETTLED}",
    "a lower cost": f"UPDATE transfer SET cost_pico = cost_pico - 1 WHERE seq = {SETTLED}",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_charge_with_right_hashes_is_found(database: Database, forgery: str) -> None:
    fill_priced(database)

    def forge(connection: Connection) -> None:
        executes(FORGERIES[forgery])(connection)
        rehash_from(connection, 1)

    found = found_after(database, forge)
    assert found.found[Area.PRICES] >= 1, found.faults


def test_other_version_than_the_hold_had_is_found(database: Database) -> None:
    fill_priced(database)

    def forge(connection: Connection) -> None:
        connection.execute(text(f"UPDATE transfer SET price_version = 0 WHERE seq = {SETTLED}"))
        rehash_from(connection, 1)

    (fault,) = found_after(database, forge).faults
    assert fault.area is Area.RULES
    assert "and this row has 0" in fault.text


def disarm_prices(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("DROP TRIGGER price_version_no_update"))
    else:
        connection.execute(text("ALTER TABLE price_version DISABLE TRIGGER price_version_no_edit"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("replace(ours, '2500001', '2500002')", "costs"),
        ("'{'", "the price of gpt-5.5 in version 1 cannot be read"),
    ],
)
def test_edited_price_is_found_by_what_it_priced(database: Database, change: str, told: str) -> None:
    fill_priced(database)

    def edit(connection: Connection) -> None:
        disarm_prices(connection)
        edited = f"UPDATE price_version SET ours = {change} WHERE version = 1 AND model = 'gpt-5.5'"
        executes(edited)(connection)

    found = found_after(database, edit)
    assert any(told in fault.text for fault in found.faults), found.faults
    assert set(found.found) == {Area.PRICES}


def test_request_that_ended_twice_is_found_where_the_index_is_gone(database: Database) -> None:
    """Somebody who knows the chain repeats a request, with everything that follows from it."""
    seat = open_shop(database)
    asked = hold_at("req_twice")
    write(database, [asked, settle_at(asked, COST)], seat)

    def repeat(connection: Connection) -> None:
        connection.execute(text("DROP INDEX transfer_one_end"))
        columns = [row[0] for row in connection.execute(text("SELECT * FROM transfer")).cursor.description]
        kept = ", ".join(name for name in columns if name not in {"seq", "tid", "hash"})
        for added, tid in ((2, "aaaaaaaaaaaaaaaa"), (2, "bbbbbbbbbbbbbbbb")):
            values = {"added": added, "tid": tid.encode(), "hash": bytes(32)}
            sql = (
                f"INSERT INTO transfer (seq, tid, hash, {kept}) SELECT seq + :added, :tid, :hash, {kept} "
                "FROM transfer WHERE seq = (SELECT max(seq) - 1 FROM transfer)"
            )
            connection.execute(text(sql), values)
        charged = {"nano": COST.nano}
        connection.execute(text("UPDATE ledger_account SET posted = posted - :nano WHERE id = 18"), charged)
        connection.execute(text("UPDATE ledger_account SET posted = posted + :nano WHERE id = 4"), charged)
        connection.execute(text("UPDATE ledger_tail SET seq = seq + 2"))
        rehash_from(connection, 1)

    found = found_after(database, repeat)
    assert [fault.text for fault in found.faults] == ["req_twice ended 2 times"]


def priced_requests(prefix: str, count: int) -> list[Operation]:
    holds = [hold_at(f"req_{prefix}{number}", amount_nano=COST.nano) for number in range(count)]
    return [operation for asked in holds for operation in (asked, settle_at(asked, COST))]


async def test_running_server_verifies_beside_what_is_written(database: Database) -> None:
    """Requests end, and prices are published, between the steps of one verification."""
    seat = open_shop(database)
    write(database, priced_requests("before", 1_200), seat)
    verifying = asyncio.create_task(verify_running(database))
    written = 0
    while not verifying.done():
        version = 3 + written
        await database.run(publish_prices, version, [price(MODEL, TABLE)], AT_US)
        asked = hold_at(f"req_beside{written}", version, COST.nano)
        operations = [asked, settle_at(asked, COST)]
        await database.run(write_operations, operations, node=seat.node, epoch=seat.epoch)
        written += 1
    found = verifying.result()
    assert found.faults == ()
    assert written > 1
    assert found.checked[Area.PRICES] > 1_200


def test_usage_of_nothing_is_priced_at_nothing(database: Database) -> None:
    seat = open_shop(database)
    asked = hold_at("req_empty")
    end: Settle = settle_at(asked, Charge(0, 0), Usage())
    write(database, [asked, end], seat)
    assert faults(database) == ()
