"""Have a command carried out: by the running server where there is one, otherwise here on the data folder."""

import asyncio
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import msgspec
import typer

from runapi.cli.answer import ANSWER_TIMEOUT_S, CommandFailed
from runapi.cli.environment import read_settings
from runapi.core.routing import ProbeResult, Upstream
from runapi.flows.desk import CommandDesk
from runapi.flows.load_catalog import load_catalog
from runapi.flows.office import CommandRefused, open_office
from runapi.settings import Settings
from runapi.store.database import Database
from runapi.store.faults import HomeInUse, StoreFault
from runapi.store.secrets import Vault
from runapi.web.operator.server_file import RunningServer, read_server_file
from runapi.wire.catalog_file import CatalogFault

PATIENCE_S = 3.0  # a server that starts holds the folder before it listens; another command holds it shortly
PAUSE_S = 0.1
NOT_THERE = frozenset(
    {"unknown_url", "server_shutdown"}  # not the server of this file's token, which is old; or one that stops
)


def ask(command: str, parameters: Mapping[str, object], timeout_s: float = ANSWER_TIMEOUT_S) -> bytes:
    """Carry out `command`; give its result as JSON. A running server has `timeout_s` to answer.

    Raises:
        CommandFailed: it was refused, or nobody could carry it out.
    """
    settings = read_settings()
    body = _encode(parameters)
    give_up_at_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return _ask_here(settings, command, body)
        except HomeInUse:
            server = read_server_file(settings.home)
        except (StoreFault, CatalogFault) as fault:
            raise CommandFailed(str(fault), "store_failed") from None
        result = None if server is None else _ask_server(server, command, body, timeout_s)
        if result is not None:
            return result
        if time.monotonic() > give_up_at_s:
            raise CommandFailed(
                f"RunAPI runs on {_shown(settings.home)} but does not take commands: wait until it has started, "
                "or restart it.",
                "server_unreachable",
            )
        time.sleep(PAUSE_S)


def _encode(parameters: Mapping[str, object]) -> bytes:
    try:
        return msgspec.json.encode(parameters)
    except UnicodeEncodeError:
        raise CommandFailed("The command line holds text that is not UTF-8: type it again.") from None


def _ask_here(settings: Settings, command: str, body: bytes) -> bytes:
    """Open the data folder and carry out the command in this process."""
    is_new = not settings.home.exists()
    database = Database.open(settings.home, settings.database)
    try:
        if is_new:
            typer.echo(f"runapi: made the data folder {_shown(settings.home)}.", err=True)
        office = open_office(Vault.unlock(database), load_catalog(settings.home), settings.test_balance_nano)
        return asyncio.run(CommandDesk(database, office, _probe).perform(command, body))
    except CommandRefused as refusal:
        raise CommandFailed(str(refusal)) from None
    finally:
        database.close_now()


async def _probe(upstream: Upstream, api_key: str) -> ProbeResult:
    from runapi.upstream.probe import probe  # noqa: PLC0415 - the HTTP client, for one command of twelve

    return await probe(upstream, api_key)


def _ask_server(server: RunningServer, command: str, body: bytes, timeout_s: float) -> bytes | None:
    """Hand the command to a running server; None when it is not there, so that nothing was carried out."""
    request = urllib.request.Request(  # noqa: S310 - a URL that our own server wrote
        f"{server.url}/admin/v1/{command}",
        body,
        {"authorization": f"Bearer {server.token}", "content-type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as refusal:
        failure = _failure(refusal)
        if failure.code in NOT_THERE:
            return None
        raise failure from None
    except urllib.error.URLError as fault:
        if isinstance(fault.reason, ConnectionRefusedError):
            return None
        raise CommandFailed(
            f"The running server at {server.url} did not take the command: {fault.reason}.",
            "server_unreachable",
        ) from None
    except (OSError, http.client.HTTPException) as fault:
        raise CommandFailed(
            f"The running server at {server.url} broke off ({fault}). Look whether the command took effect.",
            "server_unreachable",
        ) from None


def _failure(refusal: urllib.error.HTTPError) -> CommandFailed:
    try:
        error = json.loads(refusal.read())["error"]
        return CommandFailed(str(error["message"]), str(error["code"]))
    except (OSError, ValueError, KeyError, TypeError):
        return CommandFailed(
            f"The running server answered {refusal.code} without saying why.", "server_failed"
        )


def _shown(home: Path) -> str:
    return str(home.absolute())
