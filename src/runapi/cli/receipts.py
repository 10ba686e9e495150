"""`runapi receipts`: signed receipts, and how anybody checks one without us."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from runapi.cli.answer import REFUSED, AsJson, CommandFailed, answer, fail, print_json, reason
from runapi.flows.payment_rows import KeyShown, RootRow

KEY_BYTES = 32

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show and check signed receipts.")
RequestId = Annotated[str, typer.Argument(metavar="ID", help="The request's id: req_...")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", help="How many days.")]
File = Annotated[
    str, typer.Argument(metavar="FILE", help="The receipt; - reads it from stdin.", allow_dash=True)
]
PublicKey = Annotated[
    str | None,
    typer.Option("--public-key", metavar="KEY", help="The service's key, in hexadecimal, or a file with it."),
]


@app.command("show")
def show(request: RequestId, *, as_json: AsJson = False) -> None:
    """Print a request's receipt, to be kept as it is. It is JSON with and without --json."""
    from runapi.cli.ask import ask  # noqa: PLC0415 - the database and HTTP: not for --help
    from runapi.core.receipts import SignedReceipt, canonical  # noqa: PLC0415 - cryptography: as above

    try:
        signed = msgspec.json.decode(ask("receipts.show", {"id": request}), type=SignedReceipt)
    except CommandFailed as failure:
        fail(failure, as_json=as_json)
    sys.stdout.buffer.write(canonical(signed) + b"\n")
    sys.stdout.flush()


@app.command("key")
def key(*, as_json: AsJson = False) -> None:
    """Show the public key that signs this installation's receipts: publish it where customers trust it."""
    answer("receipts.key", {}, KeyShown, lambda shown: typer.echo(shown.public_key), as_json=as_json)


@app.command("roots")
def roots(*, limit: Limit = 30, as_json: AsJson = False) -> None:
    """List the newest daily roots; each stands for all receipts of its day."""
    answer("receipts.roots", {"limit": limit}, list[RootRow], _show_roots, as_json=as_json)


@app.command("verify")
def verify(file: File, *, public_key: PublicKey = None, as_json: AsJson = False) -> None:
    """Check a receipt, with no server, database or network; exit with 1 when something is wrong with it."""
    from runapi.core.check_receipt import check_receipt  # noqa: PLC0415 - cryptography: not for --help

    try:
        trusted = None if public_key is None else _read_key(public_key)
        verdict = check_receipt(_read(file), trusted)
    except CommandFailed as failure:
        fail(failure, as_json=as_json)
    signed = verdict.signed
    if verdict.fault is not None or signed is None:
        fail(CommandFailed(verdict.fault or "The file is no receipt.", "receipt_wrong"), as_json=as_json)
    receipt = signed.receipt
    day = None if signed.inclusion is None else signed.inclusion.day.statement.day
    if as_json:
        print_json(
            {
                "ok": True,
                "request_id": receipt.request_id,
                "charged_nano": receipt.charged_nano,
                "charged_usd": receipt.charged_usd,
                "public_key": signed.public_key,
                "key_checked": trusted is not None,
                "day": day,
            }
        )
        return
    typer.echo(
        f"The receipt of {receipt.request_id} is right: {receipt.charged_usd} USD for {receipt.model}."
    )
    if day is not None:
        typer.echo(f"It is among the receipts of {day}.")
    if trusted is None:
        typer.echo(
            f"It was signed by {signed.public_key}. Whether that is the service's key was not checked: "
            "--public-key does."
        )


def _read(file: str) -> bytes:
    from runapi.core.receipts import MOST_BYTES  # noqa: PLC0415 - cryptography: not for --help

    try:
        if file == "-":
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with Path(file).open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as fault:
        raise CommandFailed(f"{file} cannot be read: {reason(fault)}.", "unreadable") from None


def _read_key(text: str) -> bytes:
    """Read a key that was given itself or as a file that holds it."""
    if len(text) != 2 * KEY_BYTES:
        text = _read(text).decode("ascii", "replace").strip()
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise CommandFailed(
            f"The public key must be {2 * KEY_BYTES} hexadecimal digits, as `runapi receipts key` prints it.",
            "bad_key",
            REFUSED,
        )
    return raw


def _show_roots(rows: list[RootRow]) -> None:
    if not rows:
        typer.echo("There is no root yet: the server makes one an hour after the end of each day (UTC).")
    for row in rows:
        typer.echo(f"{row.day}  {row.root}  {row.count} receipts")
