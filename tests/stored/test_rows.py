"""The rows of answers that are kept, on both engines: written with the charge, found by their owner alone, deleted."""

import msgspec
import pytest
from sqlalchemy import func, select, text

from fakes.both_engines import ON_BOTH
from ledger.filled import hold, open_accounts, settle, write
from runapi.core.keys import Mode
from runapi.core.ledger.operations import Operation, Settled
from runapi.core.stored_responses import StoredResponse, unpack
from runapi.store import stored_responses
from runapi.store.database import Database
from runapi.store.ledger.customers import read_balance
from runapi.store.stored_responses import (
    MOST_FORGOTTEN,
    Shelf,
    delete_stored,
    drop_oldest,
    find_holding,
    find_stored,
    forget_stored,
    list_large,
)
from runapi.store.stored_rows import stored_statements
from runapi.store.stored_schema import stored_item, stored_response
from stored.answers import AT_US, stored

pytestmark = ON_BOTH
SHELF = Shelf(1, Mode.LIVE, 0)


def keep(database: Database, *responses: StoredResponse) -> None:
    def work(connection):
        for sql, values in stored_statements(connection, responses):
            stored_responses_cursor(connection).execute(sql, values)

    database.run_now(work)


def stored_responses_cursor(connection):
    from runapi.store.driver import open_cursor  # noqa: PLC0415 - as the ledger's batch does

    return open_cursor(connection)


def ids(database: Database) -> list[tuple[int, str, str]]:
    key = (stored_response.c.account_id, stored_response.c.mode, stored_response.c.id)
    return [tuple(row) for row in database.run_now(lambda c: c.execute(select(*key).order_by(*key)).all())]


def item_count(database: Database) -> int:
    return database.run_now(lambda c: c.execute(select(func.count()).select_from(stored_item)).scalar_one())


# ---- written with the charge -----------------------------------------------------------------------------


def test_answer_is_kept_in_the_commit_that_charges_for_it(database: Database) -> None:
    seat = open_accounts(database, 1)
    write(database, [hold("req_1")], seat)
    kept = stored(body=b'{"id":"resp_1"}', items=b'["x"]')
    (outcome,) = write(database, [msgspec.structs.replace(settle("req_1", 40), stored=kept)], seat)
    assert isinstance(outcome, Settled)
    found = database.run_now(find_stored, SHELF, "resp_1")
    assert found is not None
    assert (unpack(found.body), unpack(found.items)) == (b'{"id":"resp_1"}', b'["x"]')
    assert (found.account_id, found.mode, found.id) == (1, Mode.LIVE, "resp_1")
    assert (found.at_us, found.upstream) == (AT_US, "first")


def test_charge_that_is_refused_keeps_nothing(database: Database) -> None:
    seat = open_accounts(database, 1)
    write(database, [msgspec.structs.replace(settle("req_none", 40), stored=stored())], seat)
    assert ids(database) == []


def test_commit_that_fails_neither_charges_nor_keeps(database: Database) -> None:
    seat = open_accounts(database, 1)
    write(database, [hold("req_1")], seat)
    database.run_now(lambda c: c.execute(text("DROP TABLE stored_item")))
    ending: list[Operation] = [msgspec.structs.replace(settle("req_1", 40), stored=stored())]
    with pytest.raises(Exception, match="stored_item"):
        write(database, ending, seat)
    assert ids(database) == []
    balance = database.run_now(read_balance, 1, Mode.LIVE)
    assert balance is not None
    assert balance.held == 100


def test_many_answers_are_kept_in_one_batch(database: Database) -> None:
    seat = open_accounts(database, 1)
    names = [f"req_{number}" for number in range(150)]
    write(database, [hold(name, amount_nano=1) for name in names], seat)
    endings: list[Operation] = [
        msgspec.structs.replace(
            settle(name, 1), stored=stored(f"resp_{name}", item_ids=(f"m{name}", f"f{name}"))
        )
        for name in names
    ]
    write(database, endings, seat)
    assert {row[2] for row in ids(database)} == {f"resp_{name}" for name in names}
    assert item_count(database) == 300


def test_id_that_comes_again_stands_for_the_newer_answer(database: Database) -> None:
    keep(database, stored(body=b"1"), stored(body=b"2", item_ids=("msg_2",)))
    keep(database, stored(body=b"3", upstream=None, item_ids=("msg_1",)))
    found = database.run_now(find_stored, SHELF, "resp_1")
    assert found is not None
    assert (unpack(found.body), found.upstream) == (b"3", None)
    assert len(ids(database)) == 1


def test_one_id_of_several_owners_is_kept_for_each_in_one_batch(database: Database) -> None:
    owners = [(account_id, mode) for account_id in (1, 2) for mode in Mode]
    keep(database, *[stored(account_id=account_id, mode=mode) for account_id, mode in owners])
    assert len(ids(database)) == item_count(database) == 4


