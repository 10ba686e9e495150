"""What the pages say of this installation: who runs it, which models it sells and what they cost."""

from collections.abc import Mapping
from datetime import date

import msgspec

from runapi.core.catalog import Catalog, Model
from runapi.core.price_book import PriceBook, PriceVersion

TEXT_PROTOCOLS = ("/v1/chat/completions", "/v1/responses", "/v1/messages")
"""Whatever of these is served takes every model that writes text: requests are translated where they must be."""


_ABILITY_OF = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
    "/v1/embeddings": "embeddings",
}
_ABILITIES = ("reasoning", "image", "pdf", "audio", *_ABILITY_OF.values())


class Operator(msgspec.Struct, frozen=True):
    """What the operator decided about the site."""

    brand: str
    contact_email: str = ""


class PublicLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody may read of the settings: sizes, and times in seconds."""

    body_mib: float
    header_kib: float
    url_kib: float
    header_timeout_s: float
    body_timeout_s: float
    first_byte_timeout_s: float
    idle_timeout_s: float
    total_timeout_s: float
    stalled_reader_timeout_s: float
    heartbeat_first_s: float
    heartbeat_every_s: float
    stored_responses_days: int
    test_balance_usd: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that pages take from outside their files, at one moment."""

    operator: Operator
    limits: PublicLimits
    today: date
    models: Mapping[str, Model]  # those that can be called, best first
    prices: Mapping[str, PriceVersion]
    price_version: int
    served: frozenset[str]  # the paths under /v1 that take requests


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What stays the same for as long as a server runs."""

    operator: Operator
    limits: PublicLimits
    catalog: Catalog
    served: frozenset[str]  # the paths under /v1 that take requests


def gather_facts(basis: Basis, book: PriceBook, today: date) -> Facts:
    """Take what is true now; a model that has no published price is not served, and not shown."""
    models = {
        model.id: model
        for model in basis.catalog.models.values()
        if not model.is_retired(today) and book.get(model.id) is not None
    }
    return Facts(
        operator=basis.operator,
        limits=basis.limits,
        today=today,
        models=models,
        prices=book.in_force,
        price_version=book.newest,
        served=basis.served,
    )


def endpoints_of(model: Model, served: frozenset[str]) -> list[str]:
    """The paths under /v1 on which this installation takes requests for `model`."""
    writes_text = any(path in TEXT_PROTOCOLS for path in model.endpoints)
    reached = [*TEXT_PROTOCOLS, *model.endpoints] if writes_text else list(model.endpoints)
    return [path for path in dict.fromkeys(reached) if path in served]


def abilities_of(model: Model, served: frozenset[str]) -> list[str]:
    """What a model can be chosen for, by the words after able_ in the strings."""
    known = {"reasoning"} if model.efforts else set()
    known |= set(model.input_modalities)
    known |= {_ABILITY_OF[path] for path in endpoints_of(model, served) if path in _ABILITY_OF}
    return [able for able in _ABILITIES if able in known]


def abilities_on_sale(facts: Facts) -> list[str]:
    """What at least one of the models can be chosen for."""
    known = {able for model in facts.models.values() for able in abilities_of(model, facts.served)}
    return [able for able in _ABILITIES if able in known]
