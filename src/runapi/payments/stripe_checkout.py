"""Stripe Checkout: the page on which a customer pays. Everything about money that comes back is in `stripe_events`."""

import asyncio
from typing import TYPE_CHECKING

import msgspec

from runapi.core.keys import Mode
from runapi.core.orders import NANO_PER_CENT, Order

if TYPE_CHECKING:
    import stripe

API_BASE = "https://api.stripe.com"
TIMEOUT_S = 20.0
MOST_RETRIES = 2
_LIVE_KEYS = ("sk_live_", "rk_live_")


class PaymentFailed(Exception):  # noqa: N818 - what is the case
    """Stripe could not be reached or refused; the text says why, without a secret, for the operator's log."""


class PaymentPage(msgspec.Struct, frozen=True):
    """Where a customer pays an order."""

    session_ref: str
    url: str


class StripeCheckout:
    """Stripe's API under one secret key. The SDK blocks, so each call has a thread of its own."""

    def __init__(self, secret_key: str, api_base: str = API_BASE) -> None:
        """Keep the key; nothing is sent, and the SDK is not even loaded, before the first call."""
        self._secret_key = secret_key
        self._api_base = api_base
        self._client: stripe.StripeClient | None = None

    @property
    def mode(self) -> Mode:
        """Which balance a payment fills: Stripe's own test mode moves play money only, so it fills the test balance."""
        return Mode.LIVE if self._secret_key.startswith(_LIVE_KEYS) else Mode.TEST

    async def open_page(self, order: Order, *, success_url: str, cancel_url: str) -> PaymentPage:
        """Make the page for an order that is stored already; a repetition gives the same page.

        Raises:
            PaymentFailed: Stripe did not make one.
        """
        return await asyncio.to_thread(self._open_page, order, success_url, cancel_url)

    async def read_session(self, session_ref: str) -> bytes:
        """Ask for a session as it stands, as JSON.

        Raises:
            PaymentFailed: Stripe did not say.
        """
        return await asyncio.to_thread(self._read_session, session_ref)

    def _open_page(self, order: Order, success_url: str, cancel_url: str) -> PaymentPage:
        import stripe  # noqa: PLC0415 - a third of a second, for those who take payments

        cents, rest = divmod(order.amount_nano, NANO_PER_CENT)
        if rest:
            raise ValueError("a payment is a whole number of cents")
        try:
            session = self._connected().v1.checkout.sessions.create(
                params={
                    "mode": "payment",
                    "client_reference_id": order.id,
                    "metadata": {"runapi_order": order.id},
                    "payment_intent_data": {"metadata": {"runapi_order": order.id}},
                    "line_items": [
                        {
                            "quantity": 1,
                            "price_data": {
                                "currency": order.currency,
                                "unit_amount": cents,
                                "product_data": {"name": "API credit"},
                            },
                        }
                    ],
                    "success_url": success_url,
                    "cancel_url": cancel_url,
                },
                options={"idempotency_key": f"runapi-{order.id}"},
            )
        except stripe.StripeError as error:
            raise _failed(error) from None
        if session.url is None:
            raise PaymentFailed("Stripe made a session without a page.")
        return PaymentPage(session.id, session.url)

    def _read_session(self, session_ref: str) -> bytes:
        import stripe  # noqa: PLC0415 - see above

        try:
            session = self._connected().v1.checkout.sessions.retrieve(session_ref)
        except stripe.StripeError as error:
            raise _failed(error) from None
        return str(session).encode()  # the SDK's form of it: JSON

    def _connected(self) -> "stripe.StripeClient":
        import stripe  # noqa: PLC0415 - see above

        if self._client is None:
            self._client = stripe.StripeClient(
                self._secret_key,
                base_addresses={"api": self._api_base},
                http_client=stripe.RequestsClient(timeout=TIMEOUT_S),
                max_network_retries=MOST_RETRIES,
            )
        return self._client


def _failed(error: "stripe.StripeError") -> PaymentFailed:
    """What Stripe said, without its message: that may quote the key."""
    return PaymentFailed(
        f"Stripe refused or could not be reached: {type(error).__name__}"
        f" (status {error.http_status}, request {error.request_id})."
    )
