"""Only a publication makes a price effective; the server is told; what was agreed to is what is published."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.counters import Counter
from runapi.core.catalog import Catalog
from runapi.flows.office import Change
from runapi.flows.publish_prices import publish_first
from runapi.wire.catalog_file import package_catalog, read_catalog

NOW_US = 1_790_000_000_123_456
DEARER = "models: {gpt-5.5: {ours: {standard: {output: 18}}}}"


@pytest.fixture
async def counter(made_home: Path) -> AsyncIterator[Counter]:
    made = Counter(made_home, NOW_US)
    yield made
    assert made.probed == []
    await made.database.close()


async def test_first_start_publishes_every_model_and_later_starts_publish_nothing(counter: Counter):
    assert counter.database.run_now(publish_first, counter.office) == 1
    counter.take(read_catalog(DEARER, "models.yaml", package_catalog()))
    assert counter.database.run_now(publish_first, counter.office) is None
    shown = await counter.do("prices.show")
    assert [row["model"] for row in shown] == list(package_catalog().models)
    assert {row["version"] for row in shown} == {1}
    assert shown[0]["ours"]["standard"] == {
        "input": "2.5",
        "cached": "0.25",
        "cache_write": "2.5",
        "output": "15",
    }
    assert shown[0]["official"]["priority"]["output"] == "75"
    assert "flex" not in next(row for row in shown if row["model"] == "gpt-5.3-codex")["ours"]
    assert shown[0]["published_at"] == "2026-09-21T14:13:20.123456Z"


async def test_changed_catalogue_shows_in_the_difference_and_is_effective_only_when_published(
    counter: Counter,
):
    await counter.do("prices.publish")
    counter.take(read_catalog(DEARER, "models.yaml", package_catalog()))
    difference = await counter.do("prices.diff")
    assert difference["models"] == [
        {
            "model": "gpt-5.5",
            "old_policy": "catalogue",
            "policy": "catalogue",
            "changes": [{"seller": "ours", "tier": "standard", "rate": "output", "old": "15", "new": "18"}],
        }
    ]
    assert (await counter.do("prices.show"))[0]["ours"]["standard"]["output"] == "15"
    published = await counter.do("prices.publish", digest=difference["digest"])
    assert (published["version"], published["published"]) == (1, 2)
    assert (await counter.do("prices.show"))[0]["ours"]["standard"]["output"] == "18"
    assert [row["version"] for row in await counter.do("prices.show", model="gpt-5.5")] == [2, 1]


async def test_server_is_told_to_read_prices_again_after_a_publication_alone(counter: Counter):
    await counter.do("prices.diff")
    await counter.do("prices.show")
    assert counter.changes == []
    await counter.do("prices.publish")
    assert counter.changes == [Change.PRICES]


async def test_ratio_for_all_models_or_for_one(counter: Counter):
    await counter.do("prices.publish", ratio="0.6")
    shown = {row["model"]: row for row in await counter.do("prices.show")}
    assert {row["policy"] for row in shown.values()} == {"0.6 x official"}
    assert shown["gpt-5.4-nano"]["ours"]["standard"]["output"] == "0.75"
    await counter.do("prices.publish", ratio="0.7", model="gpt-5.5")
    shown = {row["model"]: row for row in await counter.do("prices.show")}
    assert (shown["gpt-5.5"]["policy"], shown["gpt-5.5"]["version"]) == ("0.7 x official", 2)
    assert (shown["gpt-5.4"]["policy"], shown["gpt-5.4"]["version"]) == ("0.6 x official", 1)
    await counter.do("prices.publish", ratio="catalogue", model="gpt-5.5")
    assert (await counter.do("prices.show"))[0]["ours"]["standard"]["output"] == "15"


async def test_one_model_alone_can_be_published(counter: Counter):
    await counter.do("prices.publish", model="gpt-5.2")
    assert [row["model"] for row in await counter.do("prices.show")] == ["gpt-5.2"]
    assert [model["model"] for model in (await counter.do("prices.diff"))["models"]] == [
        "gpt-5.5",
        "gpt-5.4",
        "gpt-5.4-mini",
        "gpt-5.4-nano",
        "gpt-5.3-codex",
    ]


async def test_nothing_is_published_where_nothing_differs(counter: Counter):
    await counter.do("prices.publish")
    again = await counter.do("prices.publish")
    assert (again["version"], again["published"], again["models"]) == (1, None, [])


async def test_difference_that_is_no_longer_the_one_that_was_shown_is_not_published(counter: Counter):
    shown = await counter.do("prices.diff", ratio="0.6")
    assert "have changed since" in await counter.refusal(
        "prices.publish", ratio="0.7", digest=shown["digest"]
    )
    await counter.do("prices.publish", model="gpt-5.5")
    counter.changes.clear()
    assert "have changed since" in await counter.refusal(
        "prices.publish", ratio="0.6", digest=shown["digest"]
    )


@pytest.mark.parametrize("command", ["prices.diff", "prices.publish"])
@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"ratio": "0"}, "not a ratio"),
        ({"ratio": "-0.5"}, "not a ratio"),
        ({"ratio": "1e9"}, "not a ratio"),
        ({"ratio": "9" * 10_000}, "not a ratio"),
        ({"ratio": 0.5}, "Expected `str | null`, got `float`"),
        ({"model": "gpt-5"}, "There is no model 'gpt-5' in the catalogue"),
        ({"model": "gpt-5", "ratio": "0.5"}, "There is no model 'gpt-5'"),
        ({"models": ["gpt-5.5"]}, "unknown field `models`"),
    ],
)
async def test_bad_input_is_refused_with_nothing_changed(
    counter: Counter, command: str, parameters: dict[str, object], said: str
):
    assert said in await counter.refusal(command, **parameters)


async def test_ratio_that_makes_a_price_too_dear_is_refused(counter: Counter):
    counter.take(
        read_catalog(
            "models: {gpt-5.5: {official: {standard: {input: 999999}}}}", "models.yaml", package_catalog()
        )
    )
    assert "more than a price can be" in await counter.refusal("prices.publish", ratio="2")


async def test_price_of_a_model_that_left_the_catalogue_is_still_shown(counter: Counter):
    await counter.do("prices.publish")
    models = dict(package_catalog().models)
    del models["gpt-5.5"]
    counter.take(Catalog(models))
    assert (await counter.do("prices.show"))[-1]["model"] == "gpt-5.5"
    assert (await counter.do("prices.diff"))["models"] == []
    assert len(await counter.do("prices.show", model="gpt-5.5")) == 1
    counter.changes.clear()
    assert "There is no model 'gpt-9'" in await counter.refusal("prices.show", model="gpt-9")
