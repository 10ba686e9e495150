"""The master key is made once, kept, and tied to its database; a seal opens only where it was set."""

import re
import sqlite3
from pathlib import Path

import pytest

from runapi.core.keys import digest
from runapi.store.database import Database
from runapi.store.faults import SealBroken, SecretUnusable
from runapi.store.secrets import Vault

PLACE = "upstream.key:openai"
SECRET = "sk-canary-ümlaut"


@pytest.fixture
def vault(database: Database) -> Vault:
    return Vault.unlock(database)


def reopened(home: Path) -> Vault:
    database = Database.open(home)
    try:
        return Vault.unlock(database)
    finally:
        database.close_now()


def test_sealed_secret_opens_again(vault: Vault) -> None:
    for plaintext in (SECRET, "", "x" * 10_000):
        assert vault.open(vault.seal(plaintext, PLACE), PLACE) == plaintext


def test_same_secret_is_never_sealed_the_same_way(vault: Vault) -> None:
    assert len({vault.seal(SECRET, PLACE) for _ in range(100)}) == 100


def test_plaintext_stands_neither_in_the_seal_nor_in_any_repr(vault: Vault) -> None:
    sealed = vault.seal(SECRET, PLACE)
    assert SECRET.encode() not in sealed
    assert vault.pepper.hex() not in repr(vault)
    assert SECRET not in repr(vault)


def test_seal_moved_to_another_row_does_not_open(vault: Vault) -> None:
    sealed = vault.seal(SECRET, "upstream.key:azure")
    with pytest.raises(SealBroken, match=re.escape(PLACE)) as caught:
        vault.open(sealed, PLACE)
    assert SECRET not in str(caught.value)


def test_every_changed_byte_breaks_the_seal(vault: Vault) -> None:
    sealed = vault.seal(SECRET, PLACE)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SealBroken):
            vault.open(bytes(changed), PLACE)


def test_shortened_seal_does_not_open(vault: Vault) -> None:
    sealed = vault.seal(SECRET, PLACE)
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            vault.open(sealed[:length], PLACE)


def test_seal_of_another_installation_does_not_open(vault: Vault) -> None:
    sealed = Vault(b"\1" * 32).seal(SECRET, PLACE)
    with pytest.raises(SealBroken, match=r"another secret\.key"):
        vault.open(sealed, PLACE)


def test_second_start_has_the_same_key(home: Path) -> None:
    first = reopened(home)
    second = reopened(home)
    assert second.pepper == first.pepper
    assert second.open(first.seal(SECRET, PLACE), PLACE) == SECRET


def test_two_installations_digest_the_same_api_key_differently(tmp_path: Path) -> None:
    one, two = reopened(tmp_path / "one"), reopened(tmp_path / "two")
    assert digest("runapi_test_x", one.pepper) != digest("runapi_test_x", two.pepper)


def test_pepper_and_seal_do_not_change_from_version_to_version() -> None:
    """Every stored key digest and upstream key depends on these derivations."""
    vault = Vault(bytes(range(32)))
    assert vault.pepper.hex() == "f029c688b48052c77b66df6bb6e94d2705f43bdbe13fd5eeca57fc27f67635cd"
    sealed = bytes.fromhex(
        "014f2f4e22d498933bcc1537a46645e92cebaeadd16222750f88b2a9b25e849abd92a126e4ed47c0478927dd534b29"
    )
    assert vault.open(sealed, PLACE) == "sk-stored-long-ago"


def test_lost_secret_key_is_never_replaced_silently(home: Path) -> None:
    reopened(home)
    (home / "secret.key").unlink()
    with pytest.raises(SecretUnusable, match=r"is missing.*backup"):
        reopened(home)
    assert not (home / "secret.key").exists()


def test_secret_key_of_another_installation_is_refused(home: Path) -> None:
    reopened(home)
    (home / "secret.key").write_bytes(b"\1" * 32)
    with pytest.raises(SecretUnusable, match="does not belong"):
        reopened(home)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_secret_key_of_wrong_length_is_refused(home: Path, length: int) -> None:
    reopened(home)
    (home / "secret.key").write_bytes(b"\1" * length)
    with pytest.raises(SecretUnusable, match=f"has {length}"):
        reopened(home)
    assert (home / "secret.key").read_bytes() == b"\1" * length


def test_start_that_was_killed_between_key_and_database_goes_on(home: Path) -> None:
    """The key was written and the commit that ties it was not; a draft of an even earlier kill lies about."""
    pepper = reopened(home).pepper
    with sqlite3.connect(home / "runapi.db") as raw:
        raw.execute("DELETE FROM meta")
    raw.close()
    (home / "secret.key.new").write_bytes(b"half")
    assert reopened(home).pepper == pepper
    with sqlite3.connect(home / "runapi.db") as raw:
        raw.execute("DELETE FROM meta")
    raw.close()
    (home / "secret.key").unlink()
    assert reopened(home).pepper != pepper  # nothing in the database depended on it: a new one is made
    assert {path.name for path in home.iterdir()} == {"runapi.db", "secret.key", "lock"}
