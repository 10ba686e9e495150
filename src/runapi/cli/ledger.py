"""`runapi ledger`: are the books right, what stands in them, and do upstreams say the same."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runapi.cli.answer import REFUSED, AsJson, CommandFailed, answer, fail, reason
from runapi.core.keys import Mode

if TYPE_CHECKING:
    from runapi.core.upstream_usage import UsageExport
    from runapi.flows.ledger_rows import BooksRow, StatementRow, VerificationRow
    from runapi.flows.reconciliation_rows import ComparedRow, ReconciliationRow, SideRow

TIMEOUT_S = 6 * 3600.0
"""A running server reads a large ledger beside its requests: that takes as long as it takes."""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check, show and compare the books.")
Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.")]
WithMode = Annotated[Mode, typer.Option("--mode", help="live is money, test is play money.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", help="How many.")]
File = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="OpenAI's usage export (JSON) or a CSV; - reads it from stdin.", allow_dash=True
    ),
]
OfUpstream = Annotated[
    str | None, typer.Option("--upstream", metavar="NAME", help="Only what this upstream answered.")
]


@app.command("verify")
def verify(*, as_json: AsJson = False) -> None:
    """Recompute everything from the transfers; exit with 1 when something is wrong."""
    from runapi.flows.ledger_rows import VerificationRow  # noqa: PLC0415 - the database: not for --help

    found = answer(
        "ledger.verify", {}, VerificationRow, _show_verification, as_json=as_json, timeout_s=TIMEOUT_S
    )
    if not found.ok:
        typer.echo(f"runapi: The ledger has {_many(found.fault_count, 'fault')}.", err=True)
        raise typer.Exit(REFUSED)


@app.command("show")
def show(account: Account, *, mode: WithMode = Mode.LIVE, limit: Limit = 20, as_json: AsJson = False) -> None:
    """Show an account's newest transfers and what it has."""
    from runapi.flows.ledger_rows import StatementRow  # noqa: PLC0415 - as above

    parameters = {"account": account, "mode": mode, "limit": limit}
    answer("ledger.show", parameters, StatementRow, _show_statement, as_json=as_json, timeout_s=TIMEOUT_S)


@app.command("accounts")
def accounts(*, as_json: AsJson = False) -> None:
    """Show what the house's own accounts have, the sums of customers', and what is held."""
    from runapi.flows.ledger_rows import BooksRow  # noqa: PLC0415 - as above

    answer("ledger.accounts", {}, list[BooksRow], _show_books, as_json=as_json)


@app.command("reconcile")
def reconcile(file: File, *, upstream: OfUpstream = None, as_json: AsJson = False) -> None:
    """Compare our request rows with what an upstream says that it served, per model and day."""
    from runapi.flows.reconciliation_rows import ReconciliationRow  # noqa: PLC0415 - as above

    try:
        export = _read_export(file)
    except CommandFailed as failure:
        fail(failure, as_json=as_json)
    parameters = {
        "first_day": export.first_day,
        "last_day": export.last_day,
        "rows": export.rows,
        "partial_days": export.partial_days,
        "upstream": upstream,
    }
    answer(
        "ledger.reconcile",
        parameters,
        ReconciliationRow,
        _show_reconciliation,
        as_json=as_json,
        timeout_s=TIMEOUT_S,
    )
    if export.goes_on:
        typer.echo(
            f"runapi: the export goes on after {export.last_day} (has_more): fetch its next page, too.",
            err=True,
        )


def _read_export(file: str) -> "UsageExport":
    from runapi.wire.usage_csv import ExportFault  # noqa: PLC0415 - as above
    from runapi.wire.usage_export import MOST_BYTES, read_usage_export  # noqa: PLC0415 - as above

    try:
        if file == "-":
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                data = opened.read(MOST_BYTES + 1)
        return read_usage_export(data)
    except ExportFault as fault:
        raise CommandFailed(str(fault), "bad_export") from None
    except (OSError, ValueError) as fault:
        raise CommandFailed(f"{file} cannot be read: {reason(fault)}.", "unreadable") from None


