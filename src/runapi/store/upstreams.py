"""Upstreams, with their API keys as ciphertext: only `Vault.open` makes a key of it."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from runapi.core.dialects import Dialect
from runapi.core.routing import COST_RATIO_ONE_PPM, Upstream, UpstreamAuth
from runapi.store.faults import AlreadyExists, NotFound
from runapi.store.schema import upstream, upstream_model

DEFAULT_PRIORITY = 100


class StoredUpstream(msgspec.Struct, frozen=True):
    """An upstream and its sealed API key."""

    upstream: Upstream
    key_ciphertext: bytes


def key_place(name: str) -> str:
    """Name the place to which the API key of upstream `name` is sealed; it opens nowhere else."""
    return f"upstream.key:{name}"


def insert_upstream(
    connection: Connection,
    *,
    name: str,
    base_url: str,
    models: Mapping[str, str],
    key_ciphertext: bytes,
    now_us: int,
    priority: int = DEFAULT_PRIORITY,
    cost_ratio_ppm: int = COST_RATIO_ONE_PPM,
    query: str = "",
    dialects: tuple[Dialect, ...] = (Dialect.CHAT,),
    auth: UpstreamAuth = UpstreamAuth.BEARER,
) -> Upstream:
    """Store an upstream with its models (our id -> theirs) and its API key, sealed for `key_place(name)`.

    Raises:
        AlreadyExists: the name is taken.
    """
    row = {
        "name": name,
        "base_url": base_url,
        "query": query,
        "dialects": ",".join(dialects),
        "auth": auth,
        "key_ciphertext": key_ciphertext,
        "priority": priority,
        "cost_ratio_ppm": cost_ratio_ppm,
        "created_us": now_us,
    }
    try:
        number = connection.execute(insert(upstream).values(row).returning(upstream.c.id)).scalar_one()
    except IntegrityError as fault:
        raise AlreadyExists(
            f"There is an upstream named {name!r} already. Choose another name, or remove it first."
        ) from fault
    if models:
        rows = [
            {"upstream_id": number, "model": ours, "upstream_model": theirs}
            for ours, theirs in models.items()
        ]
        connection.execute(insert(upstream_model), rows)
    return Upstream(
        id=number,
        name=name,
        base_url=base_url,
        query=query,
        dialects=dialects,
        auth=auth,
        models=dict(models),
        priority=priority,
        cost_ratio_ppm=cost_ratio_ppm,
    )


def list_upstreams(connection: Connection) -> list[StoredUpstream]:
    """Give all upstreams in the order in which they were added."""
    models: dict[int, dict[str, str]] = defaultdict(dict)
    order = (upstream_model.c.upstream_id, upstream_model.c.model)
    for row in connection.execute(select(upstream_model).order_by(*order)):
        models[row.upstream_id][row.model] = row.upstream_model
    rows = connection.execute(select(upstream).order_by(upstream.c.id))
    return [StoredUpstream(_upstream(row, models[row.id]), row.key_ciphertext) for row in rows]


def find_upstream(connection: Connection, name: str) -> StoredUpstream | None:
    """Give the upstream of this exact name, or None."""
    return next((found for found in list_upstreams(connection) if found.upstream.name == name), None)


def remove_upstream(connection: Connection, name: str) -> Upstream:
    """Remove an upstream with its models and its sealed key; give what it was.

    Raises:
        NotFound: there is none of this name.
    """
    found = find_upstream(connection, name)
    if found is None:
        raise NotFound(f"There is no upstream named {name!r}. `runapi upstreams list` shows all.")
    connection.execute(delete(upstream_model).where(upstream_model.c.upstream_id == found.upstream.id))
    connection.execute(delete(upstream).where(upstream.c.id == found.upstream.id))
    return found.upstream


def _upstream(row: Row[Any], models: Mapping[str, str]) -> Upstream:
    return Upstream(
        id=row.id,
        name=row.name,
        base_url=row.base_url,
        query=row.query,
        dialects=tuple(map(Dialect, row.dialects.split(","))),
        auth=UpstreamAuth(row.auth),
        models=models,
        priority=row.priority,
        cost_ratio_ppm=row.cost_ratio_ppm,
    )
