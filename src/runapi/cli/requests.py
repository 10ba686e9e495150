"""`runapi requests`: what was asked, what became of it, and what it cost."""

from typing import TYPE_CHECKING, Annotated

import typer

from runapi.cli.answer import AsJson, answer
from runapi.flows.operator_rows import RequestRow

if TYPE_CHECKING:
    from runapi.flows.show_requests import ShownRequest

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show the requests that were made.")
Limit = Annotated[int, typer.Option("--limit", metavar="N", help="How many.")]
OnlyAccount = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Only those of this account.")
]
After = Annotated[
    str | None,
    typer.Option("--after", metavar="ID", help="Only those older than this request: the next page."),
]
RequestId = Annotated[str, typer.Argument(metavar="ID", help="The request's id, as its client was given it.")]


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


@app.command("show")
def show(request: RequestId, *, as_json: AsJson = False) -> None:
    """Show everything about one request: what its customer can be told, and what is yours alone."""
    from runapi.flows.show_requests import ShownRequest  # noqa: PLC0415 - the database: not for --help

    answer("requests.show", {"id": request}, ShownRequest, _show_one, as_json=as_json)


def _show_list(requests: list[RequestRow]) -> None:
    from runapi.cli.tables import minute, print_table  # noqa: PLC0415 - Rich: not for --help or --json

    print_table(
        ("REQUEST\nAT (UTC)     KEY", "MODEL\nUPSTREAM", "HTTP\n", "IN\nOUT", "USD\nSEC"),
        (
            (
                [request.id, f"{minute(request.at)[5:16]}  {request.key}"],
                [request.model, request.upstream or "-"],
                str(request.status),
                [str(request.usage.all_input), str(request.usage.output)],
                [request.cost_usd, _seconds(request.total_us)],
            )
            for request in requests
        ),
        "There is no request yet.",
    )


def _show_one(request: "ShownRequest") -> None:
    from runapi.cli.one_request import describe  # noqa: PLC0415 - as above
    from runapi.cli.tables import printable  # noqa: PLC0415 - Rich: not for --help or --json

    for line in describe(request):
        typer.echo(printable(line))


def _seconds(elapsed_us: int) -> str:
    return f"{elapsed_us // 1_000_000}.{elapsed_us % 1_000_000 // 10_000:02d}"
