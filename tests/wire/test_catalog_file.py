"""The catalogue: what ships, what an operator's file may say, and that every fault of it is named with its line."""

from datetime import date
from pathlib import Path

import msgspec
import pytest
import yaml

from runapi.core.catalog import Catalog, Model, ModelStatus
from runapi.core.money import usd_per_1m
from runapi.core.pricing import PriceTable, Rates
from runapi.wire import catalog_file, yaml_file
from runapi.wire.catalog_file import CatalogFault, package_catalog, read_catalog

# OpenAI's price list of October 2026, typed in here a second time: input, cached, output.
OFFICIAL = {
    "gpt-5.5": {
        "standard": "5 0.5 30",
        "long": "10 1 45",
        "flex": "2.5 0.25 15",
        "flex_long": "5 0.5 22.5",
        "priority": "12.5 1.25 75",
    },
    "gpt-5.4": {
        "standard": "2.5 0.25 15",
        "long": "5 0.5 22.5",
        "flex": "1.25 0.13 7.5",
        "flex_long": "2.5 0.25 11.25",
        "priority": "5 0.5 30",
    },
    "gpt-5.4-mini": {
        "standard": "0.75 0.075 4.5",
        "flex": "0.375 0.0375 2.25",
        "priority": "1.5 0.15 9",
    },
    "gpt-5.4-nano": {"standard": "0.2 0.02 1.25", "flex": "0.1 0.01 0.625"},
    "gpt-5.3-codex": {"standard": "1.75 0.175 14", "priority": "3.5 0.35 28"},
    "gpt-5.2": {"standard": "1.75 0.175 14", "flex": "0.875 0.0875 7", "priority": "3.5 0.35 28"},
}

NEW_MODEL = """\
models:
  my-model:
    owned_by: me
    released: 2026-10-01
    context_window: 200_000
    max_input_tokens: 168_000
    max_output_tokens: 32_000
    endpoints: [/v1/chat/completions]
    official:
      standard: {input: 0.4, output: 1.6}
    source: https://example.com/prices
"""


def tiers(table: PriceTable) -> dict[str, Rates]:
    named = {name: getattr(table, name) for name in catalog_file.TIERS}
    return {name: rates for name, rates in named.items() if rates is not None}


def faults_of(text: str, ground: Catalog | None = None) -> list[str]:
    with pytest.raises(CatalogFault) as caught:
        read_catalog(text, "models.yaml", ground or package_catalog())
    assert str(caught.value).splitlines() == list(caught.value.faults)
    return list(caught.value.faults)


def changed(text: str, model_id: str = "gpt-5.5") -> Model:
    model = read_catalog(text, "models.yaml", package_catalog()).get(model_id)
    assert model is not None
    return model


def shipped(model_id: str = "gpt-5.5") -> Model:
    return package_catalog().models[model_id]


# ---- what ships ------------------------------------------------------------------------------------------


def test_package_catalogue_has_the_six_models_in_order():
    assert list(package_catalog().models) == list(OFFICIAL)


@pytest.mark.parametrize("model_id", OFFICIAL)
def test_official_prices_are_those_of_the_price_list(model_id):
    read = {
        tier: " ".join(usd_per_1m(price) for price in (rates.input, rates.cached, rates.output))
        for tier, rates in tiers(shipped(model_id).official).items()
    }
    assert read == OFFICIAL[model_id]


@pytest.mark.parametrize("model_id", OFFICIAL)
def test_our_price_is_exactly_half_of_every_official_rate(model_id):
    model = shipped(model_id)
    official, ours = tiers(model.official), tiers(model.ours)
    assert official.keys() == ours.keys()
    for tier, rates in ours.items():
        doubled = [2 * price for price in msgspec.structs.astuple(rates)]
        assert doubled == list(msgspec.structs.astuple(official[tier]))
        assert min(doubled) > 0
    assert model.ours.long_threshold == model.official.long_threshold


