"""What a client's configuration is made of: where we are, and what the models on sale can do and cost.

The site shows it as JSON (`encode_offer`), so that `runapi connect` knows on any machine what the page knows.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import msgspec

from runapi.core.catalog import Model
from runapi.core.money import usd_per_1m
from runapi.core.pricing import PriceTable

OFFER_PATH = "/models.json"
KEY_VARIABLE = "RUNAPI_KEY"
PROVIDER = "runapi"
"""The name under which clients keep us."""


class OfferedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """USD per 1,000,000 tokens."""

    input: Decimal
    cached: Decimal
    output: Decimal


class OfferedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model on sale; `price` is None where it is not known here."""

    id: str
    context_window: int
    max_input_tokens: int
    max_output_tokens: int
    long_threshold: int | None = None  # above so many input tokens the whole request costs more
    efforts: tuple[str, ...] = ()
    default_effort: str | None = None
    input_modalities: tuple[str, ...] = ("text",)
    shutdown_date: date | None = None
    price: OfferedPrice | None = None

    @property
    def is_reasoning(self) -> bool:
        return bool(self.efforts)

    @property
    def working_tokens(self) -> int:
        """How long a conversation may grow: what the model takes at its ordinary price."""
        return min(self.max_input_tokens, self.long_threshold or self.max_input_tokens)


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """All models on sale, best first. `base_url` ends in /v1."""

    base_url: str
    models: tuple[OfferedModel, ...]

    @property
    def site_url(self) -> str:
        """The address without /v1."""
        return self.base_url.removesuffix("/v1")

    def get(self, model_id: str) -> OfferedModel | None:
        return next((model for model in self.models if model.id == model_id), None)

    def only(self, model_ids: Iterable[str]) -> "Offer":
        """The same offer with these models, in this order.

        Raises:
            KeyError: one of them is not on sale.
        """
        by_id = {model.id: model for model in self.models}
        return Offer(base_url=self.base_url, models=tuple(by_id[model_id] for model_id in model_ids))

    def beside(self, model_id: str) -> str | None:
        """The model to fall back on when `model_id` fails: the best of the others."""
        return next((model.id for model in self.models if model.id != model_id), None)

    def cheapest(self) -> str:
        """The model for small tasks, such as titles: the one with the cheapest output, of those that have no end."""
        staying = [model for model in self.models if model.shutdown_date is None] or list(self.models)
        priced = [(model.price.output, model.id) for model in staying if model.price is not None]
        return min(priced)[1] if priced else staying[-1].id


def offer_model(model: Model, ours: PriceTable | None) -> OfferedModel:
    """A model of the catalogue at the price in force."""
    return OfferedModel(
        id=model.id,
        context_window=model.context_window,
        max_input_tokens=model.max_input_tokens,
        max_output_tokens=model.max_output_tokens,
        long_threshold=None if ours is None else ours.long_threshold,
        efforts=model.efforts,
        default_effort=model.default_effort,
        input_modalities=model.input_modalities,
        shutdown_date=model.shutdown_date,
        price=None if ours is None else _price(ours),
    )


def encode_offer(offer: Offer) -> bytes:
    """An offer as JSON; prices are decimals in text."""
    return msgspec.json.encode(offer)


def read_offer(body: bytes) -> Offer:
    """Read what `encode_offer` wrote.

    Raises:
        msgspec.MsgspecError: it is no offer.
    """
    return msgspec.json.decode(body, type=Offer)


def _price(ours: PriceTable) -> OfferedPrice:
    rates = ours.standard
    return OfferedPrice(
        input=Decimal(usd_per_1m(rates.input)),
        cached=Decimal(usd_per_1m(rates.cached)),
        output=Decimal(usd_per_1m(rates.output)),
    )
