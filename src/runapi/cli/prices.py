"""`runapi prices`: what customers pay, and since when."""

from typing import Annotated

import typer

from runapi.cli.answer import WRONG_USE, AsJson, CommandFailed, answer, fail
from runapi.flows.price_rows import ModelChange, PriceDiff, PublishedPrice

NONE = "-"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show, compare and publish prices.")
OneModel = Annotated[str | None, typer.Option("--model", metavar="MODEL", help="Every price it ever had.")]
OnlyModel = Annotated[str | None, typer.Option("--model", metavar="MODEL", help="Only this model.")]
Ratio = Annotated[
    str | None,
    typer.Option("--ratio", metavar="X", help="Parts of the official price: 0.5; or the word catalogue."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("show")
def show(*, model: OneModel = None, as_json: AsJson = False) -> None:
    """Show the prices in force, in USD per 1,000,000 tokens."""
    view = _show_prices if model is None else _show_history
    answer("prices.show", {"model": model}, list[PublishedPrice], view, as_json=as_json)


@app.command("diff")
def diff(*, ratio: Ratio = None, model: OnlyModel = None, as_json: AsJson = False) -> None:
    """Show what a publication would change."""
    answer("prices.diff", {"ratio": ratio, "model": model}, PriceDiff, _show_diff, as_json=as_json)


@app.command("publish")
def publish(
    *, ratio: Ratio = None, model: OnlyModel = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Make the catalogue's prices, or parts of the official ones, what customers pay from now on."""
    parameters = {"ratio": ratio, "model": model}
    if not yes:
        if as_json:
            fail(
                CommandFailed("With --json nobody can be asked: add --yes.", "wrong_use", WRONG_USE),
                as_json=True,
            )
        difference = answer("prices.diff", parameters, PriceDiff, _show_diff, as_json=False)
        if not difference.models:
            return
        if not _agrees():
            fail(CommandFailed("Nothing was published: the prices in force stay."), as_json=False)
        parameters["digest"] = difference.digest
    answer("prices.publish", parameters, PriceDiff, _show_published, as_json=as_json)


def _agrees() -> bool:
    """Ask; where nobody answers, that is a no."""
    try:
        return typer.confirm("Publish this?")
    except typer.Abort:
        typer.echo()
        return False


def _show_prices(prices: list[PublishedPrice]) -> None:
    from runapi.cli.tables import print_table  # noqa: PLC0415 - Rich: not for --help or --json

    print_table(
        ("MODEL", "VERSION", "POLICY", "INPUT", "CACHED", "OUTPUT", "SINCE"),
        (
            (
                price.model,
                str(price.version),
                price.policy,
                price.ours["standard"].input,
                price.ours["standard"].cached,
                price.ours["standard"].output,
                price.published_at[:10],
            )
            for price in prices
        ),
        "Nothing is published yet: runapi prices publish",
    )


def _show_history(prices: list[PublishedPrice]) -> None:
    from runapi.cli.tables import minute, print_table  # noqa: PLC0415 - Rich: not for --help or --json

    print_table(
        ("VERSION", "SINCE (UTC)", "TIER", "INPUT", "CACHED", "OUTPUT"),
        (
            (str(price.version), minute(price.published_at), tier, rates.input, rates.cached, rates.output)
            for price in prices
            for tier, rates in price.ours.items()
        ),
        "This model has no published price, and is not served: runapi prices publish",
    )


def _show_diff(difference: PriceDiff) -> None:
    if not difference.models:
        typer.echo(
            f"Nothing to publish: version {difference.version} is what the catalogue and the policies say."
        )
        return
    from runapi.cli.tables import print_table  # noqa: PLC0415 - Rich: not for --help or --json

    rows = [row for model in difference.models for row in _change_rows(model)]
    print_table(("MODEL", "PRICE", "TIER", "RATE", "OLD", "NEW"), rows, "")


def _change_rows(model: ModelChange) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    if model.old_policy != model.policy:
        rows.append((model.model, "policy", "", "", model.old_policy or NONE, model.policy))
    rows += [
        (model.model, change.seller, change.tier, change.rate, change.old or NONE, change.new or NONE)
        for change in model.changes
        # A model that is new would fill the screen: the standard rates of it, and --json for the rest.
        if model.old_policy is not None or (change.seller, change.tier) == ("ours", "standard")
    ]
    return rows


def _show_published(published: PriceDiff) -> None:
    if published.published is None:
        typer.echo(
            f"Nothing to publish: version {published.version} is what the catalogue and the policies say."
        )
        return
    models = ", ".join(model.model for model in published.models)
    typer.echo(f"Published version {published.published} for {models}. It holds for requests from now on.")