def _show_verification(found: "VerificationRow") -> None:
    from runapi.cli.tables import print_table, printable  # noqa: PLC0415 - Rich: not for --help or --json

    rows = ((area.area.value, str(area.checked), str(area.faults)) for area in found.areas)
    print_table(("CHECK", "COUNT", "FAULTS"), rows, "")
    for fault in found.faults:
        place = "beside the rows" if fault.row is None else f"row {fault.row}"
        typer.echo(printable(f"{place}: {fault.what}. What to do: {fault.remedy}."))
    if found.fault_count > len(found.faults):
        typer.echo(f"... and {found.fault_count - len(found.faults)} more.")
    if found.ok:
        typer.echo("The ledger is right.")
    typer.echo(f"Last row: {found.last_row}, hash {found.last_hash}")


def _show_statement(statement: "StatementRow") -> None:
    from runapi.cli.tables import minute, print_table  # noqa: PLC0415 - Rich: not for --help or --json

    balance = statement.balance
    frozen = " It is frozen." if balance.frozen else ""
    typer.echo(
        f"Account {statement.account} ({statement.mode}): {balance.posted_usd} USD posted, {balance.held_usd} held, "
        f"{balance.available_usd} available.{frozen}"
    )
    print_table(
        ("ROW", "AT (UTC)", "KIND", "POSTED USD", "HELD USD", "REQUEST OR REASON"),
        (
            (
                str(row.row),
                minute(row.at),
                row.kind,
                row.posted_usd,
                row.held_usd,
                " ".join(text for text in (row.request_id, row.reason, row.reference) if text),
            )
            for row in statement.transfers
        ),
        "There is no transfer yet.",
    )


def _show_books(books: "list[BooksRow]") -> None:
    from runapi.cli.tables import print_table  # noqa: PLC0415 - Rich: not for --help or --json

    print_table(
        ("MODE", "ACCOUNT", "COUNT", "POSTED USD", "HELD USD"),
        (
            (book.mode.value, kind.kind.value, str(kind.accounts), kind.posted_usd, kind.held_usd)
            for book in books
            for kind in book.kinds
        ),
        "",
    )
    for book in books:
        frozen = sum(kind.frozen for kind in book.kinds)
        typer.echo(
            f"{book.mode}: all of it sums to {book.sum_nano}; {_many(book.open_holds, 'open hold')} of "
            f"{book.open_holds_usd} USD; {_many(frozen, 'frozen account')}."
        )


def _show_reconciliation(found: "ReconciliationRow") -> None:
    from runapi.cli.tables import print_table, printable  # noqa: PLC0415 - Rich: not for --help or --json

    of = "all upstreams" if found.upstream is None else f"upstream {found.upstream}"
    typer.echo(f"Requests to {of}, {found.first_day} to {found.last_day}: ours minus theirs.")
    rows = [
        (
            str(row.day),
            row.model,
            *_difference(row.difference),
            *_worth(row.official_difference_usd, row.official_difference_percent),
        )
        for row in found.rows
    ]
    if found.total is not None:
        whole = found.total
        worth = _worth(whole.official_difference_usd, whole.official_difference_percent)
        rows.append(("all", "", *_difference(whole.difference), *worth))
    columns = ("DAY", "MODEL", "REQUESTS", "INPUT", "CACHED", "OUTPUT", "USD", "%")
    print_table(columns, rows, "Neither side has anything on these days.")
    for row in found.rows:
        for line in _explain(row):
            typer.echo(printable(line))
    if found.total is not None and found.total.billed_usd is not None:
        typer.echo(
            f"The upstream billed {found.total.billed_usd} USD; by our rows it is {found.total.expected_usd} USD."
        )
    if found.equal and found.rows:
        typer.echo("Both sides say the same.")


def _difference(side: "SideRow") -> tuple[str, str, str, str]:
    return str(side.requests), str(side.input_tokens), str(side.cached_tokens), str(side.output_tokens)


def _worth(usd: str | None, percent: str | None) -> tuple[str, str]:
    return usd or "-", percent or "-"


def _explain(row: "ComparedRow") -> list[str]:
    if row.equal:
        return []
    ours = "none" if row.ours is None else str(row.ours.requests)
    theirs = "none" if row.upstream is None else str(row.upstream.requests)
    head = f"{row.day} {row.model}: requests ours {ours}, theirs {theirs}"
    return [head, *(f"  - {reason.text}" for reason in row.reasons)]


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
