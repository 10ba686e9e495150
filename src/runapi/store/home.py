"""The data folder: private to its owner, and held by one process at a time."""

import fcntl
import os
import stat
from pathlib import Path

from runapi.store.faults import HomeInUse, HomeUnusable

NODE_NAME = "node"  # this folder's number among those that share a PostgreSQL database
DATABASE_NAME = "runapi.db"
SECRET_NAME = "secret.key"  # noqa: S105 - a file's name
LOCK_NAME = "lock"
OPERATORS_FILES = {"models.yaml"}  # may lie there before the first start
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def prepare_home(home: Path) -> None:
    """Make `home` a folder that only its owner can enter (0700).

    An open folder is closed when it is empty or already ours; one that holds other files is refused, so that a
    mistyped RUNAPI_HOME never takes /tmp or a home directory away from others.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_mode & OTHERS:
            _close_to_others(home)
    except OSError as fault:
        raise HomeUnusable(
            f"The data folder {home} cannot be used: {fault.strerror}. Set RUNAPI_HOME to a folder that you may write."
        ) from fault


def _close_to_others(home: Path) -> None:
    names = {entry.name for entry in home.iterdir()} - OPERATORS_FILES
    if names and not names & {DATABASE_NAME, SECRET_NAME, LOCK_NAME}:
        raise HomeUnusable(
            f"The data folder {home} is open to other users and holds files that are not RunAPI's. "
            f"Set RUNAPI_HOME to a folder of its own, or run: chmod 700 {home}"
        )
    home.chmod(0o700)


def hold_home(home: Path) -> int:
    """Take the lock on `home` and give its descriptor; closing that, or dying, releases it.

    Raises:
        HomeInUse: another process has it.
        HomeUnusable: the lock file cannot be written.
    """
    try:
        lock = os.open(home / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as fault:
        raise HomeUnusable(f"{home / LOCK_NAME} cannot be opened: {fault.strerror}.") from fault
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        holder = os.read(lock, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        if not isinstance(fault, BlockingIOError):
            raise HomeUnusable(f"{home} cannot be locked: {fault.strerror}. Use a local disk.") from fault
        raise HomeInUse(
            f"RunAPI already runs on {home} (process {holder}). Stop it, or set RUNAPI_HOME to another folder."
        ) from fault
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
    return lock


def make_private(path: Path) -> bool:
    """Create `path` empty when it is missing, and give it mode 0600; tell whether others could read it before."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            was_open = bool(os.fstat(descriptor).st_mode & OTHERS)
            if was_open:
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as fault:
        raise HomeUnusable(
            f"{path} cannot be kept private: {fault.strerror}. It must belong to the user that runs RunAPI, mode 600."
        ) from fault
    return was_open