@pytest.mark.parametrize("model_id", OFFICIAL)
def test_a_cache_write_costs_as_input(model_id):
    for table in (shipped(model_id).official, shipped(model_id).ours):
        assert all(rates.cache_write == rates.input for rates in tiers(table).values())


def test_limits_efforts_and_dates_are_those_of_the_model_pages():
    window = {m.id: (m.context_window, m.max_input_tokens) for m in package_catalog().models.values()}
    large, small = (1_050_000, 922_000), (400_000, 272_000)
    assert window == {
        model_id: large if model_id in ("gpt-5.5", "gpt-5.4") else small for model_id in OFFICIAL
    }
    assert {m.max_output_tokens for m in package_catalog().models.values()} == {128_000}
    effort = {m.id: m.default_effort for m in package_catalog().models.values()}
    assert effort == dict.fromkeys(OFFICIAL, "none") | {"gpt-5.5": "medium", "gpt-5.3-codex": "medium"}
    assert shipped("gpt-5.3-codex").efforts == ("low", "medium", "high", "xhigh")
    assert shipped("gpt-5.3-codex").endpoints == ("/v1/responses",)
    leaving = {m.id: m.shutdown_date for m in package_catalog().models.values() if m.shutdown_date}
    assert leaving == {"gpt-5.4-nano": date(2027, 4, 1), "gpt-5.3-codex": date(2027, 4, 1)}
    assert {m.id: m.official.long_threshold for m in package_catalog().models.values()} == dict.fromkeys(
        OFFICIAL
    ) | {"gpt-5.5": 272_000, "gpt-5.4": 272_000}


@pytest.mark.parametrize("model_id", OFFICIAL)
def test_parameters_that_openai_refuses_are_listed(model_id):
    always = {
        "stop",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "prediction",
        "audio",
        "modalities",
    }
    assert set(shipped(model_id).refused) == always
    assert shipped(model_id).refused_when_reasoning == ("temperature", "top_p", "logprobs", "top_logprobs")


def test_every_field_of_a_model_can_be_given_in_a_file():
    assert {"id", *catalog_file._FIELDS} == set(Model.__struct_fields__)


def test_catalogue_cannot_be_changed_by_those_who_share_it():
    with pytest.raises(TypeError):
        package_catalog().models["x"] = shipped()  # type: ignore[index]


def test_both_yaml_parsers_read_the_same(monkeypatch):
    text = (Path(catalog_file.__file__).parents[1] / "data/models.yaml").read_text("utf-8")
    monkeypatch.setattr(yaml_file, "_LOADER", yaml.SafeLoader)
    assert dict(read_catalog(text, "models.yaml").models) == dict(package_catalog().models)


# ---- overriding ------------------------------------------------------------------------------------------


def test_one_rate_can_be_overridden_and_all_else_stays():
    model = changed("models: {gpt-5.5: {ours: {standard: {output: 18}}}}")
    assert model.ours.standard.output == 18_000_000
    rates = msgspec.structs.replace(model.ours.standard, output=shipped().ours.standard.output)
    ours = msgspec.structs.replace(model.ours, standard=rates)
    assert msgspec.structs.replace(model, ours=ours) == shipped()


def test_price_is_read_from_its_text_and_not_through_a_float():
    text = "models: {gpt-5.5: {ours: {standard: {input: 5.0000000000000000001}}}}"
    assert float("5.0000000000000000001") == 5
    assert "too fine" in faults_of(text)[0]
    assert changed("models: {gpt-5.5: {ours: {standard: {input: 0.000001}}}}").ours.standard.input == 1
    assert (
        changed("models: {gpt-5.5: {ours: {standard: {input: '5.000000000'}}}}").ours.standard.input
        == 5_000_000
    )


def test_ours_stays_when_only_the_official_price_changes():
    model = changed("models: {gpt-5.5: {official: {standard: {input: 4}}}}")
    assert model.official.standard.input == 4_000_000
    assert model.ours == shipped().ours


