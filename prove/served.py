"""Gateways that the proofs start for themselves: real `runapi serve` processes, operated through their admin API."""

import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from fakes import http
from fakes.server import Gateway
from prove.provider import Provider
from runapi.core.keys import DisconnectPolicy, Mode
from runapi.flows.ledger_rows import BooksRow
from runapi.flows.operator_rows import AccountRow, IssuedKey
from runapi.web.operator.server_file import read_server_file

T = TypeVar("T")
SECRET_KEY, OWN_MODELS = "secret.key", "models.yaml"
RICH_USD = "1000000"
RIGHT = "The ledger is right."
_ANSWERS_WITHIN_S = 120


class Served(Gateway):
    """One gateway in a folder of its own; it can be stopped or killed, and started again on its data."""

    def __init__(
        self, folder: Path, *, environment: Mapping[str, str] | None = None, **settings: object
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, environment=environment, **settings)

    def spawn(self) -> None:
        """Start it without waiting until it serves."""
        with self._stdout_file.open("ab") as stdout, self._stderr_file.open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "runapi", "serve"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )

    def is_ready(self) -> bool:
        """Whether it says that it serves."""
        return http.request(self.url, "GET", "/readyz", timeout_s=_ANSWERS_WITHIN_S).status == 200

    def faults(self) -> list[str]:
        """What should not stand in its log."""
        try:
            self.assert_clean_log()
        except AssertionError as fault:
            return [f"the log: {fault}"]
        return []

    # ---- operating it, without the price of a process for each command -----------------------------------

    def ask(self, command: str, kind: type[T], **parameters: object) -> T:
        """Have an operator command carried out.

        Raises:
            RuntimeError: it was refused.
        """
        server = read_server_file(self.home)
        if server is None:
            raise RuntimeError("the gateway runs, and has not said where")
        answer = http.request(
            self.url,
            "POST",
            f"/admin/v1/{command}",
            key=server.token,
            json=parameters,
            timeout_s=_ANSWERS_WITHIN_S,
        )
        if answer.status != 200:
            raise RuntimeError(f"{command} was refused: {answer.body.decode()}")
        return msgspec.json.decode(answer.body, type=kind)

    def open_account(self, name: str, usd: str = RICH_USD) -> AccountRow:
        """Open an account with so much live money."""
        account = self.ask("accounts.create", AccountRow, name=name)
        self.ask("accounts.credit", dict[str, object], name=name, usd=usd)
        return account

    def make_key(
        self,
        account: str,
        mode: Mode = Mode.LIVE,
        on_disconnect: DisconnectPolicy = DisconnectPolicy.DRAIN,
        limits: Mapping[str, object] | None = None,
    ) -> IssuedKey:
        """Make a key; `limits` are those of the command `keys.limit`."""
        key = self.ask("keys.create", IssuedKey, account=account, mode=mode, on_disconnect=on_disconnect)
        self.secrets.append(key.key)
        if limits:
            self.ask("keys.limit", dict[str, object], key=key.key, **limits)
        return key

    def add_provider(self, name: str, base_url: str, models: Iterable[str], **options: object) -> None:
        """Let it call an upstream for these models."""
        api_key = f"sk-canary-{secrets.token_hex(16)}"
        self.secrets.append(api_key)
        self.ask(
            "upstreams.add",
            dict[str, object],
            name=name,
            base_url=base_url,
            api_key=api_key,
            models=list(models),
            **options,
        )

    def count_open_holds(self) -> int:
        """How many requests have money set aside at this moment."""
        return sum(books.open_holds for books in self.ask("ledger.accounts", list[BooksRow]))

    def held_nano(self) -> int:
        """How much all accounts together have held."""
        accounts = self.ask("accounts.list", list[AccountRow])
        return sum(int(balance.held_nano) for account in accounts for balance in account.balances.values())

    def verify(self) -> list[str]:
        """Run `runapi ledger verify`, on a running server as on a stopped one; what is wrong with its answer."""
        said = self.command("ledger", "verify")
        if said.returncode == 0 and RIGHT in said.stdout:
            return []
        return [f"runapi ledger verify ended with {said.returncode}: {said.stdout}{said.stderr}"]


@contextmanager
def serve(gateway: Served) -> Iterator[Served]:
    """Let a gateway serve until the end of the block, whatever happens in it."""
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.kill()


def join(first: Served, second: Served) -> None:
    """Let a second gateway share the first one's PostgreSQL database: it needs the same key and the same models."""
    second.home.mkdir(mode=0o700)
    for name in (SECRET_KEY, OWN_MODELS):
        if (first.home / name).exists():
            shutil.copy(first.home / name, second.home / name)


def add_fine_provider(gateway: Served, provider: Provider, models: Iterable[str]) -> None:
    """Let the gateway call the fake provider, under one name."""
    gateway.add_provider("provider", provider.base_url, models)
