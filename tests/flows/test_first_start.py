"""What a new installation has after its first start."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from runapi.core.dialects import Dialect
from runapi.core.keys import Mode, digest
from runapi.core.routing import UpstreamAuth
from runapi.flows.first_start import FirstStart, first_start
from runapi.flows.office import Office, open_office
from runapi.store import accounts, keys, upstreams
from runapi.store.database import Database
from runapi.store.secrets import Vault
from runapi.wire.catalog_file import package_catalog


class Installation:
    def __init__(self, home: Path) -> None:
        self.database = Database.open(home)
        self.office: Office = open_office(Vault.unlock(self.database), package_catalog())

    def start(self, environ: Mapping[str, str] | None = None) -> FirstStart | None:
        return self.database.run_now(first_start, self.office, environ or {})


@pytest.fixture
def installation(made_home: Path) -> Iterator[Installation]:
    made = Installation(made_home)
    yield made
    made.database.close_now()


def test_first_start_makes_an_account_and_a_test_key_that_works(installation: Installation):
    made = installation.start()
    assert made is not None
    assert (made.account, made.upstream, made.note) == ("default", None, None)
    principals = installation.database.run_now(keys.load_principals)
    assert principals[digest(made.key, installation.office.vault.pepper)].mode is Mode.TEST
    assert installation.database.run_now(upstreams.list_upstreams) == []


def test_second_start_makes_nothing(installation: Installation):
    installation.start()
    assert installation.start({"OPENAI_API_KEY": "sk-canary"}) is None
    assert len(installation.database.run_now(keys.list_keys)) == 1
    assert installation.database.run_now(upstreams.list_upstreams) == []


def test_start_on_accounts_made_before_makes_nothing(installation: Installation):
    installation.database.run_now(accounts.create_account, "acme", 1)
    assert installation.start({"OPENAI_API_KEY": "sk-canary"}) is None


def test_openai_is_an_upstream_at_once_where_its_key_is_in_the_environment(installation: Installation):
    made = installation.start({"OPENAI_API_KEY": " sk-canary\n"})
    assert made is not None
    assert (made.upstream, made.note) == ("openai", None)
    (stored,) = installation.database.run_now(upstreams.list_upstreams)
    assert (stored.upstream.name, stored.upstream.base_url) == ("openai", "https://api.openai.com/v1")
    assert stored.upstream.cost_ratio_ppm == 1_000_000
    opened = installation.office.vault.open(stored.key_ciphertext, upstreams.key_place("openai"))
    assert opened == "sk-canary"


def test_openai_serves_every_model_in_both_of_its_dialects(installation: Installation):
    installation.start({"OPENAI_API_KEY": "sk-canary"})
    (stored,) = installation.database.run_now(upstreams.list_upstreams)
    assert stored.upstream.dialects == (Dialect.CHAT, Dialect.RESPONSES)
    assert stored.upstream.models == {model: model for model in package_catalog().models}


def test_elsewhere_it_serves_those_that_have_the_chat_endpoint(installation: Installation):
    installation.start({"OPENAI_API_KEY": "sk-canary", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    (stored,) = installation.database.run_now(upstreams.list_upstreams)
    models = package_catalog().models.values()
    serving = [model.id for model in models if "/v1/chat/completions" in model.endpoints]
    assert stored.upstream.dialects == (Dialect.CHAT,)
    assert set(stored.upstream.models) == set(serving) != set(package_catalog().models)


def test_azure_may_stand_there_too(installation: Installation):
    base_url = "https://x.openai.azure.com/openai/deployments/mine?api-version=2024-10-21"
    made = installation.start({"OPENAI_API_KEY": "canary", "OPENAI_BASE_URL": base_url})
    assert made is not None
    assert made.upstream == "openai"
    (stored,) = installation.database.run_now(upstreams.list_upstreams)
    assert (stored.upstream.query, stored.upstream.auth) == ("api-version=2024-10-21", UpstreamAuth.API_KEY)


def test_openai_may_stand_elsewhere(installation: Installation):
    installation.start({"OPENAI_API_KEY": "sk-canary", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"})
    (stored,) = installation.database.run_now(upstreams.list_upstreams)
    assert stored.upstream.base_url == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("empty", [{}, {"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": " "}])
def test_without_a_key_there_is_no_upstream(installation: Installation, empty: dict[str, str]):
    made = installation.start({**empty, "OPENAI_BASE_URL": "not a URL"})
    assert made is not None
    assert (made.upstream, made.note) == (None, None)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OPENAI_API_KEY": "sk canary"}, "without spaces"),
        ({"OPENAI_API_KEY": "sk-canary", "OPENAI_BASE_URL": "canary"}, "must begin with https://"),
        ({"OPENAI_API_KEY": "runapi_test_x"}, "a key of RunAPI's own"),
    ],
)
def test_environment_that_cannot_be_used_does_not_keep_the_server_from_starting(
    installation: Installation, environ: dict[str, str], said: str
):
    made = installation.start(environ)
    assert made is not None
    assert made.upstream is None
    assert said in str(made.note)
    assert environ["OPENAI_API_KEY"] not in str(made.note)
    assert len(installation.database.run_now(keys.list_keys)) == 1


def test_start_that_fails_half_way_leaves_nothing_behind(tmp_path: Path):
    """Without randomness there is no key, and then there must be no account either: the next start is the first."""
    database = Database.open(tmp_path / "home")
    vault = Vault.unlock(database)
    broken = Office(vault, package_catalog(), lambda: 1, lambda _count: b"")
    with pytest.raises(ValueError, match="too few random bytes"):
        database.run_now(first_start, broken, {})
    assert database.run_now(accounts.list_accounts) == []
    assert (
        database.run_now(first_start, Office(vault, package_catalog(), lambda: 1, os.urandom), {}) is not None
    )
    database.close_now()
