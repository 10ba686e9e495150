"""What each client's file says, and what stays of a file that is there."""

import json
import tomllib
from decimal import Decimal
from pathlib import PurePosixPath

import pytest

from runapi.core.money import usd_per_1m
from runapi.wire.catalog_file import package_catalog
from runapi.wire.client_config.aider import aider_metadata
from runapi.wire.client_config.claude_code import claude_code_text, connect_claude_code
from runapi.wire.client_config.clients import CLIENTS
from runapi.wire.client_config.codex import codex_text, connect_codex
from runapi.wire.client_config.dotenv import connect_env
from runapi.wire.client_config.fault import ConfigFault
from runapi.wire.client_config.offer import Offer, encode_offer, offer_model, read_offer
from runapi.wire.client_config.openclaw import connect_openclaw, openclaw_commands, openclaw_text
from runapi.wire.client_config.opencode import connect_opencode, opencode_text
from runapi.wire.client_config.private_names import is_private_name
from wire.client_config.offers import BASE_URL, KEY, OFFER, wanted

CATALOG = package_catalog().models
HOME = PurePosixPath("/a/home")
READ = {
    "openclaw": json.loads,
    "opencode": json.loads,
    "claude-code": json.loads,
    "codex": tomllib.loads,
    "env": str,
}


# ---- the offer -------------------------------------------------------------------------------------------


def test_offer_is_read_back_to_the_last_digit():
    assert read_offer(encode_offer(OFFER)) == OFFER


def test_offer_has_the_catalogues_limits_and_prices():
    for offered in OFFER.models:
        model = CATALOG[offered.id]
        assert offered.price
        assert offered.price.input == Decimal(usd_per_1m(model.ours.standard.input))
        assert offered.price.output == Decimal(usd_per_1m(model.ours.standard.output))
        assert offered.working_tokens <= model.max_input_tokens
        assert offered.working_tokens <= (model.ours.long_threshold or model.max_input_tokens)


def test_small_model_is_the_cheapest_that_stays():
    assert OFFER.cheapest() == "gpt-5.4-mini"  # gpt-5.4-nano is cheaper, and has an end
    ending = OFFER.only(["gpt-5.3-codex", "gpt-5.4-nano"])
    assert ending.cheapest() == "gpt-5.4-nano"
    unpriced = Offer(base_url=BASE_URL, models=(offer_model(CATALOG["gpt-5.2"], None),))
    assert unpriced.cheapest() == "gpt-5.2"
    assert unpriced.beside("gpt-5.2") is None


# ---- OpenClaw --------------------------------------------------------------------------------------------


def test_openclaw_file_has_every_model_with_cost_context_and_flags():
    config = json.loads(openclaw_text(wanted("gpt-5.4")), parse_float=Decimal)
    provider = config["models"]["providers"]["runapi"]
    assert provider["baseUrl"] == BASE_URL
    assert provider["apiKey"] == "${RUNAPI_KEY}"
    assert [model["id"] for model in provider["models"]] == list(CATALOG)
    assert config["agents"]["defaults"]["model"] == {
        "primary": "runapi/gpt-5.4",
        "fallbacks": ["runapi/gpt-5.5"],
    }
    for shown in provider["models"]:
        model = CATALOG[shown["id"]]
        ours = model.ours.standard
        prices = [Decimal(usd_per_1m(rate)) for rate in (ours.input, ours.output, ours.cached)]
        assert [shown["cost"][kind] for kind in ("input", "output", "cacheRead")] == prices
        assert (shown["contextWindow"], shown["maxTokens"]) == (model.context_window, model.max_output_tokens)
        assert shown["compat"]["supportedReasoningEfforts"] == list(model.efforts)
        assert set(shown["input"]) <= {"text", "image", "audio", "video"}  # OpenClaw refuses others


def test_openclaw_keeps_the_rest_and_its_comments():
    old = """\
{ // mine
  models: { mode: "replace", providers: { other: { baseUrl: "http://x" }, runapi: { timeoutSeconds: 9, headers: { a: "b" } } } },
  agents: { defaults: { workspace: "~/w", model: { primary: "other/m", fallbacks: ["other/n"] } } },
}
"""
    text = connect_openclaw(old, wanted(key=KEY))
    assert text.startswith("{ // mine\n")
    config = json.loads(connect_openclaw(json.dumps(read(old)), wanted(key=KEY)))
    assert read(text) == config
    assert config["models"]["mode"] == "replace"
    assert config["models"]["providers"]["other"] == {"baseUrl": "http://x"}
    assert config["models"]["providers"]["runapi"]["headers"] == {"a": "b"}
    assert config["models"]["providers"]["runapi"]["apiKey"] == KEY
    assert config["agents"]["defaults"]["workspace"] == "~/w"
    assert config["agents"]["defaults"]["model"] == {"primary": "runapi/gpt-5.5", "fallbacks": ["other/n"]}