# ---- found -----------------------------------------------------------------------------------------------


def test_same_id_in_two_accounts_and_modes_is_four_answers(database: Database) -> None:
    owners = [(account_id, mode) for account_id in (1, 2) for mode in Mode]
    for account_id, mode in owners:
        body = f"{account_id} {mode}".encode()
        keep(database, stored(account_id=account_id, mode=mode, body=body))
    for account_id, mode in owners:
        shelf = Shelf(account_id, mode, 0)
        found = database.run_now(find_stored, shelf, "resp_1")
        assert found is not None
        assert unpack(found.body) == f"{account_id} {mode}".encode()
        (holding,) = database.run_now(find_holding, shelf, ["msg_1"])
        assert unpack(holding.body) == f"{account_id} {mode}".encode()
    assert database.run_now(delete_stored, Shelf(1, Mode.TEST, 0), "resp_1")
    assert len(ids(database)) == 3
    assert database.run_now(find_holding, Shelf(1, Mode.TEST, 0), ["msg_1"]) == []
    assert database.run_now(find_holding, SHELF, ["msg_1"]) != []


def test_what_is_too_old_is_not_found_though_it_is_there(database: Database) -> None:
    keep(database, stored())
    assert database.run_now(find_stored, Shelf(1, Mode.LIVE, AT_US), "resp_1") is not None
    late = Shelf(1, Mode.LIVE, AT_US + 1)
    assert database.run_now(find_stored, late, "resp_1") is None
    assert database.run_now(find_holding, late, ["msg_1"]) == []
    assert not database.run_now(delete_stored, late, "resp_1")


def test_items_lead_to_the_answers_that_they_stand_in(database: Database) -> None:
    keep(database, stored("resp_1", item_ids=("a", "b")), stored("resp_2", item_ids=("c",)))
    found = database.run_now(find_holding, SHELF, ["a", "b", "c", "none"])
    assert {one.id: set(one.item_ids) for one in found} == {"resp_1": {"a", "b"}, "resp_2": {"c"}}
    assert database.run_now(find_holding, SHELF, []) == []


def test_thousands_of_items_can_be_named_at_once(database: Database) -> None:
    names = [f"msg_{number}" for number in range(1_200)]
    keep(database, *[stored(f"resp_{name}", item_ids=(name,)) for name in names])
    assert len(database.run_now(find_holding, SHELF, names)) == 1_200


# ---- deleted ---------------------------------------------------------------------------------------------


def test_deleted_answer_is_gone_with_its_items_and_leaves_the_others(database: Database) -> None:
    keep(database, stored("resp_1", item_ids=("a", "b")), stored("resp_2", item_ids=("c",)))
    assert database.run_now(delete_stored, SHELF, "resp_1")
    assert not database.run_now(delete_stored, SHELF, "resp_1")
    assert ids(database) == [(1, "live", "resp_2")]
    assert item_count(database) == 1


def test_old_answers_are_forgotten_some_at_a_time(database: Database) -> None:
    keep(
        database,
        *[stored(f"resp_{number}", item_ids=(f"m{number}",)) for number in range(MOST_FORGOTTEN + 5)],
    )
    keep(database, stored("resp_new", at_us=AT_US + 1, item_ids=("new",)))
    assert database.run_now(forget_stored, AT_US + 1) == MOST_FORGOTTEN
    assert database.run_now(forget_stored, AT_US + 1) == 5
    assert database.run_now(forget_stored, AT_US + 1) == 0
    assert ids(database) == [(1, "live", "resp_new")]
    assert item_count(database) == 1


def test_oldest_answers_of_an_account_make_way(database: Database) -> None:
    kept = [stored(f"resp_{number}", at_us=AT_US + number, body=b"x" * 100) for number in range(6)]
    size = kept[0].size_bytes
    keep(database, *kept, stored("resp_other", account_id=2), stored("resp_test", mode=Mode.TEST))
    assert database.run_now(drop_oldest, 1, Mode.LIVE, 6 * size) == 0
    assert database.run_now(list_large, 6 * size) == []
    assert database.run_now(list_large, 6 * size - 1) == [(1, Mode.LIVE)]
    assert database.run_now(drop_oldest, 1, Mode.LIVE, 3 * size + 1) == 3
    left = {row[2] for row in ids(database)}
    assert left == {"resp_3", "resp_4", "resp_5", "resp_other", "resp_test"}


def test_nothing_may_be_left_of_an_account_with_too_large_answers(database: Database) -> None:
    keep(database, stored("resp_1"), stored("resp_2", at_us=AT_US + 1))
    assert database.run_now(drop_oldest, 1, Mode.LIVE, 0) == 2
    assert database.run_now(stored_responses.drop_oldest, 1, Mode.LIVE, 0) == 0
