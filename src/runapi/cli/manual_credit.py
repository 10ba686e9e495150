"""`runapi accounts credit`: money that came outside the payment provider."""

from typing import Annotated

import typer

from runapi.cli.answer import AsJson, answer
from runapi.core.keys import Mode
from runapi.flows.payment_rows import CreditRow

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
Amount = Annotated[str, typer.Option("--usd", metavar="USD", help="How much: 5 or 0.25; at most 1000000.")]
WithMode = Annotated[Mode, typer.Option("--mode", help="live is money, test is play money.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; kept with the transfer.")]
Reference = Annotated[
    str | None,
    typer.Option("--reference", metavar="TEXT", help="The payment's own number: credits it only once."),
]


def credit(
    name: Name,
    usd: Amount,
    *,
    mode: WithMode = Mode.LIVE,
    note: Note = "",
    reference: Reference = None,
    as_json: AsJson = False,
) -> None:
    """Credit an account by hand."""
    parameters = {"name": name, "usd": usd, "mode": mode, "note": note, "reference": reference}
    answer("accounts.credit", parameters, CreditRow, _show_credited, as_json=as_json)


def _show_credited(row: CreditRow) -> None:
    if row.repeated:
        typer.echo(
            f"Account {row.account} was credited {row.usd} USD ({row.mode}) under this reference before. "
            "Nothing was changed."
        )
    else:
        typer.echo(
            f"Credited {row.usd} USD ({row.mode}) to account {row.account}. Available: {row.available_usd} USD."
        )
