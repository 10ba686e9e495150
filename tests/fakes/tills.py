"""A till: top-ups joined to the fake Stripe, and the ways of sending it webhooks."""

import json

from fakes.offices import Clock
from fakes.stripe_server import WEBHOOK_SECRET, StripeServer, Thing
from runapi.core.keys import Mode
from runapi.flows.office import Office
from runapi.flows.topup import TopUp, TopUps
from runapi.payments.stripe_checkout import StripeCheckout
from runapi.store.database import Database
from runapi.store.ledger.customers import read_balance
from runapi.web.hooks.stripe import StripeHook

SUCCESS, CANCEL = "https://example.test/paid", "https://example.test/back"


class Till:
    """`open`, `pay`, `send`; what the account has is `posted(mode)`."""

    def __init__(self, database: Database, office: Office, clock: Clock, stripe: StripeServer) -> None:
        self.database, self.office, self.clock, self.stripe = database, office, clock, stripe
        checkout = StripeCheckout(stripe.secret_key, stripe.url)
        self.top_ups = TopUps(database, office, checkout)
        self.hook = StripeHook(self.top_ups, [WEBHOOK_SECRET.encode()], clock)

    async def open(self, amount_usd: str = "5", account_id: int = 1) -> TopUp:
        return await self.top_ups.open(account_id, amount_usd, success_url=SUCCESS, cancel_url=CANCEL)

    async def open_session(self, amount_usd: str = "5", account_id: int = 1) -> str:
        """Open an order; the id of its session."""
        order = await self.open(amount_usd, account_id)
        return order.url.rpartition("/")[2]

    async def send(self, kind: str, thing: Thing, **changes: object) -> str:
        """Send an event as Stripe does; what came of it."""
        return await self.deliver(self.stripe.event(kind, thing, **changes))

    async def deliver(self, body: bytes) -> str:
        status, reply = await self.hook.handle(self.stripe.sign(body, at_s=self.clock.us // 1_000_000), body)
        assert status == 200, reply
        return str(json.loads(reply)["outcome"])

    async def paid_session(self, amount_usd: str = "5") -> str:
        """A session that was opened, paid and credited."""
        session = await self.open_session(amount_usd)
        assert await self.send("checkout.session.completed", self.stripe.pay(session)) == "credited"
        return session

    async def posted_usd(self, mode: Mode = Mode.LIVE, account_id: int = 1) -> int:
        balance = await self.database.run(read_balance, account_id, mode)
        assert balance is not None
        whole, rest = divmod(balance.posted, 10**9)
        assert not rest
        return whole - (1000 if mode is Mode.TEST else 0)  # the play money of the beginning

    async def guarded(self) -> bool:
        balance = await self.database.run(read_balance, 1, Mode.LIVE)
        return balance is not None and balance.guarded
