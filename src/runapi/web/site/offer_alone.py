"""What stays where the operator does without a site: the models with their prices, which `runapi connect` reads."""

from collections.abc import Callable
from datetime import UTC, date, datetime

from runapi.core.price_book import PriceBook
from runapi.web.call import Call
from runapi.web.site.addresses import Addresses
from runapi.web.site.cache import Answer, pack
from runapi.web.site.facts import Basis, gather_facts
from runapi.web.site.offers import write_offer
from runapi.web.site.replies import CHECK_EACH_TIME, reply
from runapi.wire.client_config.offer import OFFER_PATH


class OfferAlone:
    """Answers GET /models.json, and nothing else."""

    def __init__(self, basis: Basis, book: Callable[[], PriceBook], addresses: Addresses) -> None:
        """Take what an offer is made of; `book` gives the prices in force at any moment."""
        self._basis = basis
        self._book = book
        self._addresses = addresses
        self._newest: tuple[PriceBook, date, str, Answer] | None = None

    async def answer(self, call: Call) -> bool:
        """Answer a request that is none of the API's; False where there is nothing to say to it."""
        if call.path != OFFER_PATH or call.method not in ("GET", "HEAD"):
            return False
        await reply(call, self._offer(self._addresses.site_url(call.headers.get(b"host"))))
        return True

    def _offer(self, site_url: str) -> Answer:
        book, today = self._book(), datetime.now(UTC).date()
        kept = self._newest
        if kept is not None and kept[0] is book and kept[1:3] == (today, site_url):
            return kept[3]
        text = write_offer(gather_facts(self._basis, book, today), f"{site_url}/v1")
        answer = pack(text.encode(), "application/json", headers=(CHECK_EACH_TIME,))
        self._newest = book, today, site_url, answer
        return answer
