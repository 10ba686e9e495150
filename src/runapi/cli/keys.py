"""`runapi keys`: what customers' programs show."""

from typing import Annotated

import typer

from runapi.cli.answer import AsJson, answer
from runapi.core.keys import DisconnectPolicy, Mode, ParameterPolicy
from runapi.flows.operator_rows import IssuedKey, KeyRow

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Issue, list and revoke keys.")
OfAccount = Annotated[str, typer.Option("--account", metavar="NAME", help="The account that pays.")]
OnlyAccount = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Only the keys of this account.")
]
WithMode = Annotated[Mode, typer.Option("--mode", help="live reaches upstreams, test the sandbox.")]
OnDisconnect = Annotated[
    DisconnectPolicy,
    typer.Option("--on-disconnect", help="When the client leaves: read on and bill all, or stop."),
]
OnRefusedParameter = Annotated[
    ParameterPolicy,
    typer.Option("--on-refused-parameter", help="When a model refuses a parameter: leave it out, or 400."),
]
Which = Annotated[str, typer.Argument(metavar="KEY", help="The key's prefix or id.")]


@app.command("create")
def create(
    account: OfAccount,
    mode: WithMode,
    *,
    on_disconnect: OnDisconnect = DisconnectPolicy.DRAIN,
    on_refused_parameter: OnRefusedParameter = ParameterPolicy.DROP,
    as_json: AsJson = False,
) -> None:
    """Issue a key. It is shown this once."""
    parameters = {
        "account": account,
        "mode": mode,
        "on_disconnect": on_disconnect,
        "on_refused_parameter": on_refused_parameter,
    }
    answer("keys.create", parameters, IssuedKey, _show_issued, as_json=as_json)


@app.command("list")
def list_all(*, account: OnlyAccount = None, as_json: AsJson = False) -> None:
    """List keys, without their secret part."""
    answer(
        "keys.list",
        {"account": account},
        list[KeyRow],
        lambda keys: show_keys(keys, account or "NAME"),
        as_json=as_json,
    )


@app.command("revoke")
def revoke(key: Which, *, as_json: AsJson = False) -> None:
    """End a key for good, at once."""
    answer("keys.revoke", {"key": key}, KeyRow, _show_revoked, as_json=as_json)


def show_keys(keys: list[KeyRow], account: str = "NAME") -> None:
    """Print a table of keys, or how to make the first one of `account`."""
    from runapi.cli.tables import minute, print_table  # noqa: PLC0415 - Rich: not for --help or --json

    print_table(
        ("ID", "PREFIX", "ACCOUNT", "MODE", "CREATED (UTC)", "REVOKED (UTC)"),
        (
            (
                str(key.id),
                key.prefix,
                key.account,
                key.mode,
                minute(key.created_at),
                minute(key.revoked_at or ""),
            )
            for key in keys
        ),
        f"There is no key yet: runapi keys create --account {account} --mode live",
    )


def _show_issued(key: IssuedKey) -> None:
    """Print the key alone on stdout, so that a script can take it, and the rest beside it."""
    typer.echo(key.key)
    typer.echo(
        f"Key {key.id} of account {key.account}, mode {key.mode}. Keep it now: it is not shown again.",
        err=True,
    )


def _show_revoked(key: KeyRow) -> None:
    typer.echo(f"Key {key.id} ({key.prefix}) of account {key.account} is revoked since {key.revoked_at}.")
