"""The composition root: the only place where the parts of a running server are built and joined."""

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvloop
from sqlalchemy import Connection

from runapi.app.check_site import check_site
from runapi.app.console import TEST_KEY_FILE, configure_log, greet, report_recovery
from runapi.app.listen import check_address, listen
from runapi.app.open_site import open_site
from runapi.core.hosted_tools import CHARGED_TOOLS
from runapi.core.routing import Upstream
from runapi.flows.admit import Admission
from runapi.flows.authenticate import Keyring
from runapi.flows.deadlines import Deadlines
from runapi.flows.desk import CommandDesk
from runapi.flows.exchange import Patience
from runapi.flows.first_start import FirstStart, first_start
from runapi.flows.front_desk import FrontDesk
from runapi.flows.idempotency import IdempotentRequests
from runapi.flows.load_catalog import load_catalog
from runapi.flows.memory import Memory
from runapi.flows.office import Change, Office, open_office
from runapi.flows.publish_prices import load_book, publish_first
from runapi.flows.relay import Relay
from runapi.flows.settle import Till
from runapi.flows.stored_responses import StoredResponses
from runapi.flows.topup import TopUps
from runapi.flows.upkeep import Upkeep
from runapi.payments.stripe_checkout import StripeCheckout
from runapi.settings import Settings, split_words
from runapi.store.database import Database
from runapi.store.faults import HomeInUse, SealBroken
from runapi.store.key_limits import load_limits, load_spent
from runapi.store.keys import load_principals
from runapi.store.ledger.recovery import Recovery, recover
from runapi.store.ledger.writer import LedgerWriter
from runapi.store.record_log import RecordLog
from runapi.store.secrets import Vault
from runapi.store.upstreams import StoredUpstream, key_place, list_upstreams
from runapi.upstream.client import UpstreamClient
from runapi.upstream.pool import UpstreamPool
from runapi.upstream.probe import probe
from runapi.web.edge import Edge
from runapi.web.hooks.stripe import open_hook
from runapi.web.operator.server_file import (
    RunningServer,
    describe_server,
    remove_server_file,
    write_server_file,
)
from runapi.web.services import Services

_HOME_TRIES = 30
_HOME_RETRY_S = 0.1
EX_LEDGER = 74  # the exit code of sysexits.h for input and output that failed
_log = structlog.get_logger("runapi.app")


@dataclass(slots=True)
class App:
    """A server's parts, joined and not yet listening."""

    settings: Settings
    database: Database
    office: Office
    client: UpstreamClient
    pool: UpstreamPool
    log: RecordLog
    ledger: LedgerWriter
    admission: Admission
    upkeep: Upkeep
    keyring: Keyring
    relay: Relay
    services: Services
    edge: Edge

    async def load(self, change: Change) -> None:
        """Read again what changed in the database."""
        match change:
            case Change.KEYS:
                self.keyring.load(await self.database.run(load_principals))
                await self._load_limits()
            case Change.PRICES:
                self.admission.book = await self.database.run(load_book)
            case Change.BALANCES:
                self.admission.throttle.forget_all()
            case Change.UPSTREAMS:
                stored = await self.database.run(list_upstreams)
                self.pool.load(list(self._unsealed(stored)))

    async def _load_limits(self) -> None:
        """Take the keys' limits; of windows that are new, read what was spent in them."""
        now_us = self.office.now_us()
        limits = await self.database.run(load_limits)
        gates = self.admission.gates
        unknown = gates.without_history(limits)
        spent = await self.database.run(load_spent, now_us, unknown) if unknown else {}
        gates.load(limits, spent, now_us)
        self.admission.throttle.forget_all()

    def _unsealed(self, stored: Iterable[StoredUpstream]) -> Iterator[tuple[Upstream, str]]:
        """Each upstream with its API key; one whose seal is broken is left out, and the log says so."""
        for row in stored:
            try:
                yield (
                    row.upstream,
                    self.office.vault.open(row.key_ciphertext, key_place(row.upstream.name)),
                )
            except SealBroken as fault:
                _log.error("upstream left out", upstream=row.upstream.name, reason=str(fault))

    async def close(self) -> None:
        await self.upkeep.stop()
        await self.log.close()
        await self.ledger.close()
        await self.client.close()
        await self.database.close()


async def open_app(settings: Settings) -> App:
    """Build everything; nothing listens yet. The data folder is ours from here on."""
    catalog = load_catalog(settings.home)
    check_site(settings, catalog)
    database = await _open_database(settings)
    try:
        office = open_office(Vault.unlock(database), catalog, settings.test_balance_nano)
        recovery = recover(database, office.now_us(), test_balance_nano=settings.test_balance_nano)
        first = await database.run(_start_first, office, settings.home)
        await database.run(publish_first, office)
        server = describe_server(settings.host, settings.port, settings.public_url)
        app = _join(settings, database, office, recovery, server)
        for change in Change:
            await app.load(change)
        greet(settings.home, app.services.public_url, first)
        report_recovery(recovery)
        app.upkeep.start()
        write_server_file(settings.home, server)
    except BaseException:
        await database.close()
        raise
    return app


