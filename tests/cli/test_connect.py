"""`runapi connect`: what it finds out, writes, tries and says."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from cli.customers import Customer, RedirectingServer
from fakes.server import Gateway

CLIENTS = ["openclaw", "codex", "claude-code", "opencode", "env"]
FILES = {
    "openclaw": ".openclaw/openclaw.json",
    "codex": ".codex/config.toml",
    "claude-code": ".claude/settings.json",
    "opencode": ".config/opencode/opencode.json",
    "env": "work/.env",
}
WELL_FORMED = "runapi_test_0000000000000000000000000000003M3Gue"


@pytest.fixture
def customer(gateway: Gateway, tmp_path: Path) -> Customer:
    """Somebody with a home of their own, who knows the server's address and a key."""
    return Customer(gateway, tmp_path)


# ---- what goes well --------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS)
def test_fresh_file_is_written_for_its_owner_alone_and_tried(customer: Customer, client: str):
    ended = customer.connect(client)
    assert ended.returncode == 0, ended.stderr
    written = customer.home / FILES[client]
    assert written.stat().st_mode & 0o777 == 0o600
    assert customer.key in written.read_text()
    assert customer.gateway.base_url.removesuffix("/v1") in written.read_text()
    assert f"Wrote {customer.shown(written)}." in ended.stdout
    assert "gpt-5.5 answered 'Hello from the RunAPI sandbox." in ended.stdout
    assert re.search(r"\([0-9]+ tokens, 0\.000[0-9]+ USD\)", ended.stdout)
    assert "a test key costs no money" in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("Next: ")
    customer.assert_no_key(ended)


@pytest.mark.parametrize("client", CLIENTS)
def test_second_run_changes_nothing_and_tries_again(customer: Customer, client: str):
    customer.connect(client)
    before = customer.files()
    ended = customer.connect(client)
    assert "needs no change." in ended.stdout
    assert "answered 'Hello" in ended.stdout
    assert customer.files() == before


@pytest.mark.parametrize("client", CLIENTS)
def test_dry_run_writes_nothing(customer: Customer, client: str):
    ended = customer.connect(client, "--dry-run")
    assert ended.returncode == 0
    assert "+++ " in ended.stdout
    assert "Nothing was written." in ended.stdout
    assert "answered" not in ended.stdout
    assert customer.files() == {}
    customer.assert_no_key(ended)


def test_path_is_shown_as_short_as_it_can_be_told(customer: Customer, tmp_path: Path):
    outside = tmp_path / "outside" / "c.toml"
    told = {
        "env": ("env", ".env"),
        "home": ("codex", "~/.codex/config.toml"),
        "below": ("codex", "deep/c.toml", "--file", "deep/c.toml"),
        "outside": ("codex", str(outside), "--file", str(outside)),
    }
    for client, path, *options in told.values():
        ended = customer.connect(client, "--dry-run", *options)
        assert ended.stdout.startswith(f"--- {path} (now)\n+++ {path} (new)\n")


def test_path_is_whole_for_programs_and_in_a_folder_that_holds_everything(customer: Customer):
    customer.folder = Path("/")
    assert "--- ~/.codex/config.toml (now)" in customer.connect("codex", "--dry-run").stdout
    whole = customer.home / FILES["codex"]
    assert (
        f"--- {whole} (now)"
        in customer.connect("codex", "--dry-run", HOME="/", CODEX_HOME=str(whole.parent)).stdout
    )
    assert json.loads(customer.connect("codex", "--dry-run", "--json").stdout)["file"] == str(whole)


@pytest.mark.parametrize("client", CLIENTS[:-1])
def test_without_a_key_in_the_file_its_variable_is_named(customer: Customer, client: str):
    ended = customer.connect(client, "--no-key")
    assert ended.returncode == 0
    text = (customer.home / FILES[client]).read_text()
    assert customer.key not in text
    assert "RUNAPI_KEY" in text
    assert "answered 'Hello" in ended.stdout
    assert "Next: export RUNAPI_KEY=" in ended.stdout
    assert "***" not in ended.stdout  # the name of a variable is no secret


def test_without_any_key_the_file_is_written_and_not_tried(customer: Customer):
    ended = customer.connect("codex", "--no-key", RUNAPI_KEY="")
    assert ended.returncode == 0
    assert "Not tried: there is no key." in ended.stdout
    assert (customer.home / FILES["codex"]).exists()