def test_cache_write_follows_an_overridden_input_unless_it_has_a_price_of_its_own():
    text = "models: {gpt-5.5: {ours: {standard: {input: 3}}}}"
    assert changed(text).ours.standard.cache_write == 3_000_000
    own = read_catalog("models: {gpt-5.5: {ours: {standard: {cache_write: 9}}}}", "a.yaml", package_catalog())
    again = read_catalog(text, "b.yaml", own).models["gpt-5.5"].ours.standard
    assert (again.input, again.cache_write, again.cached) == (3_000_000, 9_000_000, 250_000)


def test_models_that_the_file_does_not_name_stay_as_they_ship():
    catalog = read_catalog("models: {gpt-5.5: {note: x}}", "models.yaml", package_catalog())
    assert list(catalog.models) == list(OFFICIAL)
    assert all(catalog.models[name] == shipped(name) for name in OFFICIAL if name != "gpt-5.5")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "models:\n", "models: {}\n", "---\n"])
def test_an_operators_file_may_be_empty(text):
    assert dict(read_catalog(text, "models.yaml", package_catalog()).models) == dict(package_catalog().models)


def test_null_takes_a_tier_or_a_date_away():
    text = "models: {gpt-5.2: {ours: {priority: null}}, gpt-5.4-nano: {shutdown_date: }}"
    assert changed(text, "gpt-5.2").ours.priority is None
    assert changed(text, "gpt-5.2").official.priority is not None
    assert changed(text, "gpt-5.4-nano").shutdown_date is None


def test_model_can_be_retired_with_a_successor():
    model = changed("models: {gpt-5.2: {status: retired, successor: gpt-5.5}}", "gpt-5.2")
    assert model.status is ModelStatus.RETIRED
    assert model.successor == "gpt-5.5"
    assert model.is_retired(date(2026, 1, 1))


# ---- adding ----------------------------------------------------------------------------------------------


def test_new_model_without_ours_is_sold_at_exactly_half():
    model = changed(NEW_MODEL.replace("1.6", "1.600002"), "my-model")
    assert model.official.standard == Rates(400_000, 1_600_002, 400_000, 400_000)
    assert model.ours.standard == Rates(200_000, 800_001, 200_000, 200_000)
    assert list(read_catalog(NEW_MODEL, "m", package_catalog()).models) == [*OFFICIAL, "my-model"]


def test_half_of_an_odd_price_is_a_fault_that_says_what_to_do():
    what = "half of 1.600001 is finer than 6 decimal places: give 'ours' for this model"
    fault = f"models.yaml:10: my-model.official.standard.output: {what}"
    assert faults_of(NEW_MODEL.replace("1.6", "1.600001")) == [fault]


def test_new_model_with_ours_may_have_any_official_price():
    text = NEW_MODEL.replace("1.6", "1.600001") + "    ours: {standard: {input: 1, output: 2}}\n"
    assert changed(text, "my-model").ours.standard == Rates(1_000_000, 2_000_000, 1_000_000, 1_000_000)


def test_successor_may_be_a_model_of_the_same_file():
    text = NEW_MODEL + "  gpt-5.2: {status: retired, successor: my-model}\n"
    assert changed(text, "gpt-5.2").successor == "my-model"


@pytest.mark.parametrize("line", range(3, 12))
def test_new_model_without_a_required_field_is_a_fault(line):
    lines = NEW_MODEL.splitlines()
    name = lines[line - 1].split(":")[0].strip()
    if name == "standard":
        lines[line - 2] += " {}"
        expected = "models.yaml:9: my-model.official.standard: missing, and required"
    else:
        expected = f"models.yaml:2: my-model.{name}: missing, and required"
    del lines[line - 1 : line + (name == "official")]
    assert faults_of("\n".join(lines)) == [expected]


@pytest.mark.parametrize("rate", ["input", "output"])
def test_new_rates_need_input_and_output(rate):
    text = f"models:\n  gpt-5.4-nano:\n    ours:\n      priority: {{{rate}: 1}}"
    missing = {"input": "output", "output": "input"}[rate]
    assert faults_of(text) == [f"models.yaml:4: gpt-5.4-nano.ours.priority.{missing}: missing, and required"]
