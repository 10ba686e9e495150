"""Show prices, compare them with the catalogue, publish them. Only a publication makes a price effective.

What is admitted before it keeps the price at which it was admitted; what comes after pays the new one.
"""

from hashlib import blake2b

import msgspec
from sqlalchemy import Connection

from runapi.core.price_book import Price, PriceBook, changes, propose, ratio_policy
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import unknown_model
from runapi.flows.price_rows import ModelChange, PriceDiff, PublishedPrice, change_row, price_row
from runapi.store import prices


class ShowPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    model: str | None = None  # every version of this one, newest first


class DiffPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ratio: str | None = None  # of the official price, or "catalogue"; None: each model's own policy
    model: str | None = None  # only this one


class PublishPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ratio: str | None = None
    model: str | None = None
    digest: str | None = None  # of the difference that was agreed to


def show_prices(connection: Connection, office: Office, asked: ShowPrices) -> list[PublishedPrice]:
    """The prices in force, in the catalogue's order; or every version of one model's."""
    if asked.model is not None:
        found = prices.list_prices(connection, asked.model)
        if not found and office.catalog.get(asked.model) is None:
            raise CommandRefused(unknown_model(office.catalog, asked.model))
        return [price_row(price) for price in found]
    in_force = load_book(connection).in_force
    known = [model for model in office.catalog.models if model in in_force]
    return [price_row(in_force[model]) for model in known + sorted(in_force.keys() - set(known))]


def diff_prices(connection: Connection, office: Office, asked: DiffPrices) -> PriceDiff:
    """What `prices.publish` with the same parameters would change."""
    return _difference(connection, office, asked.ratio, asked.model)[0]


def publish_prices(connection: Connection, office: Office, asked: PublishPrices) -> PriceDiff:
    """Publish what differs as one new version; nothing, where nothing differs."""
    difference, proposals = _difference(connection, office, asked.ratio, asked.model)
    if asked.digest is not None and asked.digest != difference.digest:
        raise CommandRefused(
            "The prices have changed since the difference was shown. Look at it again: runapi prices diff"
        )
    if not proposals:
        return difference
    published = prices.publish_prices(connection, difference.version + 1, proposals, office.now_us())
    return msgspec.structs.replace(difference, published=published[0].version)


def publish_first(connection: Connection, office: Office) -> int | None:
    """Publish version 1, every model at the catalogue's own price, where nothing was ever published; give 1, or None.

    For the start of a server, so that a new installation, or one from before there were versions, can serve.
    """
    if prices.read_newest(connection):
        return None
    return publish_prices(connection, office, PublishPrices()).published


def load_book(connection: Connection) -> PriceBook:
    """Read the prices in force."""
    return PriceBook(prices.load_prices(connection))


def _difference(
    connection: Connection, office: Office, ratio: str | None, model: str | None
) -> tuple[PriceDiff, list[Price]]:
    catalog, book = office.catalog, load_book(connection)
    if model is not None and catalog.get(model) is None:
        raise CommandRefused(unknown_model(catalog, model))
    chosen = list(catalog.models) if model is None else [model]
    try:
        policies = {} if ratio is None else dict.fromkeys(chosen, ratio_policy(ratio))
        proposals = [price for price in propose(catalog, book, policies) if price.model in chosen]
    except ValueError as fault:
        raise CommandRefused(f"{fault}.") from None
    models = [_model_change(book, price) for price in proposals]
    newest = prices.read_newest(connection)
    digest = blake2b(msgspec.json.encode([newest, proposals]), digest_size=16).hexdigest()
    return PriceDiff(version=newest, digest=digest, models=models), proposals


def _model_change(book: PriceBook, price: Price) -> ModelChange:
    before = book.get(price.model)
    return ModelChange(
        model=price.model,
        old_policy=None if before is None else before.policy,
        policy=price.policy,
        changes=[change_row(change) for change in changes(before, price)],
    )