def read(text):
    from runapi.wire.client_config.json_reader import read_json  # noqa: PLC0415 - only for JSON5

    return json.loads(json.dumps(read_json(text).value, default=float))


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ('"other/m"', ["runapi/gpt-5.4"]),
        ("null", ["runapi/gpt-5.4"]),
        ('{"fallbacks": []}', ["runapi/gpt-5.4"]),
        ('{"fallbacks": ["runapi/gpt-5.5"]}', ["runapi/gpt-5.4"]),  # itself is no help
        ('{"fallbacks": ["runapi/gpt-5.2"]}', ["runapi/gpt-5.2"]),
    ],
)
def test_openclaw_takes_a_choice_in_every_form(model, kept):
    text = connect_openclaw(f'{{"agents": {{"defaults": {{"model": {model}}}}}}}', wanted())
    chosen = json.loads(text)["agents"]["defaults"]["model"]
    assert chosen == {"primary": "runapi/gpt-5.5", "fallbacks": kept}


@pytest.mark.parametrize(
    ("allowed", "after"),
    [
        (["x/*"], ["x/*", "runapi/*"]),
        ([], []),
        (["runapi/*"], ["runapi/*"]),
        (["runapi/gpt-5.5"], ["runapi/gpt-5.5"]),
    ],
)
def test_openclaw_that_allows_some_models_only_allows_ours(allowed, after):
    old = json.dumps({"agents": {"defaults": {"modelPolicy": {"allow": allowed}}}})
    config = json.loads(connect_openclaw(old, wanted()))
    assert config["agents"]["defaults"]["modelPolicy"]["allow"] == after


def test_openclaw_is_allowed_a_private_name_only_where_there_is_one():
    assert "allowPrivateNetwork" not in openclaw_text(wanted())
    config = json.loads(openclaw_text(wanted(is_private_name=True)))
    assert config["models"]["providers"]["runapi"]["request"] == {"allowPrivateNetwork": True}


def test_openclaw_commands_are_one_word_each_for_the_shell():
    lines = openclaw_commands(wanted())
    assert lines.count("openclaw config") == 3
    assert "'" not in openclaw_text(wanted())  # each value stands between two of these


# ---- the others ------------------------------------------------------------------------------------------


def test_opencode_file():
    config = json.loads(opencode_text(wanted(key=KEY)))
    assert config["provider"]["runapi"]["options"] == {"baseURL": BASE_URL, "apiKey": KEY}
    assert set(config["provider"]["runapi"]["models"]) == set(CATALOG)
    assert (config["model"], config["small_model"]) == ("runapi/gpt-5.5", "runapi/gpt-5.4-mini")
    assert (
        json.loads(opencode_text(wanted()))["provider"]["runapi"]["options"]["apiKey"] == "{env:RUNAPI_KEY}"
    )


def test_opencode_keeps_the_rest():
    old = '{\n  // mine\n  "theme": "x",\n  "provider": { "other": {} }\n}\n'
    text = connect_opencode(old, wanted())
    assert "// mine" in text
    assert read(text)["provider"]["other"] == {}
    assert read(text)["theme"] == "x"


