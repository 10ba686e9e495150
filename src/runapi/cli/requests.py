"""`runapi requests`: what was asked, and what it cost."""

from typing import Annotated

import typer

from runapi.cli.answer import AsJson, answer
from runapi.flows.operator_rows import RequestRow

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show the requests that were made.")
Limit = Annotated[int, typer.Option("--limit", metavar="N", help="How many.")]
OnlyAccount = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Only those of this account.")
]
After = Annotated[
    str | None,
    typer.Option("--after", metavar="ID", help="Only those older than this request: the next page."),
]


@app.callback()
def requests() -> None:
    """Show the requests that were made."""


@app.command("list")
def list_newest(
    *, limit: Limit = 20, account: OnlyAccount = None, after: After = None, as_json: AsJson = False
) -> None:
    """List the newest requests, newest first."""
    parameters = {"limit": limit, "account": account, "after": after}
    answer("requests.list", parameters, list[RequestRow], _show_list, as_json=as_json)


def _show_list(requests: list[RequestRow]) -> None:
    from runapi.cli.tables import minute, print_table  # noqa: PLC0415 - Rich: not for --help or --json

    print_table(
        ("AT (UTC)", "KEY", "MODEL", "HTTP", "IN", "OUT", "SEC", "USD"),
        (
            (
                minute(request.at)[5:16],
                request.key,
                request.model,
                str(request.status),
                str(request.usage.all_input),
                str(request.usage.output),
                _seconds(request.total_us),
                request.cost_usd,
            )
            for request in requests
        ),
        "There is no request yet.",
    )


def _seconds(elapsed_us: int) -> str:
    return f"{elapsed_us // 1_000_000}.{elapsed_us % 1_000_000 // 10_000:02d}"
