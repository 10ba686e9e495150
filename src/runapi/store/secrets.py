"""The master key of an installation, and what is derived from it: the pepper of API keys, the seal of secrets."""

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection

from runapi.store.database import Database
from runapi.store.faults import SealBroken, SecretUnusable
from runapi.store.home import SECRET_NAME, make_private
from runapi.store.meta import read_meta, write_meta

MASTER_BYTES = 32
NONCE_BYTES = 12
VERSION = b"\x01"  # the first byte of everything sealed: AES-256-GCM, the derived key below
FINGERPRINT = "secret.fingerprint"
"""The `meta` row that ties the database to its master key: with another one every API key would be unknown."""


class Vault:
    """Seals secrets for the database and gives the pepper for API keys. Nothing in it shows in a repr."""

    __slots__ = ("_cipher", "_pepper")

    def __init__(self, master: bytes) -> None:
        """Derive everything from the 32 bytes of `master`; `Vault.unlock` reads them."""
        self._pepper = _derive(master, b"runapi/1 pepper of API keys")
        self._cipher = AESGCM(_derive(master, b"runapi/1 seal of secrets at rest"))

    @classmethod
    def unlock(cls, database: Database) -> "Vault":
        """Read secret.key of the database's folder, or make it on the first start. Blocks for a few milliseconds.

        Raises:
            SecretUnusable: the file is missing though the database needs it, is damaged, or is another database's.
            HomeUnusable: the file cannot be made private.
        """
        return cls(database.run_now(_master_key, database.home))

    @property
    def pepper(self) -> bytes:
        """The key under which API keys are digested."""
        return self._pepper

    def seal(self, plaintext: str, place: str) -> bytes:
        """Encrypt `plaintext` so that it opens only under the same `place`, such as "upstream.key:openai"."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return VERSION + nonce + self._cipher.encrypt(nonce, plaintext.encode(), VERSION + place.encode())

    def open(self, ciphertext: bytes, place: str) -> str:
        """Decrypt what `seal` gave for this `place`.

        Raises:
            SealBroken: it was changed, sealed for another place, or sealed under another master key.
        """
        nonce, sealed = ciphertext[1 : 1 + NONCE_BYTES], ciphertext[1 + NONCE_BYTES :]
        try:  # the version is in what the seal is bound to: another one does not open either
            return self._cipher.decrypt(nonce, sealed, ciphertext[:1] + place.encode()).decode()
        except (InvalidTag, ValueError):  # ValueError: the nonce is cut short
            raise SealBroken(
                f"The secret stored for {place} cannot be opened: it was changed, moved from another row, or sealed "
                "with another secret.key. Restore both files from one backup, or remove the entry and add it again."
            ) from None


def _derive(master: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(master)


def _master_key(connection: Connection, home: Path) -> bytes:
    """Read or make the master key, and tie it to the database.

    The key is on disk before the fingerprint is committed: a start killed in between finds the key and goes on.
    """
    path = home / SECRET_NAME
    expected = read_meta(connection, FINGERPRINT)
    if not path.exists():
        if expected is not None:
            raise SecretUnusable(
                f"{path} is missing, and the keys in the database are worthless without it. Restore it from your backup, or "
                "copy it from another server of the same database. To give them up and begin anew, use a new database."
            )
        _write_new(path)
    master = _read(path)
    fingerprint = _derive(master, b"runapi/1 fingerprint")[:16].hex()
    if expected is None:
        write_meta(connection, FINGERPRINT, fingerprint)
    elif fingerprint != expected:
        raise SecretUnusable(
            f"{path} does not belong to the database beside it. Restore both from the same backup."
        )
    return master


def _read(path: Path) -> bytes:
    make_private(path)
    master = path.read_bytes()
    if len(master) != MASTER_BYTES:
        raise SecretUnusable(
            f"{path} is damaged: it must hold exactly {MASTER_BYTES} bytes, and has {len(master)}. "
            "Restore it from your backup."
        )
    return master


def _write_new(path: Path) -> None:
    """Make the file whole or not at all: a half-written key would be taken for a damaged one."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)  # of a start that was killed; the folder's lock is ours
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(secrets.token_bytes(MASTER_BYTES))
        file.flush()
        os.fsync(file.fileno())
    os.link(draft, path)  # refuses to replace a key that is there
    draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
