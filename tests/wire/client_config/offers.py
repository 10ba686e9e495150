"""Offers and wishes for tests: the package's own catalogue at its own prices."""

from runapi.wire.catalog_file import package_catalog
from runapi.wire.client_config.offer import Offer, offer_model
from runapi.wire.client_config.wanted import Wanted

BASE_URL = "https://api.example.com/v1"
KEY = "runapi_test_" + "A" * 36
OFFER = Offer(
    base_url=BASE_URL,
    models=tuple(offer_model(model, model.ours) for model in package_catalog().models.values()),
)


def wanted(model: str = "gpt-5.5", key: str | None = None, **more: object) -> Wanted:
    return Wanted(offer=OFFER, model=model, key=key, **more)  # type: ignore[arg-type]
