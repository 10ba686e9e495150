"""`runapi models`: the catalogue."""

import typer

from runapi.cli.answer import AsJson, answer
from runapi.flows.operator_rows import ModelRow

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show the models and their prices.")


@app.callback()
def models() -> None:
    """Show the models and their prices."""


@app.command("list")
def list_all(*, as_json: AsJson = False) -> None:
    """List all models with our prices, in USD per 1,000,000 tokens."""
    answer("models.list", {}, list[ModelRow], _show_list, as_json=as_json)


def _show_list(models: list[ModelRow]) -> None:
    from runapi.cli.tables import print_table  # noqa: PLC0415 - Rich: not for --help or --json

    print_table(
        ("MODEL", "STATUS", "CONTEXT", "MAX OUTPUT", "INPUT", "CACHED", "OUTPUT"),
        (
            (
                model.id,
                model.status,
                str(model.context_window),
                str(model.max_output_tokens),
                model.price.input,
                model.price.cached,
                model.price.output,
            )
            for model in models
        ),
        "The catalogue is empty.",
    )
