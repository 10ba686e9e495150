"""A client's configuration file: read it, show what changes, write it whole or not at all, and keep the old one."""

import contextlib
import difflib
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath

from runapi.cli.answer import CommandFailed
from runapi.core.keys import PATTERN, visible_prefix

CONTEXT_LINES = 2
MOST_BYTES = 10_000_000

_KEY = re.compile(PATTERN)
_SECRET = re.compile(
    r"""((?:key|token|secret|password|auth)["']?\s*[:=]\s*["']?)"""
    r"""(?!\$|\{env:|(?-i:[A-Z][A-Z0-9_]*_(?:KEY|TOKEN))(?:["',\s]|$))[^\s"',]{8,}""",  # but for names of variables
    re.IGNORECASE,
)


def choose_file(candidates: Sequence[PurePath]) -> Path:
    """The first that exists, or else the last; a link leads to the file itself, which is what gets written."""
    paths = [Path(candidate) for candidate in candidates]
    return next((path for path in paths if path.exists()), paths[-1]).absolute().resolve()


def shown(path: Path) -> str:
    """The path as people read it: from the current folder, from the home folder, or else whole."""
    for prefix, find in (("", Path.cwd), ("~/", Path.home)):
        with contextlib.suppress(OSError, RuntimeError):  # the folder was removed, or nobody knows it
            folder = find().resolve()
            if path.is_relative_to(folder) and folder != folder.parent:
                return f"{prefix}{path.relative_to(folder)}"
    return str(path)


def missing_folder(path: Path) -> Path | None:
    """The outermost folder that has to be made for the file; None where there are all."""
    missing = [folder for folder in path.parents if not folder.exists()]
    return missing[-1] if missing else None


def read_text(path: Path) -> str:
    """The text of the file, line ends as they are; nothing where there is no file.

    Raises:
        CommandFailed: it cannot be read, or is no UTF-8.
    """
    try:
        if not path.exists():
            return ""
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise CommandFailed(f"{shown(path)} is no configuration file.", "broken_config")
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        text = f"{shown(path)} is not UTF-8 text: nothing was changed."
        raise CommandFailed(text, "broken_config") from None
    except OSError as fault:
        raise CommandFailed(f"{shown(path)} cannot be read: {fault.strerror}.", "broken_config") from None


def show_change(path: Path, old: str, new: str) -> str:
    """The change as a unified diff, with no secret in it, neither ours nor one that stood there before."""
    name = shown(path)
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{name} (now)", f"{name} (new)", lineterm="", n=CONTEXT_LINES
    )
    return "\n".join(_masked(line) for line in lines)


def write_text(path: Path, old: str, new: str) -> Path | None:
    """Write the file with mode 0600; return where the old one is kept, None where there was none.

    Raises:
        CommandFailed: it cannot be written; what was there stands unchanged.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        backup = None
        if path.exists():
            backup = _free_name(path)
            _write_new(backup, old)
        unfinished = path.with_name(f"{path.name}.runapi-new")
        unfinished.unlink(missing_ok=True)
        _write_new(unfinished, new)
        unfinished.replace(path)
    except OSError as fault:
        raise CommandFailed(f"{shown(path)} cannot be written: {fault.strerror}.", "not_written") from None
    return backup


def make_private(path: Path) -> None:
    """Take everybody else's access to a file that holds a key."""
    if path.exists():
        path.chmod(0o600)


def _free_name(path: Path) -> Path:
    """A name for the backup that nothing has."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    wished = path.with_name(f"{path.name}.before-runapi-{now}")
    number, free = 1, wished
    while free.exists():
        number += 1
        free = wished.with_name(f"{wished.name}-{number}")
    return free


def _write_new(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(text.encode())
        file.flush()
        os.fsync(descriptor)


def _masked(line: str) -> str:
    if _KEY.search(line):
        return _KEY.sub(lambda found: f"{visible_prefix(found[0])}...", line)
    return _SECRET.sub(r"\1***", line)
