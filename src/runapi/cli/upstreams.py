"""`runapi upstreams`: the providers behind this installation."""

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from runapi.cli.answer import REFUSED, WRONG_USE, AsJson, CommandFailed, answer, fail
from runapi.core.routing import UpstreamAuth
from runapi.flows.operator_rows import TriedUpstream, UpstreamRow

FROM_STDIN = "-"
MOST_STDIN_BYTES = 65_536
_KEY_ELSEWHERE = {
    UpstreamAuth.API_KEY: ("key in api-key",),
    UpstreamAuth.ANTHROPIC: ("key in x-api-key",),
}

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Add, test and remove upstreams.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The upstream's name.")]
BaseUrl = Annotated[
    str, typer.Option("--base-url", metavar="URL", help="Where its API begins: https://host/v1")
]
Dialects = Annotated[
    list[str] | None,
    typer.Option(
        "--dialect",
        metavar="DIALECT",
        help="What it speaks: openai_chat, openai_responses or anthropic; repeat it for several.",
    ),
]
Auth = Annotated[
    str | None,
    typer.Option("--auth", metavar="HOW", help="How it wants the key: bearer, api-key or anthropic."),
]
ApiKey = Annotated[str, typer.Option("--api-key", metavar="KEY", help="Its API key; - reads it from stdin.")]
Models = Annotated[
    list[str] | None, typer.Option("--models", metavar="A,B", help="Our models that it serves.")
]
ModelMap = Annotated[
    list[str] | None,
    typer.Option("--model-map", metavar="OURS=THEIRS", help="A model that it knows by another name."),
]
Priority = Annotated[int, typer.Option("--priority", metavar="N", help="Lower is tried first.")]
CostRatio = Annotated[
    str, typer.Option("--cost-ratio", metavar="X", help="What it charges, in parts of the official price.")
]


@app.command("add")
def add(
    name: Name,
    base_url: BaseUrl,
    api_key: ApiKey,
    *,
    models: Models = None,
    model_map: ModelMap = None,
    priority: Priority = 100,
    cost_ratio: CostRatio = "1",
    dialect: Dialects = None,
    auth: Auth = None,
    as_json: AsJson = False,
) -> None:
    """Add an upstream: OpenAI, Azure, Anthropic, or a server that speaks as one of them."""
    try:
        mapped = _read_map(model_map or ())
    except CommandFailed as failure:
        fail(failure, as_json=as_json)
    parameters = {
        "name": name,
        "base_url": base_url,
        "api_key": _read_secret() if api_key == FROM_STDIN else api_key,
        "models": _split(models or ()),
        "model_map": mapped,
        "priority": priority,
        "cost_ratio": cost_ratio,
        "dialects": _split(dialect or ()),
        "auth": auth,
    }
    answer("upstreams.add", parameters, UpstreamRow, _show_added, as_json=as_json)


@app.command("list")
def list_all(*, as_json: AsJson = False) -> None:
    """List all upstreams, without their keys."""
    answer("upstreams.list", {}, list[UpstreamRow], _show_list, as_json=as_json)


@app.command("test")
def try_out(name: Name, *, as_json: AsJson = False) -> None:
    """Ask an upstream for its models, with its key; exit with 1 when it cannot be used."""
    tested = answer("upstreams.test", {"name": name}, TriedUpstream, _show_tested, as_json=as_json)
    if not tested.ok:
        raise typer.Exit(REFUSED)


@app.command("remove")
def remove(name: Name, *, as_json: AsJson = False) -> None:
    """Remove an upstream and its key."""
    answer("upstreams.remove", {"name": name}, UpstreamRow, _show_removed, as_json=as_json)


def _split(lists: Iterable[str]) -> list[str]:
    """Join repeated options and commas into one list."""
    return [item.strip() for items in lists for item in items.split(",") if item.strip()]


def _read_map(lists: Iterable[str]) -> dict[str, str]:
    """Read ours=theirs; theirs may hold further equal signs.

    Raises:
        CommandFailed: an entry has another form, or a model stands there twice.
    """
    mapped: dict[str, str] = {}
    for entry in _split(lists):
        ours, equals, theirs = (part.strip() for part in entry.partition("="))
        if not (ours and equals and theirs):
            raise CommandFailed(f"{entry!r} is not of the form ours=theirs.", "wrong_use", WRONG_USE)
        if mapped.setdefault(ours, theirs) != theirs:
            raise CommandFailed(f"--model-map names {ours} twice.", "wrong_use", WRONG_USE)
    return mapped


def _read_secret() -> str:
    """Read the key from stdin, without showing it when somebody types."""
    if sys.stdin.isatty():
        return str(typer.prompt("API key", hide_input=True, err=True))
    return sys.stdin.buffer.read(MOST_STDIN_BYTES).decode("utf-8", "replace").strip()


def _show_added(upstream: UpstreamRow) -> None:
    typer.echo(
        f"Added upstream {upstream.name} for {', '.join(upstream.models)}. Next: runapi upstreams test {upstream.name}"
    )


def _show_list(upstreams: list[UpstreamRow]) -> None:
    from runapi.cli.tables import print_table  # noqa: PLC0415 - Rich: not for --help or --json

    print_table(
        ("NAME", "BASE URL", "SPEAKS", "PRIO", "COST", "MODELS"),
        (
            (
                upstream.name,
                [upstream.base_url, *_KEY_ELSEWHERE.get(upstream.auth, ())],
                [dialect.removeprefix("openai_") for dialect in upstream.dialects],
                str(upstream.priority),
                upstream.cost_ratio,
                [ours if ours == theirs else f"{ours}={theirs}" for ours, theirs in upstream.models.items()],
            )
            for upstream in upstreams
        ),
        "There is no upstream yet: runapi upstreams add NAME --base-url URL --api-key KEY --models A,B",
    )


def _show_tested(tested: TriedUpstream) -> None:
    status = "no answer" if tested.status is None else f"status {tested.status}"
    word = "ok" if tested.ok else "NOT OK"
    typer.echo(f"{tested.name}: {word} ({status}, {tested.latency_ms} ms). {tested.detail}")


def _show_removed(upstream: UpstreamRow) -> None:
    typer.echo(f"Removed upstream {upstream.name} and its key.")
