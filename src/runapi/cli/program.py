"""The whole command line, on one screen."""

from typing import Any

import typer
from typer.core import TyperGroup

import runapi
from runapi.cli import (
    accounts,
    adjustments,
    codes,
    key_limits,
    keys,
    ledger,
    manual_credit,
    models,
    prices,
    receipts,
    requests,
    upstreams,
)
from runapi.cli.answer import AsJson, print_json
from runapi.cli.connect import connect
from runapi.cli.serve import serve

_PLAINLY = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": "a whole number is expected.",
}
"""What the library says of a wrong value, and what it means."""


class _Program(TyperGroup):
    """All commands; who types a wrong value reads a sentence about it, and not about the library."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as wrong:
            for theirs, ours in _PLAINLY.items():
                wrong.message = wrong.message.replace(theirs, ours)
            raise


app = typer.Typer(
    cls=_Program,
    help="RunAPI: an LLM API service that anyone can run.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(connect)
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.add_typer(upstreams.app, name="upstreams")
app.add_typer(requests.app, name="requests")
app.add_typer(models.app, name="models")
app.add_typer(prices.app, name="prices")
app.add_typer(ledger.app, name="ledger")
app.add_typer(codes.app, name="codes")
app.add_typer(receipts.app, name="receipts")
accounts.app.command("credit")(manual_credit.credit)
accounts.app.command("adjust")(adjustments.adjust)
accounts.app.command("refund")(adjustments.refund)
keys.app.command("limit")(key_limits.limit)


@app.command()
def version(*, as_json: AsJson = False) -> None:
    """Show which version this is."""
    if as_json:
        print_json({"version": runapi.__version__})
    else:
        typer.echo(runapi.__version__)
