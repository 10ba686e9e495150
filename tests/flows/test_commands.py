"""Every operator command, on a real database: what it gives, what it refuses, what it leaves unchanged."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.counters import Counter
from runapi.core.keys import Mode, digest, is_well_formed
from runapi.core.records import Outcome, RequestRecord
from runapi.core.routing import ProbeResult
from runapi.core.usage import Usage, UsageSource
from runapi.flows.commands import COMMANDS
from runapi.flows.desk import UnknownCommand
from runapi.flows.office import Change, CommandRefused
from runapi.store import keys, requests

NOW_US = 1_790_000_000_123_456  # 2026-09-21T14:13:20.123456Z
UPSTREAM = {"name": "openai", "base_url": "https://api.openai.com/v1", "api_key": "sk-canary-1"}


@pytest.fixture
async def counter(made_home: Path) -> AsyncIterator[Counter]:
    made = Counter(made_home, NOW_US)
    yield made
    await made.database.close()


# ---- the desk --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (b"{", "must be one JSON object"),
        (b"\xff", "must be one JSON object"),
        (b"[" * 100_000, "do not fit"),
        (b"[]", "do not fit"),
        (b"null", "do not fit"),
        (b"{}", "missing required field `name`"),
        (b'{"name": 5}', "Expected `str`, got `int`"),
        (b'{"name": "a", "nmae": "b"}', "unknown field `nmae`"),
    ],
)
async def test_parameters_that_do_not_fit_are_refused(counter: Counter, parameters: bytes, said: str):
    before = counter.rows()
    with pytest.raises(CommandRefused, match=r"accounts\.create") as refused:
        await counter.desk.perform("accounts.create", parameters)
    assert said in str(refused.value)
    assert counter.rows() == before


async def test_command_that_does_not_exist_is_refused_with_the_nearest_name(counter: Counter):
    with pytest.raises(UnknownCommand, match=r"'accounts.crate'. Did you mean accounts.create\?"):
        await counter.do("accounts.crate", name="acme")


async def test_command_without_parameters_needs_no_body(counter: Counter):
    assert json.loads(await counter.desk.perform("accounts.list", b"")) == []


async def test_change_is_told_to_the_server_after_the_commit_and_before_the_answer(counter: Counter):
    """What the server reads again at that moment already has the new key, and no longer the revoked one."""
    held: list[int] = []

    async def read_again(change: Change) -> None:
        assert change is Change.KEYS
        held.append(len(await counter.database.run(keys.load_principals)))

    counter.tell(read_again)
    await counter.do("accounts.create", name="acme")
    made = await counter.do("keys.create", account="acme", mode="test")
    assert held == [1]
    await counter.do("keys.revoke", key=made["prefix"])
    assert held == [1, 0]


async def test_change_reaches_the_server_even_when_who_asked_has_gone(counter: Counter):
    await counter.do("accounts.create", name="acme")
    asking = asyncio.ensure_future(counter.do("keys.create", account="acme", mode="test"))
    await asyncio.sleep(0)  # the desk has the command in hand
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await counter.do("keys.list")  # runs after it
    for _ in range(100):
        await asyncio.sleep(0.01)
        if counter.changes:
            break
    assert counter.changes == [Change.KEYS]
    assert len(await counter.do("keys.list")) == 1


async def test_commands_at_the_same_time_do_not_lose_each_other(counter: Counter):
    await counter.do("accounts.create", name="acme")
    await asyncio.gather(*(counter.do("keys.create", account="acme", mode="test") for _ in range(20)))
    assert len(await counter.do("keys.list")) == 20
    assert counter.changes == [Change.KEYS] * 20


def test_every_command_that_changes_what_the_server_holds_says_so():
    assert {name for name, command in COMMANDS.items() if command.changes} == {
        "accounts.adjust",
        "accounts.credit",
        "accounts.refund",
        "keys.create",
        "keys.limit",
        "keys.revoke",
        "prices.publish",
        "upstreams.add",
        "upstreams.remove",
    }


# ---- accounts --------------------------------------------------------------------------------------------


async def test_account_is_opened_listed_and_shown(counter: Counter):
    nothing = {"held_nano": "0", "held_usd": "0", "frozen": False}
    live = {"posted_nano": "0", "posted_usd": "0", "available_nano": "0", "available_usd": "0", **nothing}
    play_nano, play_usd = str(1_000 * 10**9), "1000"
    test = {
        "posted_nano": play_nano,
        "posted_usd": play_usd,
        "available_nano": play_nano,
        "available_usd": play_usd,
        **nothing,
    }
    acme = {
        "id": 1,
        "name": "acme",
        "created_at": "2026-09-21T14:13:20.123456Z",
        "balances": {"live": live, "test": test},
    }
    assert await counter.do("accounts.create", name="acme") == acme
    assert await counter.do("accounts.list") == [acme]
    assert await counter.do("accounts.show", name="acme") == {**acme, "keys": []}


async def test_account_name_is_taken_once(counter: Counter):
    await counter.do("accounts.create", name="acme")
    assert "named 'acme' already" in await counter.refusal("accounts.create", name="acme")


@pytest.mark.parametrize("name", ["a", "A.b-c_9", "9lives", "x" * 64])
async def test_plain_names_are_accepted(counter: Counter, name: str):
    assert (await counter.do("accounts.create", name=name))["name"] == name


BAD_NAMES = ["", " ", "a b", "-rf", ".hidden", "a/b", "a\nb", "a\n", "é", "a\x00", "\x1b[31m", "x" * 65]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize(
    "command", ["accounts.create", "accounts.show", "upstreams.remove", "upstreams.test"]
)
async def test_bad_names_are_refused_in_one_printable_line(counter: Counter, command: str, name: str):
    message = await counter.refusal(command, name=name)
    assert "use 1 to 64 of the letters" in message
    assert message.isprintable()


async def test_unknown_account_is_refused(counter: Counter):
    for command in ("accounts.show", "keys.create", "keys.list", "requests.list"):
        asked = {"name": "acme"} if command == "accounts.show" else {"account": "acme"}
        mode = {"mode": "test"} if command == "keys.create" else {}
        assert "There is no account named 'acme'" in await counter.refusal(command, **asked, **mode)


# ---- keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", Mode)
async def test_key_is_shown_once_and_known_by_its_digest_alone(counter: Counter, mode: Mode):
    await counter.do("accounts.create", name="acme")
    made = await counter.do("keys.create", account="acme", mode=mode)
    assert is_well_formed(made["key"])
    assert made["key"].startswith(made["prefix"])
    assert (made["mode"], made["account"], made["on_disconnect"]) == (mode, "acme", "drain")
    assert made["on_refused_parameter"] == "drop"
    principals = await counter.database.run(keys.load_principals)
    assert principals[digest(made["key"], counter.vault.pepper)].key_id == made["id"]
    everything = b"".join(path.read_bytes() for path in counter.home.iterdir())
    assert made["key"][len(made["prefix"]) :].encode() not in everything


async def test_listed_keys_have_no_secret_and_show_their_policies(counter: Counter):
    await counter.do("accounts.create", name="acme")
    await counter.do("accounts.create", name="other")
    made = await counter.do(
        "keys.create", account="acme", mode="live", on_disconnect="cancel", on_refused_parameter="strict"
    )
    await counter.do("keys.create", account="other", mode="test")
    listed = await counter.do("keys.list", account="acme")
    assert listed == (await counter.do("accounts.show", name="acme"))["keys"]
    assert listed == [
        {
            "id": made["id"],
            "prefix": made["prefix"],
            "account": "acme",
            "mode": "live",
            "on_disconnect": "cancel",
            "on_refused_parameter": "strict",
            "created_at": "2026-09-21T14:13:20.123456Z",
            "revoked_at": None,
        }
    ]
    assert len(await counter.do("keys.list")) == 2


@pytest.mark.parametrize(
    ("parameter", "word"),
    [("mode", "prod"), ("mode", ""), ("on_disconnect", "wait"), ("on_refused_parameter", "x")],
)
async def test_wrong_words_for_a_key_are_refused(counter: Counter, parameter: str, word: str):
    await counter.do("accounts.create", name="acme")
    message = await counter.refusal("keys.create", **{"account": "acme", "mode": "test", parameter: word})
    assert f"$.{parameter}" in message


@pytest.mark.parametrize("part", ["key", "prefix", "id"])
async def test_key_is_revoked_by_its_prefix_its_id_or_itself(counter: Counter, part: str):
    await counter.do("accounts.create", name="acme")
    made = await counter.do("keys.create", account="acme", mode="live")
    counter.changes.clear()
    revoked = await counter.do("keys.revoke", key=str(made[part]))
    assert (revoked["id"], revoked["revoked_at"]) == (made["id"], "2026-09-21T14:13:20.123456Z")
    assert await counter.database.run(keys.load_principals) == {}
    assert counter.changes == [Change.KEYS]
    assert await counter.do("keys.revoke", key=str(made["id"])) == revoked


@pytest.mark.parametrize(
    "key", ["", "99", "runapi_live_", "runapi_live_zzzz", "é", "a\nb", "%", "x" * 10_000]
)
async def test_revoking_what_is_no_key_is_refused_and_ends_none(counter: Counter, key: str):
    await counter.do("accounts.create", name="acme")
    await counter.do("keys.create", account="acme", mode="live")
    counter.changes.clear()
    message = await counter.refusal("keys.revoke", key=key)
    assert "`runapi keys list` shows both" in message
    assert message.isprintable()


# ---- upstreams -------------------------------------------------------------------------------------------


async def test_upstream_is_added_listed_and_removed(counter: Counter):
    added = await counter.do(
        "upstreams.add",
        **UPSTREAM,
        models=["gpt-5.5"],
        model_map={"gpt-5.4": "my deployment"},
        priority=5,
        cost_ratio="0.85",
    )
    assert added == {
        "name": "openai",
        "base_url": "https://api.openai.com/v1",
        "dialects": ["openai_chat", "openai_responses"],
        "auth": "bearer",
        "key": "set",
        "models": {"gpt-5.5": "gpt-5.5", "gpt-5.4": "my deployment"},
        "priority": 5,
        "cost_ratio": "0.85",
    }
    assert await counter.do("upstreams.list") == [added]
    assert await counter.do("upstreams.remove", name="openai") == added
    assert await counter.do("upstreams.list") == []
    assert counter.changes == [Change.UPSTREAMS, Change.UPSTREAMS]


async def test_upstream_key_is_never_shown_and_never_stored_in_the_clear(counter: Counter):
    told = [await counter.do("upstreams.add", **UPSTREAM, models=["gpt-5.5"])]
    told += [await counter.do("upstreams.list"), await counter.do("upstreams.test", name="openai")]
    assert "sk-canary" not in json.dumps(told)
    assert b"sk-canary" not in b"".join(path.read_bytes() for path in counter.home.iterdir())


async def test_upstream_name_is_taken_once(counter: Counter):
    await counter.do("upstreams.add", **UPSTREAM, models=["gpt-5.5"])
    counter.changes.clear()
    assert "named 'openai' already" in await counter.refusal("upstreams.add", **UPSTREAM, models=["gpt-5.4"])


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/v1//", "http://[::1]:8080/v1"),
        ("https://x.openai.azure.com/openai/v1", "https://x.openai.azure.com/openai/v1"),
    ],
)
async def test_base_urls_are_stored_without_a_slash_at_their_end(counter: Counter, given: str, stored: str):
    added = await counter.do("upstreams.add", **(UPSTREAM | {"base_url": given}), models=["gpt-5.5"])
    assert added["base_url"] == stored


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("base_url", "", "is not a URL"),
        ("base_url", "api.openai.com/v1", "must begin with https://"),
        ("base_url", "ftp://api.openai.com", "must begin with https://"),
        ("base_url", "file:///etc/passwd", "must begin with https://"),
        ("base_url", "https://", "has no host"),
        ("base_url", "https:///v1", "has no host"),
        ("base_url", "https://:443/v1", "has no host"),
        ("base_url", "https://host:0/v1", "has no host"),
        ("base_url", "https://ho\\st/v1", "has no host"),
        ("base_url", "https://-host/v1", "has no host"),
        ("base_url", "https://host:99999/v1", "malformed host or port"),
        ("base_url", "https://host:x/v1", "malformed host or port"),
        ("base_url", "https://[::1/v1", "malformed host or port"),
        ("base_url", "https://me:sk-canary-2@host/v1", "must not hold a user name"),
        ("base_url", "https://host/v1?key=canary", "from ? or # on"),
        ("base_url", "https://host/v1?api-version=1&key=canary", "from ? or # on"),
        ("base_url", "https://host/v1?api-version=", "from ? or # on"),
        ("base_url", "ftp://host/v1?api-version=1", "must begin with https://"),
        ("base_url", "https://me:sk-canary-2@host/v1?api-version=1", "must not hold a user name"),
        ("base_url", "https://x.openai.azure.com/openai/deployments/a", "needs its version"),
        ("dialects", ["openai_chatt"], "no dialect 'openai_chatt'. Did you mean openai_chat?"),
        ("dialects", ["openai_chat", "\n"], "There are openai_chat, openai_responses, anthropic."),
        ("dialects", "anthropic", "$.dialects"),
        ("auth", "basic", "There are bearer, api_key, anthropic."),
        ("auth", "", "no way to show the key ''"),
        ("auth", 1, "$.auth"),
        ("base_url", "https://host/v1?", "from ? or # on"),
        ("base_url", "https://host/v1#x", "from ? or # on"),
        ("base_url", "https://host/v 1", "is not a URL"),
        ("base_url", "https://host/v1\r\nx: y", "is not a URL"),
        ("base_url", "https://höst/v1", "is not a URL"),
        ("base_url", "https://host/" + "x" * 3000, "is not a URL"),
        ("api_key", "", "The API key is empty"),
        ("api_key", " \n", "The API key is empty"),
        ("api_key", "sk-canary-2 x", "without spaces"),
        ("api_key", "sk-canary-2\r\nx-evil: 1", "without spaces"),
        ("api_key", "sk-canary-2é", "without spaces"),
        ("api_key", "sk-canary-2" * 1000, "without spaces"),
        ("models", [], "Name at least one model"),
        ("models", ["gpt-55"], "no model 'gpt-55' in the catalogue. Did you mean gpt-5.5?"),
        ("models", ["claude"], "There are gpt-5.5, gpt-5.4"),
        ("models", ["gpt-5.5", ""], "no model ''"),
        ("models", "gpt-5.5", "$.models"),
        ("model_map", {"gpt-6": "x"}, "no model 'gpt-6'"),
        ("model_map", {"gpt-5.4": ""}, "write gpt-5.4=theirs"),
        ("model_map", {"gpt-5.4": "a\nb"}, "write gpt-5.4=theirs"),
        ("model_map", {"gpt-5.4": "x" * 300}, "write gpt-5.4=theirs"),
        ("priority", -1, "from 0 (first)"),
        ("priority", 10**9, "from 0 (first)"),
        ("priority", 1.5, "$.priority"),
        ("priority", 10**30, "from 0 (first)"),
        ("cost_ratio", "10.000001", "decimal from 0 to 10"),
        ("cost_ratio", "-1", "decimal from 0 to 10"),
        ("cost_ratio", "nan", "decimal from 0 to 10"),
        ("cost_ratio", "1e1", "decimal from 0 to 10"),
        ("cost_ratio", "0.1234567", "decimal from 0 to 10"),
        ("cost_ratio", "1,5", "decimal from 0 to 10"),
        ("cost_ratio", "", "decimal from 0 to 10"),
        ("cost_ratio", 0.5, "$.cost_ratio"),
        ("name", "sandbox", "the built-in provider"),
        ("name", "Sandbox", "the built-in provider"),
        ("name", "a b", "use 1 to 64 of the letters"),
    ],
)
async def test_bad_upstreams_are_refused(counter: Counter, parameter: str, value: object, said: str):
    asked = {**UPSTREAM, "models": ["gpt-5.5"], parameter: value}
    message = await counter.refusal("upstreams.add", **asked)
    assert said in message
    assert message.isprintable()
    assert "sk-canary" not in message


@pytest.mark.parametrize(
    ("ratio", "ppm"), [("0", "0"), ("10", "10"), ("0.000001", "0.000001"), ("1.50", "1.5")]
)
async def test_cost_ratio_is_kept_exactly(counter: Counter, ratio: str, ppm: str):
    added = await counter.do("upstreams.add", **UPSTREAM, models=["gpt-5.5"], cost_ratio=ratio)
    assert added["cost_ratio"] == ppm


async def test_upstream_is_tested_with_its_own_key(counter: Counter):
    await counter.do("upstreams.add", **UPSTREAM, models=["gpt-5.5"])
    assert await counter.do("upstreams.test", name="openai") == {
        "name": "openai",
        "ok": True,
        "status": 200,
        "latency_ms": 12,
        "detail": "It answers.",
        "unlisted": [],
    }
    [(upstream, api_key)] = counter.probed
    assert (upstream.base_url, api_key) == ("https://api.openai.com/v1", "sk-canary-1")


async def test_model_that_the_upstream_does_not_list_is_named(counter: Counter):
    await counter.do("upstreams.add", **UPSTREAM, models=["gpt-5.5"], model_map={"gpt-5.4": "gpt-5.4-eu"})
    tested = await counter.do("upstreams.test", name="openai")
    assert tested["unlisted"] == ["gpt-5.4-eu"]
    assert "It does not list gpt-5.4-eu" in tested["detail"]


async def test_name_that_is_listed_with_its_day_is_listed(counter: Counter):
    counter.answer = ProbeResult(True, 200, 12, "It answers.", frozenset({"claude-x-20261001", "claude-y"}))
    theirs = {"gpt-5.5": "claude-x", "gpt-5.4": "claude-x-20261001", "gpt-5.2": "claude-y-2"}
    await counter.do("upstreams.add", **UPSTREAM, model_map=theirs)
    assert (await counter.do("upstreams.test", name="openai"))["unlisted"] == ["claude-y-2"]


async def test_azures_list_of_models_says_nothing_of_its_deployments(counter: Counter):
    azure = UPSTREAM | {"base_url": "https://x.openai.azure.com/openai/v1"}
    await counter.do("upstreams.add", **azure, model_map={"gpt-5.5": "my-deployment"})
    tested = await counter.do("upstreams.test", name="openai")
    assert (tested["ok"], tested["unlisted"], tested["detail"]) == (True, [], "It answers.")


async def test_unknown_upstream_is_refused(counter: Counter):
    for command in ("upstreams.test", "upstreams.remove"):
        assert "There is no upstream named 'azure'" in await counter.refusal(command, name="azure")
    assert counter.probed == []


# ---- requests --------------------------------------------------------------------------------------------


async def insert_requests(counter: Counter, count: int) -> None:
    await counter.do("accounts.create", name="acme")
    await counter.do("keys.create", account="acme", mode="live")
    records = [
        RequestRecord(
            id=f"req_{number:032x}",
            at_us=NOW_US + number,
            account_id=1,
            key_id=1,
            mode=Mode.LIVE,
            endpoint="/v1/chat/completions",
            model="gpt-5.5",
            stream=True,
            status=200,
            outcome=Outcome.COMPLETED,
            upstream="openai",
            upstream_model="gpt-5.5",
            attempts=1,
            first_byte_us=250_000,
            total_us=1_500_000,
            usage=Usage(input=100, cached=20, output=30, reasoning=10),
            usage_source=UsageSource.REPORTED,
            cost_pico=705_000_500,
            cost_nano=705_001,
            upstream_cost_nano=1_410_001,
            dropped=("temperature",),
        )
        for number in range(count)
    ]
    await counter.database.run(requests.insert_records, records)


async def test_request_shows_what_it_used_and_what_it_cost_exactly(counter: Counter):
    await insert_requests(counter, 1)
    (row,) = await counter.do("requests.list")
    (key,) = await counter.do("keys.list")
    assert (row["account"], row["key"], row["key_id"]) == ("acme", key["prefix"], 1)
    assert (row["cost_usd"], row["cost_nano"]) == ("0.000705001", "705001")
    assert (row["upstream_cost_usd"], row["upstream_cost_nano"]) == ("0.001410001", "1410001")
    assert row["usage"] == {"input": 100, "cached": 20, "cache_write": 0, "output": 30, "reasoning": 10}
    assert (row["usage_source"], row["dropped"]) == ("reported", ["temperature"])
    assert (row["at"], row["first_byte_us"], row["total_us"]) == (
        "2026-09-21T14:13:20.123456Z",
        250_000,
        1_500_000,
    )
    assert (row["upstream"], row["status"], row["outcome"]) == ("openai", 200, "completed")


async def test_requests_come_newest_first_and_page_by_page(counter: Counter):
    await insert_requests(counter, 50)
    first = await counter.do("requests.list")
    assert [row["id"] for row in first] == [f"req_{number:032x}" for number in range(49, 29, -1)]
    rest = await counter.do("requests.list", after=first[-1]["id"], limit=1000, account="acme")
    assert [row["id"] for row in rest] == [f"req_{number:032x}" for number in range(29, -1, -1)]


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_limit_out_of_bounds_is_refused(counter: Counter, limit: int):
    assert "from 1 to 1000" in await counter.refusal("requests.list", limit=limit)


@pytest.mark.parametrize("after", ["", "1", "req_", "req_" + "0" * 31, "req_" + "G" * 32, "x" * 10_000])
async def test_page_after_what_is_no_request_is_refused(counter: Counter, after: str):
    assert "is not a request's id" in await counter.refusal("requests.list", after=after)


async def test_page_after_an_unknown_request_is_refused(counter: Counter):
    assert "There is no request" in await counter.refusal("requests.list", after="req_" + "0" * 32)


# ---- models ----------------------------------------------------------------------------------------------


async def test_models_show_our_price_beside_the_official_one(counter: Counter):
    models = await counter.do("models.list")
    assert len(models) == 6
    (model,) = [model for model in models if model["id"] == "gpt-5.5"]
    assert model["price"] == {"input": "2.5", "cached": "0.25", "output": "15"}
    assert model["official_price"] == {"input": "5", "cached": "0.5", "output": "30"}
    assert (model["long_threshold"], model["long_price"]["output"]) == (272_000, "22.5")
    assert (model["status"], model["context_window"]) == ("active", 1_050_000)