def test_claude_code_changes_between_key_and_variable_and_back():
    with_key = connect_claude_code('{"permissions": {"allow": ["Bash"]}}', wanted(key=KEY))
    settings = json.loads(with_key)
    assert settings["env"]["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert settings["env"]["ANTHROPIC_BASE_URL"] == "https://api.example.com"  # it adds /v1 itself
    assert "apiKeyHelper" not in settings
    without = connect_claude_code(with_key, wanted())
    assert KEY not in without
    assert json.loads(without)["apiKeyHelper"] == "printenv RUNAPI_KEY"
    assert (
        connect_claude_code(without, wanted(key=KEY)) != with_key
    )  # the order differs, the meaning does not
    assert json.loads(connect_claude_code(without, wanted(key=KEY))) == settings
    assert settings["permissions"] == {"allow": ["Bash"]}


def test_claude_code_keeps_somebodys_own_helper_beside_the_key():
    settings = json.loads(connect_claude_code('{"apiKeyHelper": "pass show key"}', wanted(key=KEY)))
    assert settings["apiKeyHelper"] == "pass show key"


def test_every_name_of_claude_code_is_a_model_of_ours():
    settings = json.loads(claude_code_text(wanted("gpt-5.4")))["env"]
    named = {value for name, value in settings.items() if name.endswith("_MODEL")}
    assert named == {"gpt-5.4", "gpt-5.4-mini"}
    assert settings["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "272000"


def test_codex_changes_between_key_and_variable_and_back():
    by_name = codex_text(wanted())
    by_key = connect_codex(by_name, wanted(key=KEY))
    assert tomllib.loads(by_key)["model_providers"]["runapi"]["experimental_bearer_token"] == KEY
    assert "env_key" not in by_key
    back = connect_codex(by_key, wanted())
    assert tomllib.loads(back) == tomllib.loads(by_name)
    assert KEY not in back


def test_codex_keeps_the_rest():
    old = '# mine\nmodel = "o3"\nweb_search = "live" # wanted\n\n[features]\nfast = true\n'
    text = connect_codex(old, wanted("gpt-5.4"))
    config = tomllib.loads(text)
    assert text.startswith("# mine\n")
    assert (config["model"], config["web_search"]) == ("gpt-5.4", "live")
    assert config["features"] == {"fast": True, "api_key_model_discovery": True}


def test_env_file_changes_lines_and_adds_others():
    text = connect_env("# mine\nexport OPENAI_API_KEY=old\nFOO=1\n", wanted(key=KEY))
    assert text == (
        f"# mine\nexport OPENAI_API_KEY={KEY}\nFOO=1\nOPENAI_BASE_URL={BASE_URL}\nRUNAPI_KEY={KEY}\n"
    )
    assert connect_env(text, wanted(key=KEY)) == text
    with pytest.raises(ConfigFault):
        connect_env("", wanted(key="with space"))


def test_aider_counts_by_single_tokens():
    shown = json.loads(aider_metadata(wanted()), parse_float=Decimal)
    for model in CATALOG.values():
        priced = shown[f"openai/{model.id}"]
        assert priced["input_cost_per_token"] * 10**12 == model.ours.standard.input


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("key", [KEY, None])
def test_connecting_twice_changes_nothing_more(name, key):
    client = CLIENTS[name]
    if key is None and client.needs_key:
        return
    once = client.connect("", wanted(key=key))
    assert READ[name](once)
    assert client.connect(once, wanted(key=key)) == once
    assert client.connect(" \n", wanted(key=key)).strip() == once.strip()


# ---- where the files are ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "environment", "files"),
    [
        ("openclaw", {}, ["/a/home/.openclaw/openclaw.json"]),
        ("openclaw", {"OPENCLAW_HOME": "/o"}, ["/o/.openclaw/openclaw.json"]),
        ("openclaw", {"OPENCLAW_STATE_DIR": "~/s"}, ["/a/home/s/openclaw.json"]),
        ("openclaw", {"OPENCLAW_CONFIG_PATH": "/c.json5", "OPENCLAW_HOME": "/o"}, ["/c.json5"]),
        ("codex", {}, ["/a/home/.codex/config.toml"]),
        ("codex", {"CODEX_HOME": "/c"}, ["/c/config.toml"]),
        ("claude-code", {}, ["/a/home/.claude/settings.json"]),
        ("claude-code", {"CLAUDE_CONFIG_DIR": "/c"}, ["/c/settings.json"]),
        (
            "opencode",
            {"XDG_CONFIG_HOME": "/x"},
            ["/x/opencode/opencode.jsonc", "/x/opencode/opencode.json"],
        ),
        ("opencode", {"OPENCODE_CONFIG": "/o.json"}, ["/o.json"]),
        ("env", {}, [".env"]),
    ],
)
def test_files_are_where_the_client_looks(name, environment, files):
    assert [str(path) for path in CLIENTS[name].locate(environment, HOME)] == files


@pytest.mark.parametrize(
    ("host", "is_private"),
    [
        ("gateway", True),
        ("gateway.local", True),
        ("a.internal.", True),
        ("localhost", False),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("::1", False),
        ("api.example.com", False),
    ],
)
def test_private_names_are_told_by_their_looks(host, is_private):
    assert is_private_name(host) is is_private
