"""A command that fails: what its user is told. Needs nothing of what reads command lines, for the server has none of it."""

import sys
from typing import NoReturn

REFUSED = 1
WRONG_USE = 2


class CommandFailed(Exception):  # noqa: N818 - what is told to the user, not an error of ours
    """A command could not be carried out; the text says why and what to do."""

    def __init__(self, message: str, code: str = "command_refused", exit_code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code


def reason(fault: Exception) -> str:
    """Why a file cannot be read or written, without numbers and brackets."""
    return str(getattr(fault, "strerror", None) or fault)


def warn(message: str) -> None:
    """Tell people something on stderr."""
    sys.stderr.write(f"runapi: {message}\n")
    sys.stderr.flush()


def end(failure: CommandFailed) -> NoReturn:
    """Tell people why, and exit."""
    warn(str(failure))
    raise SystemExit(failure.exit_code)