def _join(
    settings: Settings, database: Database, office: Office, recovery: Recovery, server: RunningServer
) -> App:
    """Build the parts of a server on its open database, and give each what it needs of the others."""
    client = UpstreamClient(connect_timeout_s=settings.connect_timeout_s)
    models = office.catalog.models
    pool = UpstreamPool(
        client, models, input_limits={name: model.max_input_tokens for name, model in models.items()}
    )
    log, deadlines, keyring = RecordLog(database), Deadlines(), Keyring(office.vault.pepper)
    ledger = LedgerWriter(database, recovery.seat, _end_process)
    admission = Admission(ledger)
    till = Till(ledger, admission, log)
    stored_responses = StoredResponses(database, office.now_us, days=settings.stored_responses_days)
    relay = Relay(
        catalog=office.catalog,
        pool=pool,
        till=till,
        memory=Memory(stored_responses),
        patience=_patience(settings),
        deadlines=deadlines,
        unsold_tools=CHARGED_TOOLS - frozenset(split_words(settings.hosted_tools)),
    )
    app_holder: list[App] = []

    async def reload(change: Change) -> None:
        await app_holder[0].load(change)

    top_ups = _open_top_ups(settings, database, office)
    services = Services(
        relay=relay,
        keyring=keyring,
        catalog=office.catalog,
        database=database,
        office=office,
        ledger=ledger,
        admission=admission,
        idempotent=_open_idempotent(settings, database, office, recovery),
        top_ups=top_ups,
        stripe_hook=None if top_ups is None else open_hook(top_ups, settings.webhook_secrets, office.now_us),
        public_url=settings.public_url or server.url,
        stored_responses=stored_responses,
        desk=CommandDesk(database, office, probe, reload, log.written),
        admin_token=server.token,
        deadlines=deadlines,
        most_body_bytes=settings.max_body_bytes,
        body_timeout_s=settings.body_timeout_s,
        trusted_proxies=settings.trusted_proxies,
        front_desk=FrontDesk(written=log.written),
    )
    services.site = open_site(settings, services, pool)
    upkeep = Upkeep(database, office, recovery.seat, reload, stored_responses)
    app = App(
        *(settings, database, office, client, pool, log, ledger, admission),
        *(upkeep, keyring, relay, services, Edge(services)),
    )
    app_holder.append(app)
    return app


def _open_idempotent(
    settings: Settings, database: Database, office: Office, recovery: Recovery
) -> IdempotentRequests:
    return IdempotentRequests(
        database,
        pepper=office.vault.pepper,
        node=recovery.seat.node,
        now_us=office.now_us,
        stall_s=settings.stalled_reader_timeout_s,
    )


def _open_top_ups(settings: Settings, database: Database, office: Office) -> TopUps | None:
    if settings.stripe_secret_key is None:
        return None
    checkout = StripeCheckout(settings.stripe_secret_key.reveal(), settings.stripe_api_base)
    return TopUps(database, office, checkout)


def _end_process(fault: BaseException) -> None:
    """Stop at once: nothing that is written from here on can be trusted, or this process may not write any more."""
    with suppress(OSError):  # the log may be on the disk that failed
        sys.stderr.write(f"RunAPI stops: {fault}\n")
        sys.stderr.flush()
    os._exit(EX_LEDGER)


async def _open_database(settings: Settings) -> Database:
    """Open the data folder; a command that holds it at this moment is waited for."""
    for _ in range(_HOME_TRIES):
        try:
            return Database.open(settings.home, settings.database)
        except HomeInUse:
            await asyncio.sleep(_HOME_RETRY_S)
    return Database.open(settings.home, settings.database)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then end running requests in peace, within the shutdown timeout."""
    configure_log(settings.log_level)
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    address = check_address(settings.host, settings.port)
    app = await open_app(settings)
    try:
        await listen(address, settings, app.edge, app.services)
    finally:
        remove_server_file(settings.home)
        await app.close()


def _patience(settings: Settings) -> Patience:
    return Patience(
        first_byte_s=settings.first_byte_timeout_s,
        idle_s=settings.idle_timeout_s,
        total_s=settings.total_timeout_s,
        heartbeat_first_s=settings.heartbeat_first_s,
        heartbeat_every_s=settings.heartbeat_every_s,
        stalled_reader_s=settings.stalled_reader_timeout_s,
        drain_s=settings.drain_timeout_s,
        drain_bytes=settings.drain_bytes,
        most_drains=settings.most_drains,
    )


def _start_first(connection: Connection, office: Office, home: Path) -> FirstStart | None:
    """Set a new installation up; its test key is on disk before the account is committed, so that none is lost."""
    first = first_start(connection, office, os.environ)
    if first is not None:
        path = home / TEST_KEY_FILE
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(first.key + "\n")
    return first
