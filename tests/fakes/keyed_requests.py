"""Requests under an Idempotency-Key: a client that listens, and a request that holds, answers and settles."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
from sqlalchemy import Connection

from runapi.core.idempotency import KeptAnswer
from runapi.core.keys import Mode, Principal
from runapi.core.ledger.books import TransferKind
from runapi.core.ledger.operations import OpenHold, Post, Settle, Void, make_tid
from runapi.core.problems import Problem
from runapi.core.usage import UsageSource
from runapi.flows.idempotency import IdempotentRequests, Recorder, Run
from runapi.store.accounts import create_account
from runapi.store.database import Database
from runapi.store.idempotency import insert_answers
from runapi.store.ledger.batch import write_operations

PEPPER = b"p" * 32
URL = "/v1/chat/completions"
BODY = b'{"model":"gpt-5.5"}'
COST_NANO = 7_000
_numbers = itertools.count(1)


class Client:
    """Takes what is sent to it; can read slowly, stop reading, or leave."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.whole = False
        self.reads = asyncio.Event()
        self.reads.set()
        self.heard = asyncio.Condition()
        self._gone = asyncio.Event()
        self._watchers: list[Callable[[], object]] = []

    async def start(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        assert not self.status, "an answer begins once"
        self.status, self.headers = status, dict(headers)

    async def send(self, data: bytes, *, last: bool = False) -> None:
        assert self.status
        assert not self.whole
        await self.reads.wait()
        if self._gone.is_set():
            return
        self.body += data
        self.whole = last
        async with self.heard:
            self.heard.notify_all()

    def on_gone(self, gone: Callable[[], object]) -> Callable[[], object]:
        self._watchers.append(gone)
        return self._watchers.clear

    def leave(self) -> None:
        self._gone.set()
        self.reads.set()
        for gone in self._watchers:
            gone()

    async def wait_for(self, body: bytes) -> None:
        async with self.heard:
            await self.heard.wait_for(lambda: self.body == body)

    @property
    def is_replay(self) -> bool:
        return b"idempotent-replayed" in self.headers


def open_books(connection: Connection, *, name: str = "acme", usd: int = 1) -> int:
    """An account with money in both modes; its id."""
    account = create_account(connection, name, 1)
    if not usd:
        return account.id
    posts = [
        Post(
            kind=TransferKind.TOPUP,
            mode=mode,
            account_id=account.id,
            amount_nano=usd * 10**9,
            tid=make_tid("test", name, mode),
            at_us=1,
        )
        for mode in Mode
    ]
    write_operations(connection, posts)
    return account.id


def principal(account_id: int = 1, mode: Mode = Mode.TEST, **policies: object) -> Principal:
    return Principal(1, account_id, mode, "runapi_test_abcd", **policies)  # type: ignore[arg-type]


def now_us() -> int:
    return time.time_ns() // 1000


def requests_on(database: Database, **options: object) -> IdempotentRequests:
    values = {"pepper": PEPPER, "node": 1, "now_us": now_us, "stall_s": 5.0, **options}
    return IdempotentRequests(database, **values)  # type: ignore[arg-type]


def hold(connection: Connection, who: Principal, request_id: str) -> None:
    asked = OpenHold(
        request_id=request_id,
        account_id=who.account_id,
        mode=who.mode,
        amount_nano=10_000,
        least_nano=1,
        key_id=who.key_id,
        price_version=1,
        at_us=now_us(),
    )
    write_operations(connection, [asked])


def settle(connection: Connection, request_id: str, kept: KeptAnswer | None, nano: int = COST_NANO) -> None:
    """End the request and keep its answer in one transaction, as the relay does."""
    ending = Settle(
        request_id=request_id,
        amount_nano=nano,
        cost_pico=nano * 1000,
        usage="{}",
        usage_source=UsageSource.REPORTED,
        at_us=now_us(),
    )
    write_operations(connection, [ending])
    insert_answers(connection, [] if kept is None else [kept])


def void(connection: Connection, request_id: str) -> None:
    write_operations(connection, [Void(request_id=request_id, reason="upstream failed", at_us=now_us())])


class Ask:
    """One request after the other under keys of one account."""

    def __init__(
        self, database: Database, requests: IdempotentRequests | None = None, who: Principal | None = None
    ):
        self.database = database
        self.requests = requests or requests_on(database)
        self.who = who or principal()
        self.runs: list[str] = []

    def serving(
        self,
        chunks: Sequence[bytes] = (b"one ", b"two ", b"end"),
        *,
        between: Callable[[int], Awaitable[object]] | None = None,
    ) -> Callable[[str], Run]:
        """A request that is held, streams `chunks`, settles, and then sends the last of them."""

        def for_request(request_id: str) -> Run:
            async def run(recorder: Recorder) -> None:
                self.runs.append(request_id)
                await self.database.run(hold, self.who, request_id)
                await recorder.client.start(200, [(b"content-type", b"text/event-stream")])
                for number, chunk in enumerate(chunks[:-1]):
                    await recorder.client.send(chunk)
                    await (between(number) if between else asyncio.sleep(0))
                kept = recorder.keep(chunks[-1], now_us())
                await self.database.run(settle, request_id, kept)
                await recorder.client.send(chunks[-1], last=True)

            return run

        return for_request

    async def __call__(
        self,
        make_run: Callable[[str], Run],
        *,
        key: bytes = b"key-1",
        body: bytes = BODY,
        client: Client | None = None,
        path: str = URL,
        who: Principal | None = None,
    ) -> Client:
        client = client or Client()
        request_id = f"req_{next(_numbers):032x}"
        await self.requests.answer(
            who or self.who,
            key,
            path=path,
            body=body,
            client=client,
            request_id=request_id,
            run=make_run(request_id),
        )
        return client


def spent_nano(connection: Connection) -> int:
    """What all settlements together took."""
    found = connection.exec_driver_sql("SELECT coalesce(sum(amount), 0) FROM transfer WHERE kind = 'settle'")
    return int(found.scalar_one())


async def refused(ask: Ask, make_run: Callable[[str], Run], **asked: object) -> Problem:
    """Ask, and give the problem that it ends in."""
    with pytest.raises(Problem) as caught:
        await ask(make_run, **asked)  # type: ignore[arg-type]
    return caught.value


def never(_request_id: str) -> Run:
    """A request that may not be served."""

    async def run(_recorder: Recorder) -> None:
        raise AssertionError("this request must not be served")

    return run
