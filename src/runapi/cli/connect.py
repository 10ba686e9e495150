"""`runapi connect`: write a client's own configuration, then make one real request with it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from runapi.cli.answer import REFUSED, WRONG_USE, AsJson, CommandFailed, fail, print_json


class ClientName(StrEnum):
    """The clients that can be configured."""

    OPENCLAW = "openclaw"
    CODEX = "codex"
    CLAUDE_CODE = "claude-code"
    OPENCODE = "opencode"
    ENV = "env"


Which = Annotated[ClientName, typer.Argument(metavar="CLIENT", help=f"One of: {', '.join(ClientName)}.")]
WithKey = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="The API key; - reads it from stdin. Or set RUNAPI_KEY."),
]
NoKey = Annotated[bool, typer.Option("--no-key", help="Write the variable's name RUNAPI_KEY, not the key.")]
BaseUrl = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="Where RunAPI is; otherwise your own server.")
]
WithModel = Annotated[
    str | None, typer.Option("--model", metavar="MODEL", help="The model to begin with; otherwise the best.")
]
OwnFile = Annotated[
    Path | None, typer.Option("--file", metavar="PATH", help="Write this file and not the client's own.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the change; write nothing, call no model.")]


def connect(
    client: Which,
    *,
    key: WithKey = None,
    no_key: NoKey = False,
    base_url: BaseUrl = None,
    model: WithModel = None,
    file: OwnFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Point a client at RunAPI: show the change, write its configuration, try it with one small request."""
    from runapi.cli import connection  # noqa: PLC0415 - not for --help
    from runapi.wire.client_config.clients import CLIENTS  # noqa: PLC0415 - not for --help

    try:
        chosen = CLIENTS[client]
        address = connection.find_address(base_url)
        found = connection.find_key(key, address)
        if found is None and not no_key:
            fail(_no_key(), as_json=as_json)
        wanted = connection.find_wanted(chosen, address, model, None if no_key else found)
        tell = _say_nothing if as_json else typer.echo
        done = connection.carry_out(chosen, wanted, found, file, tell, dry_run=dry_run)
    except CommandFailed as failure:
        fail(failure, as_json=as_json)
    if as_json:
        print_json(done)
    if done.trial is not None and not done.trial.ok:
        raise typer.Exit(REFUSED)


def _no_key() -> CommandFailed:
    return CommandFailed("There is no key: give one with --key, or as RUNAPI_KEY.", "no_key", WRONG_USE)


def _say_nothing(_text: str) -> None:
    """A program reads the JSON at the end."""
