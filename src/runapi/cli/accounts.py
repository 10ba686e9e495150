"""`runapi accounts`: who pays."""

from typing import Annotated

import typer

from runapi.cli.answer import AsJson, answer
from runapi.cli.keys import show_keys
from runapi.core.keys import Mode
from runapi.flows.operator_rows import AccountRow, AccountWithKeys

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Open and show accounts.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]


@app.command("create")
def create(name: Name, *, as_json: AsJson = False) -> None:
    """Open an account."""
    answer("accounts.create", {"name": name}, AccountRow, _show_created, as_json=as_json)


@app.command("list")
def list_all(*, as_json: AsJson = False) -> None:
    """List all accounts with what they have available."""
    answer("accounts.list", {}, list[AccountRow], _show_list, as_json=as_json)


@app.command("show")
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show an account with what it has and its keys."""
    answer("accounts.show", {"name": name}, AccountWithKeys, _show_one, as_json=as_json)


def _show_created(account: AccountRow) -> None:
    typer.echo(
        f"Opened account {account.name}. Next: runapi keys create --account {account.name} --mode live"
    )


def _show_list(accounts: list[AccountRow]) -> None:
    from runapi.cli.tables import minute, print_table  # noqa: PLC0415 - Rich: not for --help or --json

    rows = (
        (
            str(account.id),
            account.name,
            account.balances[Mode.LIVE].available_usd,
            account.balances[Mode.TEST].available_usd,
            ", ".join(mode for mode, balance in account.balances.items() if balance.frozen),
            minute(account.created_at),
        )
        for account in accounts
    )
    columns = ("ID", "NAME", "LIVE USD", "TEST USD", "FROZEN", "CREATED (UTC)")
    print_table(columns, rows, "There is no account yet: runapi accounts create NAME")


def _show_one(account: AccountWithKeys) -> None:
    typer.echo(f"Account {account.name}, id {account.id}, opened {account.created_at}.")
    for mode, balance in account.balances.items():
        frozen = " It is frozen until a top-up brings it back to zero." if balance.frozen else ""
        typer.echo(
            f"  {mode}: {balance.available_usd} USD available, {balance.held_usd} held, {balance.posted_usd} posted.{frozen}"
        )
    show_keys(account.keys, account.name)
