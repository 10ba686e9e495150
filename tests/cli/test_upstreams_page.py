"""docs/operate/upstreams.md: its commands do what it says, and its model is asked in Anthropic's dialect."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runapi.cli.program import app
from runapi.core.bridge import Dialect, Wish, choose_dialect
from runapi.core.money import usd_per_1m
from runapi.store import upstreams
from runapi.store.database import Database
from runapi.wire.catalog_file import package_catalog, read_catalog

PAGE = (Path(__file__).parents[2] / "docs" / "operate" / "upstreams.md").read_text("utf-8")
[MODEL_FILE] = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [
    example.partition("\n")
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for example in block.split("$ ")[1:]
]
CLAUDE = "claude-sonnet-4-5"


@pytest.fixture
def home(made_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with the page's file, in which all of the page's commands were given."""
    monkeypatch.setenv("RUNAPI_HOME", str(made_home))
    monkeypatch.setenv("COLUMNS", "80")
    (made_home / "models.yaml").write_text(MODEL_FILE, "utf-8")
    for line, _, output in EXAMPLES:
        got = CliRunner().invoke(app, shlex.split(line)[1:])
        assert got.exit_code == 0, (line, got.output)
        assert [row.rstrip() for row in got.output.splitlines()] == output.splitlines(), line
    return made_home


def test_examples_of_the_page_do_what_it_says_and_make_the_upstreams_of_its_table(home: Path):
    database = Database.open(home)
    stored = {found.upstream.name: found.upstream for found in database.run_now(upstreams.list_upstreams)}
    database.close_now()
    both = ("openai_chat", "openai_responses")
    assert {name: (found.dialects, found.auth) for name, found in stored.items()} == {
        "openai": (both, "bearer"),
        "local": (both, "bearer"),
        "azure": (both, "api_key"),
        "azure-older": (("openai_chat",), "api_key"),
        "anthropic": (("anthropic",), "anthropic"),
    }
    assert stored["azure-older"].query == "api-version=2024-10-21"
    assert stored["anthropic"].models == {CLAUDE: CLAUDE}


@pytest.mark.parametrize("client", Dialect)
def test_model_of_the_page_is_asked_in_anthropics_dialect_whatever_the_client_speaks(client: Dialect):
    model = read_catalog(MODEL_FILE, "models.yaml", package_catalog()).models[CLAUDE]
    wish = Wish(client, "high", frozenset({"function"}))
    assert choose_dialect(model, wish, (Dialect.ANTHROPIC,)) is Dialect.ANTHROPIC
    assert choose_dialect(model, wish, tuple(Dialect)) is Dialect.ANTHROPIC


def test_model_of_the_page_has_a_price_for_what_goes_into_anthropics_cache():
    model = read_catalog(MODEL_FILE, "models.yaml", package_catalog()).models[CLAUDE]
    rates = [(table.standard.cached, table.standard.cache_write) for table in (model.official, model.ours)]
    assert [tuple(map(usd_per_1m, pair)) for pair in rates] == [("0.3", "3.75"), ("0.24", "3")]


def test_price_of_the_pages_model_can_be_published(home: Path):
    got = CliRunner().invoke(app, ["prices", "publish", "--yes"])
    assert got.exit_code == 0, got.output
    shown = CliRunner().invoke(app, ["prices", "show", "--model", CLAUDE])
    assert re.search(r"standard +2\.4 +0\.24 +12$", shown.output, re.MULTILINE), shown.output
