"""Shops, and a scripted upstream behind them: one that lives for long, one that is killed and comes back."""

from collections.abc import Iterator

import pytest

from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from money.shop import Shop

BEAT_S = 0.05


@pytest.fixture(scope="session")
def shared_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One whose customers begin with nothing, not even play money."""
    gateway = Gateway(
        tmp_path_factory.mktemp("shop"),
        test_balance_usd=0,
        trusted_proxies=1,
        heartbeat_first_s=BEAT_S,
        heartbeat_every_s=BEAT_S,
    )
    shop = Shop(gateway.start())
    yield shop
    shop.verify()
    gateway.stop()
    gateway.assert_clean_log()


@pytest.fixture(scope="session")
def scripted() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def shop(shared_shop: Shop) -> Iterator[Shop]:
    """The shared shop; each test leaves its log clean."""
    yield shared_shop
    shared_shop.gateway.assert_clean_log()


@pytest.fixture
def upstream(shop: Shop, scripted: ScriptedUpstream) -> Iterator[ScriptedUpstream]:
    """The shop's upstream, fresh: it says "Hello." for COST_NANO until it is told otherwise."""
    yield from shop.serving(scripted)


@pytest.fixture(scope="session")
def shared_mortal_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One that tests may stop, kill and start again."""
    gateway = Gateway(tmp_path_factory.mktemp("mortal"))
    yield Shop(gateway.start())
    gateway.stop()
    gateway.assert_clean_log()


@pytest.fixture
def mortal_shop(shared_mortal_shop: Shop) -> Iterator[Shop]:
    """The mortal shop; whatever happened to it, its books are right."""
    yield shared_mortal_shop
    shared_mortal_shop.verify()
    shared_mortal_shop.gateway.assert_clean_log()


@pytest.fixture
def mortal_upstream(mortal_shop: Shop, scripted: ScriptedUpstream) -> Iterator[ScriptedUpstream]:
    """The upstream of the mortal shop, fresh."""
    yield from mortal_shop.serving(scripted)
