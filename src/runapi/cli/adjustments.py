"""`runapi accounts adjust` and `runapi accounts refund`: what no payment provider books."""

from typing import Annotated

import typer

from runapi.cli.answer import AsJson, answer
from runapi.core.keys import Mode
from runapi.flows.payment_rows import CreditRow

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
Change = Annotated[
    str,
    typer.Option("--usd", metavar="USD", help="How much: 5 gives, -3.5 takes; at most what is available."),
]
Back = Annotated[
    str, typer.Option("--usd", metavar="USD", help="How much you paid back; at most what is available.")
]
WithMode = Annotated[Mode, typer.Option("--mode", help="live is money, test is play money.")]
Why = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; kept with the transfer.")]
Reference = Annotated[
    str | None,
    typer.Option(
        "--reference", metavar="TEXT", help="A number of its own: with the same one it counts once."
    ),
]


def adjust(
    name: Name,
    usd: Change,
    note: Why,
    *,
    mode: WithMode = Mode.LIVE,
    reference: Reference = None,
    as_json: AsJson = False,
) -> None:
    """Correct an account by hand."""
    parameters = {"name": name, "usd": usd, "mode": mode, "note": note, "reference": reference}
    answer("accounts.adjust", parameters, CreditRow, _show_adjusted, as_json=as_json)


def refund(
    name: Name, usd: Back, *, note: Why = "", reference: Reference = None, as_json: AsJson = False
) -> None:
    """Book what you paid back to a customer outside Stripe; refunds made in Stripe are booked by themselves."""
    parameters = {"name": name, "usd": usd, "note": note, "reference": reference}
    answer("accounts.refund", parameters, CreditRow, _show_refunded, as_json=as_json)


def _show_adjusted(row: CreditRow) -> None:
    _show(row, f"Adjusted account {row.account} by {row.usd} USD ({row.mode}).")


def _show_refunded(row: CreditRow) -> None:
    _show(row, f"Booked a refund of {row.usd} USD ({row.mode}) to account {row.account}.")


def _show(row: CreditRow, done: str) -> None:
    if row.repeated:
        typer.echo(f"This was booked under this reference before, as row {row.seq}. Nothing was changed.")
    else:
        typer.echo(f"{done} Available: {row.available_usd} USD.")
