"""The configuration that `runapi connect` writes for a client: what the tests put in its place, for their server."""

from compat.steered import Backend
from fakes import http
from runapi.wire.client_config.offer import KEY_VARIABLE, OFFER_PATH, read_offer
from runapi.wire.client_config.wanted import Wanted

__all__ = ["KEY_VARIABLE", "wanted"]


def wanted(backend: Backend, model: str) -> Wanted:
    """What a customer wants who begins with `model`; the key stays in the environment, as KEY_VARIABLE."""
    offer = read_offer(http.request(backend.url, "GET", OFFER_PATH).body)
    assert offer.base_url == backend.base_url
    return Wanted(offer=offer, model=model)