def test_old_file_is_kept_and_everything_in_it_stays(customer: Customer):
    path = customer.write(FILES["codex"], '# mine\nmodel = "o3" # good\n\n[tui]\ntheme = "x"\n', mode=0o644)
    ended = customer.connect("codex", "--model", "gpt-5.2")
    text = path.read_text()
    assert text.startswith('# mine\nmodel = "gpt-5.2" # good\n')
    assert tomllib.loads(text)["tui"] == {"theme": "x"}
    [backup] = path.parent.glob("config.toml.before-runapi-*")
    assert backup.read_text().startswith('# mine\nmodel = "o3"')
    assert backup.stat().st_mode & 0o777 == path.stat().st_mode & 0o777 == 0o600
    assert f"The old one is {customer.shown(backup)}." in ended.stdout
    assert '-model = "o3" # good' in ended.stdout


def test_two_changes_keep_two_backups(customer: Customer):
    path = customer.write(FILES["codex"], "")
    for model in ("gpt-5.2", "gpt-5.4", "gpt-5.5"):
        customer.connect("codex", "--model", model)
    backups = [file.read_text() for file in path.parent.glob("config.toml.before-runapi-*")]
    assert len(backups) == 3
    assert {"gpt-5.2" in text for text in backups} == {True, False}


def test_link_is_followed_and_stays_a_link(customer: Customer):
    real = customer.write("dotfiles/codex.toml", "")
    link = customer.home / FILES["codex"]
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    customer.connect("codex")
    assert link.is_symlink()
    assert "runapi" in real.read_text()


def test_opencodes_file_with_comments_is_changed_where_it_is(customer: Customer):
    path = customer.write(".config/opencode/opencode.jsonc", '{\n  // mine\n  "theme": "x"\n}\n')
    customer.connect("opencode")
    assert "// mine" in path.read_text()
    assert not (customer.home / FILES["opencode"]).exists()


def test_key_may_come_from_stdin_and_file_may_be_any(customer: Customer):
    target = customer.home / "elsewhere" / "deep" / "c.json"
    ended = customer.connect(
        "openclaw", "--key", "-", "--file", str(target), stdin=f"{customer.key}\n", RUNAPI_KEY=""
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(target.read_text())["models"]["providers"]["runapi"]["apiKey"] == customer.key
    assert target.parent.stat().st_mode & 0o777 == 0o700


def test_own_server_needs_no_options(gateway: Gateway, tmp_path: Path):
    gateway_file = tmp_path / "settings.json"
    ended = gateway.command("connect", "claude-code", "--file", str(gateway_file))
    assert ended.returncode == 0, ended.stderr
    assert json.loads(gateway_file.read_text())["env"]["ANTHROPIC_BASE_URL"] == gateway.url
    assert gateway.test_key in gateway_file.read_text()
    assert gateway.test_key not in ended.stdout


def test_base_url_may_lack_its_v1_or_end_in_a_slash(customer: Customer):
    for given in (customer.gateway.url, f"{customer.gateway.url}/", f"{customer.gateway.base_url}/"):
        customer.connect("env", "--base-url", given)
        assert f"OPENAI_BASE_URL={customer.gateway.base_url}\n" in (customer.home / FILES["env"]).read_text()


def test_json_is_one_object_for_programs(customer: Customer):
    ended = customer.connect("openclaw", "--json")
    said = json.loads(ended.stdout)
    assert said["client"] == "openclaw"
    assert said["file"] == str(customer.home / FILES["openclaw"])
    assert (said["changed"], said["written"], said["backup"]) == (True, True, None)
    assert said["trial"]["ok"] is True
    assert said["trial"]["status"] == 200
    assert said["trial"]["request_id"].startswith("req_")
    assert said["key"] == f"{customer.key[:16]}..."
    customer.assert_no_key(ended)


def test_prices_and_limits_are_the_servers(customer: Customer):
    customer.connect("openclaw")
    written = json.loads((customer.home / FILES["openclaw"]).read_text())
    listed = customer.gateway.cli("models", "list")
    shown = {model["id"]: model for model in written["models"]["providers"]["runapi"]["models"]}
    assert list(shown) == [row["id"] for row in listed]
    for row in listed:
        assert shown[row["id"]]["cost"]["input"] == float(row["price"]["input"])
        assert shown[row["id"]]["contextWindow"] == row["context_window"]


def test_secrets_of_others_near_the_change_are_not_shown(customer: Customer):
    customer.write(
        FILES["openclaw"],
        '{ "models": { "providers": { "other": {\n'
        '  "apiKey": "sk-others-secret-key",\n  "token": "abcdefghijkl"\n} } } }\n',
    )
    ended = customer.connect("openclaw")
    assert '"apiKey": "***"' in ended.stdout
    assert "sk-others-secret-key" not in ended.stdout
    assert "abcdefghijkl" not in ended.stdout


# ---- what goes wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "text", "said"),
    [
        ("openclaw", '{\n  "a": 1\n  "b": 2\n}', "line 3: a comma or '}' is expected"),
        ("openclaw", '{\n  "models": []\n}', "line 2: 'models' is not an object"),
        ("opencode", "[]", "the file is not an object"),
        ("claude-code", '{"env": 5}', "'env' is not an object"),
        ("codex", 'model = "x"\nother = \n', "line 2: "),
        ("codex", "model_providers = { runapi = {} }\n", "[model_providers.runapi]"),
    ],
)
def test_broken_file_is_refused_with_its_line_and_stays(
    customer: Customer, client: str, text: str, said: str
):
    path = customer.write(FILES[client], text)
    ended = customer.connect(client)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Nothing was changed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert customer.files() == {path: text}


