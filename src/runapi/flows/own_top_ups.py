"""Open top-ups for programs, and say how their own ones stand."""

import re
from urllib.parse import urlsplit

import msgspec
import structlog
from sqlalchemy import Connection

from runapi.core import problems
from runapi.core.account_problems import no_payments, payment_of_other_mode, unknown_top_up
from runapi.core.keys import Mode, Principal
from runapi.core.money import usd
from runapi.core.orders import NoticeOutcome, Order, OrderState
from runapi.core.receipts import utc
from runapi.core.throttle import Throttle
from runapi.flows.front_desk import FrontDesk, ticks_us
from runapi.flows.topup import TopUps
from runapi.payments.stripe_checkout import PaymentFailed
from runapi.payments.stripe_events import BadEvent
from runapi.store import orders
from runapi.store.database import Database
from runapi.store.faults import NotFound

LONGEST_URL = 2_000
_ORDER_ID = re.compile(r"top_[0-9a-f]{32}")
_GRAPHIC = re.compile(r"[!-~]+")
_log = structlog.get_logger("runapi.topup")


class TopUpRow(msgspec.Struct, frozen=True, kw_only=True):
    """An order: one intended payment."""

    object: str = "topup"
    id: str
    state: OrderState
    mode: Mode
    currency: str
    amount_nano: str
    amount_usd: str
    taken_back_nano: str  # by refunds and disputes
    created_at: str
    url: str | None  # where it is paid: told once, when it is opened


class OwnTopUps:
    """The top-ups of programs. `top_ups` is None where this service takes no payments."""

    def __init__(
        self, top_ups: TopUps | None, database: Database, desk: FrontDesk, throttle: Throttle
    ) -> None:
        self._top_ups = top_ups
        self._database = database
        self._desk = desk
        self._throttle = throttle

    async def open(
        self, principal: Principal, amount_usd: str, *, success_url: str, cancel_url: str
    ) -> TopUpRow:
        """Open an order of the caller and the page on which it is paid.

        Raises:
            Problem: 400, or 503 where no page can be made.
        """
        _check_url("success_url", success_url)
        _check_url("cancel_url", cancel_url)
        if self._top_ups is None:
            raise no_payments()
        if self._top_ups.mode is not principal.mode:
            raise payment_of_other_mode(self._top_ups.mode)
        opened = await self._top_ups.open(
            principal.account_id, amount_usd, success_url=success_url, cancel_url=cancel_url
        )
        return _row(await self._database.run(_find_own, principal, opened.order_id), opened.url)

    async def show(self, principal: Principal, order_id: str) -> TopUpRow:
        """Say how an order of the caller stands; the provider is asked where it may have been paid meanwhile.

        Raises:
            Problem: 404, the caller has no such order.
        """
        order = await self._database.run(_find_own, principal, order_id)
        if order.state is OrderState.PENDING and self._may_ask(principal):
            await self._check(order)
            order = await self._database.run(_find_own, principal, order_id)
        return _row(order, None)

    def _may_ask(self, principal: Principal) -> bool:
        return (
            self._top_ups is not None
            and self._desk.provider_checks.begin(principal.account_id, ticks_us()) == 0
        )

    async def _check(self, order: Order) -> None:
        """Ask the provider; where it says nothing, the order stays as it is."""
        if self._top_ups is None:
            return
        try:
            outcome = await self._top_ups.check(order.id)
        except NotFound:
            return  # its page was never made
        except (PaymentFailed, BadEvent) as fault:
            _log.warning("order not checked", order=order.id, reason=str(fault))
            return
        if outcome is NoticeOutcome.CREDITED:
            self._throttle.forget_account(order.account_id)


def _find_own(connection: Connection, principal: Principal, order_id: str) -> Order:
    order = orders.find_order(connection, order_id) if _ORDER_ID.fullmatch(order_id) else None
    if order is None or (order.account_id, order.mode) != (principal.account_id, principal.mode):
        raise unknown_top_up(order_id[:100])
    return order


def _row(order: Order, url: str | None) -> TopUpRow:
    return TopUpRow(
        id=order.id,
        state=order.state,
        mode=order.mode,
        currency=order.currency,
        amount_nano=str(order.amount_nano),
        amount_usd=usd(order.amount_nano),
        taken_back_nano=str(order.taken_back_nano),
        created_at=utc(order.created_us),
        url=url,
    )


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound or len(url) > LONGEST_URL or not _GRAPHIC.fullmatch(url):
        raise problems.invalid_value(
            name, f"expected an http or https URL of at most {LONGEST_URL} characters, percent-encoded."
        )
