"""What `runapi connect` has to find out before it changes anything, and what it then does."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from runapi.cli import client_file
from runapi.cli.answer import WRONG_USE, CommandFailed
from runapi.cli.environment import read_settings
from runapi.cli.service import clean_base_url, fetch_offer, leads_into_private_network, try_out
from runapi.core.keys import is_well_formed, visible_prefix
from runapi.settings import Settings
from runapi.web.operator.server_file import reachable_url, read_server_file
from runapi.wire.client_config.clients import Client
from runapi.wire.client_config.fault import ConfigFault
from runapi.wire.client_config.trial import Trial
from runapi.wire.client_config.wanted import Wanted

KEY_VARIABLES = ("RUNAPI_KEY", "RUNAPI_API_KEY")
URL_VARIABLE = "RUNAPI_BASE_URL"
TEST_KEY_FILE = "test.key"


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, for programs. `key` is its visible part, or the variable that is named in its place."""

    client: str
    file: str
    base_url: str
    model: str
    key: str
    diff: str
    changed: bool  # whether the file has to change
    written: bool
    backup: str | None
    made_folder: str | None  # the first that was not there
    trial: Trial | None
    next: str  # a command, where all went well


def find_address(given: str | None) -> str:
    """The base URL: given, from the environment, or that of our own server.

    Raises:
        CommandFailed: it is no base URL.
    """
    given = given or os.environ.get(URL_VARIABLE)
    return clean_base_url(given) if given else _own_addresses(read_settings())[0]


def _own_addresses(settings: Settings) -> list[str]:
    """The base URLs of our own server, first the one that others use: what it says itself, if it runs."""
    running = read_server_file(settings.home)
    public = (running.public_url if running else "") or settings.public_url
    here = running.url if running else reachable_url(settings.host, settings.port)
    return [clean_base_url(url) for url in (public, here) if url]


def _is_own(base_url: str, settings: Settings) -> bool:
    """Whether the base URL is that of our own server: nobody else may be shown its test key."""
    both = base_url.replace("//localhost:", "//127.0.0.1:", 1)
    return any(both == own.replace("//localhost:", "//127.0.0.1:", 1) for own in _own_addresses(settings))


def find_key(given: str | None, base_url: str) -> str | None:
    """The key: given, from the environment, or the test key where `base_url` is our own server; None: there is none.

    Raises:
        CommandFailed: it is mistyped.
    """
    key = sys.stdin.readline().strip() if given == "-" else given
    key = key or next((value for name in KEY_VARIABLES if (value := os.environ.get(name))), None)
    if not key:
        settings = read_settings()
        own = settings.home / TEST_KEY_FILE
        key = own.read_text("utf-8").strip() if own.is_file() and _is_own(base_url, settings) else None
    if key and not is_well_formed(key):
        raise CommandFailed("This key is mistyped or cut short: copy it whole.", "wrong_key", WRONG_USE)
    return key or None


def find_wanted(client: Client, base_url: str, model: str | None, key: str | None) -> Wanted:
    """Ask the server what it sells.

    Raises:
        CommandFailed: nobody is there; it does not sell `model`; or a key is missing where one has to be.
    """
    if key is None and client.needs_key:
        raise CommandFailed("A .env file holds the key itself: leave --no-key out.", "wrong_use", WRONG_USE)
    offer = fetch_offer(base_url)
    model = model or offer.models[0].id
    if offer.get(model) is None:
        sold = ", ".join(one.id for one in offer.models)
        raise CommandFailed(
            f"{base_url} does not sell {model[:80]!r}. It sells: {sold}.", "unknown_model", WRONG_USE
        )
    return Wanted(offer=offer, model=model, key=key, is_private_name=leads_into_private_network(base_url))


def carry_out(
    client: Client,
    wanted: Wanted,
    key: str | None,
    file: Path | None,
    tell: Callable[[str], None],
    *,
    dry_run: bool,
) -> Connected:
    """Show the change and, unless this is a dry run, make it and try it with `key`.

    Raises:
        CommandFailed: the old file is broken, or the new one cannot be written.
    """
    path = client_file.choose_file((file,) if file else client.locate(os.environ, Path.home()))
    old = client_file.read_text(path)
    new = _change(client, path, old, wanted)
    diff = client_file.show_change(path, old, new)
    tell(diff or f"{client_file.shown(path)} needs no change.")
    backup, trial, folder = None, None, None
    if not dry_run:
        folder = client_file.missing_folder(path)
        backup = _write(path, old, new, tell)
        if folder is not None:
            tell(f"Made the folder {client_file.shown(folder)}.")
        trial = _try(client, wanted, key, tell)
    done = Connected(
        client=client.name,
        file=str(path),
        base_url=wanted.offer.base_url,
        model=wanted.model,
        key=f"{visible_prefix(wanted.key)}..." if wanted.key else wanted.variable,
        diff=diff,
        changed=new != old,
        written=new != old and not dry_run,
        backup=str(backup) if backup else None,
        made_folder=str(folder) if folder else None,
        trial=trial,
        next=_next_step(client, wanted, trial, dry_run=dry_run),
    )
    works = not dry_run and (trial is None or trial.ok)
    tell(f"Next: {done.next}" if works else done.next)
    return done


def _change(client: Client, path: Path, old: str, wanted: Wanted) -> str:
    try:
        return client.connect(old, wanted)
    except ConfigFault as fault:
        name = client_file.shown(path)
        where = f"{name}, line {fault.line}" if fault.line else name
        raise CommandFailed(
            f"{where}: {fault.what}. Nothing was changed: put it right, or name another file with --file.",
            "broken_config",
        ) from None


def _write(path: Path, old: str, new: str, tell: Callable[[str], None]) -> Path | None:
    if new == old:
        client_file.make_private(path)
        return None
    backup = client_file.write_text(path, old, new)
    old_one = f" The old one is {client_file.shown(backup)}." if backup else ""
    tell(f"\nWrote {client_file.shown(path)}.{old_one}")
    return backup


def _try(client: Client, wanted: Wanted, key: str | None, tell: Callable[[str], None]) -> Trial | None:
    offered = wanted.offer.get(wanted.model)
    if key is None or offered is None:
        tell(f"Not tried: there is no key. Give one with --key, or as {wanted.variable}.")
        return None
    trial = try_out(wanted.offer.base_url, client.protocol, offered, key)
    tell(_told(trial, wanted.model, key))
    return trial


def _told(trial: Trial, model: str, key: str) -> str:
    if not trial.ok:
        status = f"answered {trial.status}" if trial.status else "no answer"
        return f"Tried {trial.url}: {status}{f' ({trial.code})' if trial.code else ''}. {trial.said}"
    used = f"{trial.total_tokens} tokens" if trial.total_tokens else "usage unknown"
    cost = f", {trial.cost_usd} USD" if trial.cost_usd else ""
    sandbox = " That was the sandbox: a test key costs no money." if key.startswith("runapi_test_") else ""
    return f"Tried {trial.url}: {model} answered {trial.said!r} ({used}{cost}).{sandbox}"


def _next_step(client: Client, wanted: Wanted, trial: Trial | None, *, dry_run: bool) -> str:
    if dry_run:
        return "Nothing was written. To write it, run the same command without --dry-run."
    if trial is not None and not trial.ok:
        return f"The configuration is written, but this does not work yet. Then again: runapi connect {client.name}"
    export = "" if wanted.key else f"export {wanted.variable}=runapi_...; "
    return f"{export}{client.first_command}"
