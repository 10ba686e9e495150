"""Add, list, test and remove upstreams. A key goes in and is sealed; nothing here gives it out again."""

import re
from collections.abc import Awaitable, Callable

import msgspec
from sqlalchemy import Connection

from runapi.core.routing import ProbeResult, Upstream, UpstreamAuth
from runapi.flows.office import CommandRefused, Office
from runapi.flows.operator_input import (
    check_api_key,
    check_cost_ratio,
    check_models,
    check_name,
    check_priority,
    check_upstream_name,
)
from runapi.flows.operator_rows import TriedUpstream, UpstreamRow, upstream_row
from runapi.flows.upstream_form import check_auth, check_dialects, read_address
from runapi.store import upstreams

UpstreamProbe = Callable[[Upstream, str], Awaitable[ProbeResult]]
"""`upstream.probe.probe`: an upstream and its API key -> what it says."""

_DATED = re.compile(r"-\d{8}$")  # what Anthropic puts behind a name to say which of its versions is meant


class AddUpstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    base_url: str
    api_key: str
    models: list[str] = []
    model_map: dict[str, str] = {}  # our model id -> theirs
    priority: int = 100
    cost_ratio: str = "1"
    dialects: list[str] = []  # none: those that its address is known for
    auth: str | None = None  # how it wants the key; None: as its address is known for


class ListUpstreams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class NameUpstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class ProbeTarget(msgspec.Struct, frozen=True):
    """What a test must know once its transaction is over."""

    upstream: Upstream
    api_key: str


def add_upstream(connection: Connection, office: Office, asked: AddUpstream) -> UpstreamRow:
    """Add an upstream; its key is sealed for this upstream alone before it is stored."""
    name = check_upstream_name(asked.name)
    address = read_address(asked.base_url)
    dialects = check_dialects(asked.dialects, address)
    api_key = check_api_key(asked.api_key)
    models = check_models(office.catalog, asked.models, asked.model_map)
    added = upstreams.insert_upstream(
        connection,
        name=name,
        base_url=address.base_url,
        query=address.query,
        dialects=dialects,
        auth=check_auth(asked.auth, address, dialects),
        models=models,
        key_ciphertext=office.vault.seal(api_key, upstreams.key_place(name)),
        now_us=office.now_us(),
        priority=check_priority(asked.priority),
        cost_ratio_ppm=check_cost_ratio(asked.cost_ratio),
    )
    return upstream_row(added)


def list_upstreams(connection: Connection, _office: Office, _asked: ListUpstreams) -> list[UpstreamRow]:
    """Every upstream, in the order in which they were added."""
    return [upstream_row(stored.upstream) for stored in upstreams.list_upstreams(connection)]


def remove_upstream(connection: Connection, _office: Office, asked: NameUpstream) -> UpstreamRow:
    """Remove an upstream and its key."""
    return upstream_row(upstreams.remove_upstream(connection, check_name("upstream", asked.name)))


def find_target(connection: Connection, office: Office, asked: NameUpstream) -> ProbeTarget:
    """Find the upstream that is to be tested, and open its key."""
    name = check_name("upstream", asked.name)
    stored = upstreams.find_upstream(connection, name)
    if stored is None:
        raise CommandRefused(f"There is no upstream named {name!r}. `runapi upstreams list` shows all.")
    return ProbeTarget(stored.upstream, office.vault.open(stored.key_ciphertext, upstreams.key_place(name)))


async def try_upstream(target: ProbeTarget, probe: UpstreamProbe) -> TriedUpstream:
    """Ask an upstream whether it can be used, outside of any transaction."""
    answer = await probe(target.upstream, target.api_key)
    unlisted = _find_unlisted(target.upstream, answer.models)
    detail = answer.detail
    if unlisted:
        detail += f" It does not list {', '.join(unlisted)}: check the model names with --model-map."
    return TriedUpstream(
        name=target.upstream.name,
        ok=answer.ok,
        status=answer.status,
        latency_ms=answer.latency_ms,
        detail=detail,
        unlisted=unlisted,
    )


def _find_unlisted(upstream: Upstream, listed: frozenset[str] | None) -> list[str]:
    """Give the names that we would call there and that it does not list."""
    if (
        listed is None or upstream.auth is UpstreamAuth.API_KEY
    ):  # Azure lists models, and is called by deployments
        return []
    known = listed | {_DATED.sub("", name) for name in listed}
    return sorted(set(upstream.models.values()) - known)
