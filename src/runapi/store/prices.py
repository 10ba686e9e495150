"""Published prices. What is published is never changed: a new price is a new version."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, func, insert, select
from sqlalchemy.exc import IntegrityError

from runapi.core.price_book import Price, PriceVersion
from runapi.core.pricing import PriceTable
from runapi.store.faults import AlreadyExists
from runapi.store.price_schema import price_list, price_version

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PriceTable).decode


def publish_prices(
    connection: Connection, version: int, prices: Sequence[Price], now_us: int
) -> list[PriceVersion]:
    """Publish `prices` as `version`, the one after the newest that the caller has seen.

    Raises:
        AlreadyExists: somebody else has published meanwhile; nothing was published here.
    """
    try:
        connection.execute(insert(price_list).values(version=version, published_us=now_us))
    except IntegrityError as fault:
        raise AlreadyExists(
            "Somebody else has just published prices. Look at the difference again."
        ) from fault
    published = [
        PriceVersion(**msgspec.structs.asdict(price), version=version, published_us=now_us)
        for price in prices
    ]
    connection.execute(insert(price_version), [_values(price) for price in published])
    return published


def read_newest(connection: Connection) -> int:
    """Give the number of the newest version, or 0."""
    return connection.execute(select(func.max(price_list.c.version))).scalar() or 0


def load_prices(connection: Connection) -> list[PriceVersion]:
    """Give the prices in force: of each model the newest, models that have left the catalogue too."""
    newest = select(price_version.c.model, func.max(price_version.c.version).label("version"))
    newest_of = newest.group_by(price_version.c.model).subquery()
    query = _versions().join(
        newest_of,
        (newest_of.c.model == price_version.c.model) & (newest_of.c.version == price_version.c.version),
    )
    return [_price(row) for row in connection.execute(query.order_by(price_version.c.model))]


def list_prices(connection: Connection, model: str) -> list[PriceVersion]:
    """Give every version of one model's price, newest first."""
    query = _versions().where(price_version.c.model == model).order_by(price_version.c.version.desc())
    return [_price(row) for row in connection.execute(query)]


def find_price(connection: Connection, version: int, model: str) -> PriceVersion | None:
    """Give the price that a request was admitted at, or None."""
    query = _versions().where(price_version.c.version == version, price_version.c.model == model)
    row = connection.execute(query).one_or_none()
    return None if row is None else _price(row)


def _versions() -> Select[Any]:
    return select(price_version, price_list.c.published_us).join(price_list)


def _values(price: PriceVersion) -> dict[str, object]:
    return {
        "version": price.version,
        "model": price.model,
        "policy": price.policy,
        "source": price.source,
        "ours": _encode(price.ours).decode(),
        "official": _encode(price.official).decode(),
    }


def _price(row: Row[Any]) -> PriceVersion:
    return PriceVersion(
        version=row.version,
        model=row.model,
        published_us=row.published_us,
        policy=row.policy,
        source=row.source,
        ours=_decode(row.ours),
        official=_decode(row.official),
    )