def test_file_that_is_no_text_is_refused(customer: Customer):
    path = customer.home / FILES["codex"]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"model = '\xff'")
    ended = customer.connect("codex")
    assert ended.returncode == 1
    assert "not UTF-8" in ended.stderr


def test_folder_in_the_files_place_is_refused(customer: Customer):
    (customer.home / FILES["codex"]).mkdir(parents=True)
    ended = customer.connect("codex")
    assert ended.returncode == 1
    assert "is no configuration file" in ended.stderr


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--model", "gpt-9"], 2, "does not sell 'gpt-9'. It sells: gpt-5.5, "),
        (["--key", "runapi_test_short"], 2, "mistyped or cut short"),
        (["--base-url", "ftp://host"], 2, "is no base URL"),
        (["--base-url", "http://user:pw@host/v1"], 2, "is no base URL"),
        (["--base-url", "http://127.0.0.1:9/v1"], 1, "Nothing answers at http://127.0.0.1:9/models.json"),
    ],
)
def test_wrong_use_is_told_before_anything_is_written(
    customer: Customer, options: list[str], code: int, said: str
):
    ended = customer.connect("openclaw", *options)
    assert ended.returncode == code
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert customer.files() == {}


def test_without_a_key_it_says_where_to_put_one(customer: Customer):
    ended = customer.connect("openclaw", RUNAPI_KEY="")
    assert ended.returncode == 2
    assert "give one with --key, or as RUNAPI_KEY" in ended.stderr
    assert customer.connect("env", "--no-key").returncode == 2


def test_server_that_is_none_of_ours_is_told(customer: Customer, upstream):
    ended = customer.connect("openclaw", "--base-url", upstream.base_url)
    assert ended.returncode == 1
    assert "does not say which models are sold there" in ended.stderr
    assert customer.files() == {}


def test_key_that_nobody_knows_is_written_and_told(customer: Customer):
    ended = customer.connect("openclaw", "--key", WELL_FORMED)
    assert ended.returncode == 1
    assert "answered 401 (invalid_api_key)" in ended.stdout
    assert "does not work yet" in ended.stdout
    assert WELL_FORMED in (customer.home / FILES["openclaw"]).read_text()
    assert WELL_FORMED not in ended.stdout


def test_empty_balance_is_told_with_what_to_do(customer: Customer, upstream):
    customer.gateway.cli("accounts", "create", customer.name)
    key = customer.gateway.new_key(account=customer.name, mode="live")
    ended = customer.connect("codex", "--key", key, "--json")
    said = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert (said["trial"]["status"], said["trial"]["code"]) == (402, "insufficient_credits")
    assert "Top up" in said["trial"]["said"]
    assert said["written"] is True


@pytest.mark.parametrize("client", ["openclaw", "claude-code"])
def test_redirect_is_not_followed(customer: Customer, client: str):
    """The key is for the server that was named."""
    with RedirectingServer() as redirecting:
        ended = customer.connect(client, "--base-url", f"{redirecting.url}/v1")
    assert ended.returncode == 1
    assert "it redirects to http://127.0.0.1:9/elsewhere" in ended.stderr
    assert redirecting.seen == ["GET /models.json"]
