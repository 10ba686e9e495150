"""`runapi keys limit`: what one key may spend, use and reach."""

from collections.abc import Iterable
from typing import Annotated

import typer

from runapi.cli.answer import WRONG_USE, AsJson, CommandFailed, answer, fail
from runapi.flows.limit_rows import LimitsRow, SpendRow

NO_LIMIT = "none"

Which = Annotated[str, typer.Argument(metavar="KEY", help="The key's prefix or id.")]
SpendDay = Annotated[
    str | None, typer.Option("--spend-day", metavar="USD", help="Most USD a day (UTC); none: no limit.")
]
SpendWeek = Annotated[
    str | None, typer.Option("--spend-week", metavar="USD", help="Most USD a week, from Monday.")
]
SpendMonth = Annotated[str | None, typer.Option("--spend-month", metavar="USD", help="Most USD a month.")]
SpendTotal = Annotated[str | None, typer.Option("--spend-total", metavar="USD", help="Most USD ever.")]
Requests = Annotated[
    str | None, typer.Option("--requests-per-minute", metavar="N", help="Most requests a minute.")
]
Tokens = Annotated[str | None, typer.Option("--tokens-per-minute", metavar="N", help="Most tokens a minute.")]
Concurrent = Annotated[
    str | None, typer.Option("--concurrent", metavar="N", help="Most requests at the same time.")
]
Models = Annotated[list[str] | None, typer.Option("--models", metavar="A,B", help="Only these models.")]
Networks = Annotated[
    list[str] | None,
    typer.Option("--networks", metavar="A,B", help="Only from these addresses, such as 192.0.2.0/24."),
]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="The day or time from which it is refused.")
]


def limit(
    key: Which,
    *,
    spend_day: SpendDay = None,
    spend_week: SpendWeek = None,
    spend_month: SpendMonth = None,
    spend_total: SpendTotal = None,
    requests_per_minute: Requests = None,
    tokens_per_minute: Tokens = None,
    concurrent: Concurrent = None,
    models: Models = None,
    networks: Networks = None,
    expires: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Set limits of a key; without options, show them. The word none takes one away."""
    texts = {
        "spend_day": spend_day,
        "spend_week": spend_week,
        "spend_month": spend_month,
        "spend_total": spend_total,
        "expires": expires,
    }
    counts = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "concurrent": concurrent,
    }
    lists = {"models": models, "networks": networks}
    parameters: dict[str, object] = {"key": key}
    try:
        for name, text in texts.items():
            if text is not None:
                parameters[name] = None if text == NO_LIMIT else text
        for name, count in counts.items():
            if count is not None:
                parameters[name] = None if count == NO_LIMIT else _read_count(name, count)
        for name, items in lists.items():
            if items:
                parameters[name] = None if items == [NO_LIMIT] else _split(items)
    except CommandFailed as failure:
        fail(failure, as_json=as_json)
    answer("keys.limit", parameters, LimitsRow, _show, as_json=as_json)


def _read_count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        option = name.replace("_", "-")
        raise CommandFailed(
            f"--{option} takes a whole number or the word {NO_LIMIT}, not {text!r}.", "wrong_use", WRONG_USE
        )
    return int(text)


def _split(lists: Iterable[str]) -> list[str]:
    """Join repeated options and commas into one list."""
    return [item.strip() for items in lists for item in items.split(",") if item.strip()]


def _show(limits: LimitsRow) -> None:
    from runapi.cli.tables import printable  # noqa: PLC0415 - Rich: not for --help or --json

    shown = {
        "spend a day": _spend(limits.spend_day),
        "spend a week": _spend(limits.spend_week),
        "spend a month": _spend(limits.spend_month),
        "spend in total": _spend(limits.spend_total),
        "requests a minute": limits.requests_per_minute,
        "tokens a minute": limits.tokens_per_minute,
        "concurrent requests": limits.concurrent,
        "models": None if limits.models is None else ", ".join(limits.models),
        "networks": None if limits.networks is None else ", ".join(limits.networks),
        "expires": limits.expires_at,
    }
    lines = [f"  {name}: {value}" for name, value in shown.items() if value is not None]
    head = f"Key {limits.id} ({limits.prefix}) of account {limits.account} has "
    typer.echo(head + ("these limits:" if lines else "no limits."))
    for line in lines:
        typer.echo(printable(line))


def _spend(row: SpendRow | None) -> str | None:
    if row is None:
        return None
    resets = "" if row.resets_at is None else f", resets {row.resets_at}"
    return f"{row.limit_usd} USD, {row.spent_usd} spent{resets}"
