"""Accounts have unique names; keys are found by digest and ended by id or prefix."""

import pytest
from sqlalchemy.exc import IntegrityError

from runapi.core.accounts import Account, Key
from runapi.core.keys import DisconnectPolicy, Mode, ParameterPolicy, Principal
from runapi.store import accounts, keys
from runapi.store.database import Database
from runapi.store.faults import AlreadyExists, Ambiguous, NotFound


@pytest.fixture
def acme(database: Database) -> Account:
    return database.run_now(accounts.create_account, "acme", 1)


def issue(database: Database, account: Account, prefix: str, digest: bytes | None = None) -> Key:
    return database.run_now(
        keys.insert_key,
        account.id,
        Mode.TEST if prefix.startswith("runapi_test_") else Mode.LIVE,
        digest or prefix.encode().ljust(32, b"."),
        prefix,
        DisconnectPolicy.CANCEL,
        ParameterPolicy.STRICT,
        5,
    )


def test_accounts_are_listed_in_the_order_in_which_they_were_opened(database: Database) -> None:
    made = [
        database.run_now(accounts.create_account, name, at) for name, at in (("b", 9), ("a", 3), ("B", 4))
    ]
    assert database.run_now(accounts.list_accounts) == made
    assert [account.created_us for account in made] == [9, 3, 4]


def test_name_of_an_account_is_taken_once(database: Database, acme: Account) -> None:
    with pytest.raises(AlreadyExists, match=r"'acme'.*another name"):
        database.run_now(accounts.create_account, "acme", 2)


def test_account_is_found_by_its_exact_name(database: Database, acme: Account) -> None:
    assert database.run_now(accounts.find_account, "acme") == acme
    for other in ("ACME", "acm%", "acm_", "", "' OR 1=1 --"):
        assert database.run_now(accounts.find_account, other) is None
        with pytest.raises(NotFound, match="accounts list"):
            database.run_now(accounts.require_account, other)


def test_stored_key_comes_back_with_every_field(database: Database, acme: Account) -> None:
    key = issue(database, acme, "runapi_test_AbCd")
    assert key == Key(
        id=key.id,
        account_id=acme.id,
        account="acme",
        mode=Mode.TEST,
        prefix="runapi_test_AbCd",
        on_disconnect=DisconnectPolicy.CANCEL,
        on_refused_parameter=ParameterPolicy.STRICT,
        created_us=5,
        revoked_us=None,
    )
    assert database.run_now(keys.list_keys, "acme") == [key]


def test_key_of_an_unknown_account_is_refused(database: Database) -> None:
    with pytest.raises(NotFound, match="accounts list"):
        issue(database, Account(77, "ghost", 1), "runapi_live_AbCd")


def test_digest_is_whole_and_unique(database: Database, acme: Account) -> None:
    issue(database, acme, "runapi_live_AbCd", b"d" * 32)
    for digest in (b"d" * 32, b"d" * 31):
        with pytest.raises(IntegrityError):
            issue(database, acme, "runapi_live_EfGh", digest)


def test_keys_are_listed_by_account_or_all_in_order_of_issue(database: Database, acme: Account) -> None:
    other = database.run_now(accounts.create_account, "other", 1)
    first, second, third = (
        issue(database, account, prefix)
        for account, prefix in (
            (acme, "runapi_live_zzzz"),
            (other, "runapi_live_mmmm"),
            (acme, "runapi_live_aaaa"),
        )
    )
    assert database.run_now(keys.list_keys) == [first, second, third]
    assert database.run_now(keys.list_keys, "acme") == [first, third]
    with pytest.raises(NotFound, match="'nobody'"):
        database.run_now(keys.list_keys, "nobody")


def test_key_is_revoked_once_by_id_or_prefix(database: Database, acme: Account) -> None:
    by_id, by_prefix = issue(database, acme, "runapi_live_AbCd"), issue(database, acme, "runapi_live_EfGh")
    assert database.run_now(keys.revoke_key, str(by_id.id), 50).revoked_us == 50
    assert database.run_now(keys.revoke_key, "runapi_live_E", 60).id == by_prefix.id
    assert database.run_now(keys.revoke_key, "runapi_live_EfGh", 99).revoked_us == 60  # the first time stands
    assert [key.revoked_us for key in database.run_now(keys.list_keys)] == [50, 60]


def test_prefix_of_several_keys_revokes_none(database: Database, acme: Account) -> None:
    issue(database, acme, "runapi_live_AbC1")
    second = issue(database, acme, "runapi_live_AbC2")
    with pytest.raises(Ambiguous, match=rf"{second.id} \(runapi_live_AbC2, acme\)"):
        database.run_now(keys.revoke_key, "runapi_live_AbC", 50)
    assert all(key.revoked_us is None for key in database.run_now(keys.list_keys))


def test_prefix_means_the_key_in_force_before_the_revoked_one(database: Database, acme: Account) -> None:
    old = issue(database, acme, "runapi_live_AbCd", b"1" * 32)
    database.run_now(keys.revoke_key, str(old.id), 50)
    new = issue(database, acme, "runapi_live_AbCd", b"2" * 32)
    assert database.run_now(keys.revoke_key, "runapi_live_AbCd", 60).id == new.id


@pytest.mark.parametrize(
    "text",
    [
        "runapi_live_Ab%",
        "runapi_live_____",
        "runapi_live_%",
        "%",
        "runapi_live_abcd",  # letters differ in case
        "runapi_live_",  # would fit the only key there is
        "runapi",
        "",
        "0",
        "-1",
        "9" * 40,
        "²",
        "runapi_live_AbCd\0",
        "runapi_live_AbCdE",
    ],
)
def test_wildcards_and_stubs_fit_no_key(database: Database, acme: Account, text: str) -> None:
    issue(database, acme, "runapi_live_AbCd")
    with pytest.raises(NotFound, match="keys list"):
        database.run_now(keys.revoke_key, text, 50)
    assert database.run_now(keys.list_keys)[0].revoked_us is None


def test_principals_are_the_keys_in_force_by_digest(database: Database, acme: Account) -> None:
    kept = issue(database, acme, "runapi_test_keep", b"k" * 32)
    ended = issue(database, acme, "runapi_live_ends", b"e" * 32)
    assert set(database.run_now(keys.load_principals)) == {b"k" * 32, b"e" * 32}
    database.run_now(keys.revoke_key, str(ended.id), 50)
    assert database.run_now(keys.load_principals) == {
        b"k" * 32: Principal(
            kept.id, acme.id, Mode.TEST, "runapi_test_keep", DisconnectPolicy.CANCEL, ParameterPolicy.STRICT
        )
    }
