"""Hand in a command and print its answer: JSON for programs, a table or a sentence for people."""

import sys
from collections.abc import Callable, Mapping
from typing import Annotated, NoReturn, TypeVar

import msgspec
import typer

from runapi.cli.failure import REFUSED, WRONG_USE, CommandFailed, end, reason
from runapi.core.problems import Problem

__all__ = ["REFUSED", "WRONG_USE", "AsJson", "CommandFailed", "answer", "fail", "print_json", "reason"]
T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ANSWER_TIMEOUT_S = 30.0


def answer(
    command: str,
    parameters: Mapping[str, object],
    form: type[T],
    show: Callable[[T], None],
    *,
    as_json: bool,
    timeout_s: float = ANSWER_TIMEOUT_S,
) -> T:
    """Carry out `command` and print its result, as JSON or by `show`; on failure say why and exit."""
    from runapi.cli.ask import ask  # noqa: PLC0415 - the database and HTTP: not for --help

    try:
        result = ask(command, parameters, timeout_s)
        read = msgspec.json.decode(result, type=form)
    except CommandFailed as failure:
        fail(failure, as_json=as_json)
    except msgspec.ValidationError:
        other = CommandFailed("The running server is of another version: restart it.", "other_version")
        fail(other, as_json=as_json)
    if as_json:
        _write(msgspec.json.format(result, indent=2))
    else:
        show(read)
    sys.stdout.flush()  # so that a closed pipe is noticed here, where it is handled
    return read


def fail(failure: CommandFailed, *, as_json: bool) -> NoReturn:
    """Tell people on stderr and programs on stdout; exit."""
    if as_json:
        print_json(Problem(0, str(failure), code=failure.code).body())
    end(failure)


def print_json(value: object) -> None:
    """Print `value` as JSON."""
    _write(msgspec.json.format(msgspec.json.encode(value), indent=2))


def _write(text: bytes) -> None:
    sys.stdout.buffer.write(text + b"\n")
