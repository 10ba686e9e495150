"""`runapi codes`: codes that customers redeem for credit."""

from typing import Annotated

import typer

from runapi.cli.answer import AsJson, answer
from runapi.core.keys import Mode
from runapi.flows.payment_rows import CodeRow, NewCode

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make, list and revoke redeem codes.")
Amount = Annotated[str, typer.Option("--usd", metavar="USD", help="What each is worth: 5 or 0.25.")]
Count = Annotated[int, typer.Option("--count", metavar="N", help="How many; at most 1000.")]
WithMode = Annotated[Mode, typer.Option("--mode", help="live is money, test is play money.")]
Sold = Annotated[bool, typer.Option("--sold", help="You took money for them; otherwise they are gifts.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What they are for.")]
Ends = Annotated[
    str | None, typer.Option("--ends", metavar="DAY", help="The last day on which they count, in UTC.")
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", help="How many.")]
Unused = Annotated[bool, typer.Option("--unused", help="Only those neither redeemed nor revoked.")]
CodeId = Annotated[int, typer.Argument(metavar="ID", help="The code's id, from the list.")]


@app.command("create")
def create(
    usd: Amount,
    *,
    count: Count = 1,
    mode: WithMode = Mode.LIVE,
    sold: Sold = False,
    note: Note = "",
    ends: Ends = None,
    as_json: AsJson = False,
) -> None:
    """Make codes. They are shown this once."""
    parameters = {"usd": usd, "count": count, "mode": mode, "sold": sold, "note": note, "ends": ends}
    answer("codes.create", parameters, list[NewCode], _show_made, as_json=as_json)


@app.command("list")
def list_all(*, limit: Limit = 100, unused: Unused = False, as_json: AsJson = False) -> None:
    """List the newest codes and what became of them, without their secret part."""
    answer("codes.list", {"limit": limit, "unused": unused}, list[CodeRow], _show_list, as_json=as_json)


@app.command("revoke")
def revoke(code: CodeId, *, as_json: AsJson = False) -> None:
    """End a code that nobody has redeemed."""
    answer("codes.revoke", {"id": code}, CodeRow, _show_revoked, as_json=as_json)


def _show_made(codes: list[NewCode]) -> None:
    """Print the codes alone on stdout, one a line, and the rest beside them."""
    for code in codes:
        typer.echo(code.code)
    typer.echo(
        f"{len(codes)} of {codes[0].usd} USD each ({codes[0].mode}). Keep them now: they are not shown again.",
        err=True,
    )


def _show_list(codes: list[CodeRow]) -> None:
    from runapi.cli.tables import print_table  # noqa: PLC0415 - Rich: not for --help or --json

    print_table(
        ("ID", "CODE", "MODE", "USD", "CREATED", "STATE", "NOTE"),
        (
            (str(code.id), code.shown, code.mode, code.usd, code.created_at[:10], _state(code), code.note)
            for code in codes
        ),
        "There is no code: runapi codes create --usd 5 --count 10",
    )


def _state(code: CodeRow) -> str:
    if code.redeemed_at:
        return f"redeemed {code.redeemed_at[:10]} by {code.redeemed_by}"
    if code.revoked_at:
        return f"revoked {code.revoked_at[:10]}"
    return f"until {code.ends_at[:10]}" if code.ends_at else "unused"


def _show_revoked(code: CodeRow) -> None:
    typer.echo(f"Code {code.id} ({code.shown}) is revoked since {code.revoked_at}.")
