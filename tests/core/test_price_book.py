"""Prices follow from the catalogue by a policy, exactly, and change only by a publication."""

from fractions import Fraction
from math import ceil

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.core.catalog import Catalog
from runapi.core.price_book import (
    CATALOGUE,
    PriceBook,
    PriceVersion,
    RateChange,
    apply_policy,
    changes,
    propose,
    ratio_policy,
)
from runapi.core.pricing import PriceTable, Rates, charge
from runapi.core.usage import Usage
from runapi.wire.catalog_file import package_catalog

CATALOG = package_catalog()
MODEL = CATALOG.models["gpt-5.5"]
RATE_NAMES = ("input", "output", "cached", "cache_write")


def published(version: int, catalog: Catalog = CATALOG, **policies: str) -> list[PriceVersion]:
    return [
        PriceVersion(**msgspec.structs.asdict(price), version=version, published_us=version)
        for price in propose(
            catalog, PriceBook(), {name.replace("_", "."): p for name, p in policies.items()}
        )
    ]


def with_model(**changed: object) -> Catalog:
    return Catalog({**CATALOG.models, "gpt-5.5": msgspec.structs.replace(MODEL, **changed)})


def test_first_publication_has_every_model_at_the_catalogues_own_price():
    proposals = propose(CATALOG, PriceBook(), {})
    assert [price.model for price in proposals] == list(CATALOG.models)
    assert all(price.ours == CATALOG.models[price.model].ours for price in proposals)
    assert {price.policy for price in proposals} == {CATALOGUE}


def test_half_of_official_is_what_the_shipped_catalogue_charges():
    for model in CATALOG.models.values():
        assert apply_policy("0.5 x official", model) == model.ours == apply_policy(CATALOGUE, model)


@given(
    st.integers(1, 100_000_000),
    st.builds(Rates, *[st.integers(0, 10**9)] * 4),
)
def test_ratio_is_exact_and_rounded_up_by_less_than_the_finest_price(ppm, rates):
    official = PriceTable(rates, rates, 272_000, rates, None, None)
    model = msgspec.structs.replace(MODEL, official=official)
    ratio = f"{ppm // 10**6}.{ppm % 10**6:06d}"
    table = apply_policy(ratio_policy(ratio), model)
    assert (table.long_threshold, table.flex_long, table.priority) == (272_000, None, None)
    for tier in (table.standard, table.long, table.flex):
        for name in RATE_NAMES:
            assert getattr(tier, name) == ceil(getattr(rates, name) * Fraction(ratio))


def test_a_ratio_never_gives_away_what_has_a_price():
    model = msgspec.structs.replace(MODEL, official=PriceTable(Rates(1, 1, 1, 1)))
    assert apply_policy("0.000001 x official", model).standard == Rates(1, 1, 1, 1)


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ("0.5", "0.5 x official"),
        ("0.500000", "0.5 x official"),
        ("1", "1 x official"),
        ("00.60", "0.6 x official"),
        ("100", "100 x official"),
        ("catalogue", CATALOGUE),
    ],
)
def test_ratio_has_one_canonical_form(written, policy):
    assert ratio_policy(written) == policy


@pytest.mark.parametrize(
    "written",
    [
        "",
        "0",
        "0.0",
        "-1",
        "+1",
        "0.1234567",
        "100.000001",
        "1e1",
        "nan",
        ".5",
        "1.",
        "0,5",
        "\u0665",
        "catalog",
    ],
)
def test_ratio_that_cannot_be_meant_is_refused(written):
    with pytest.raises(ValueError, match="not a ratio"):
        ratio_policy(written)


def test_price_dearer_than_any_catalogue_can_name_is_refused():
    model = msgspec.structs.replace(MODEL, official=PriceTable(Rates(10**12 - 1, 1, 1, 1)))
    assert apply_policy("1 x official", model).standard.input == 10**12 - 1
    with pytest.raises(ValueError, match=r"gpt-5.5 is more than a price can be"):
        apply_policy("1.000001 x official", model)


def test_newest_version_of_each_model_is_in_force_whatever_the_order():
    first, second = published(1), published(2, gpt_5="1 x official")[:1]
    for order in (first + second, second + first):
        book = PriceBook(order)
        assert book.get("gpt-5.5") == second[0]
        assert book.get("gpt-5.4").version == 1
        assert book.newest == 2
    assert PriceBook().newest == 0


def test_model_without_a_publication_has_no_price():
    book = PriceBook(published(1)[1:])
    assert book.get("gpt-5.5") is None
    assert book.unpriced(CATALOG) == ["gpt-5.5"]


def test_changed_catalogue_changes_nothing_until_it_is_published():
    dearer = with_model(ours=PriceTable(Rates(3_000_000, 15_000_000, 250_000, 3_000_000)))
    book = PriceBook(published(1))
    assert book.get("gpt-5.5").ours == MODEL.ours
    (proposal,) = propose(dearer, book, {})
    assert (proposal.model, proposal.ours.standard.input) == ("gpt-5.5", 3_000_000)


def test_nothing_is_proposed_where_nothing_differs_or_only_the_source_does():
    book = PriceBook(published(1))
    assert propose(CATALOG, book, {}) == []
    assert propose(with_model(source="another page"), book, {}) == []


def test_policy_is_kept_until_another_is_given():
    book = PriceBook(published(1, **{"gpt-5_5": "0.6 x official"}))
    assert book.get("gpt-5.5").ours.standard.input == 3_000_000
    assert propose(CATALOG, book, {}) == []
    cheaper = with_model(official=PriceTable(Rates(4_000_000, 20_000_000, 400_000, 4_000_000)))
    (followed,) = propose(cheaper, book, {})
    assert followed.ours.standard == Rates(2_400_000, 12_000_000, 240_000, 2_400_000)
    (back,) = propose(CATALOG, book, {"gpt-5.5": CATALOGUE})
    assert (back.policy, back.ours) == (CATALOGUE, MODEL.ours)


def test_policy_that_gives_the_same_price_is_a_version_of_its_own():
    (proposal,) = propose(CATALOG, PriceBook(published(1)), {"gpt-5.2": "0.5 x official"})
    before = PriceBook(published(1)).get("gpt-5.2")
    assert changes(before, proposal) == []


def test_every_changed_figure_is_listed_with_both_values():
    before = published(1)[0]
    after = msgspec.structs.replace(
        before,
        ours=PriceTable(
            standard=msgspec.structs.replace(before.ours.standard, output=18_000_000),
            priority=before.ours.priority,
            flex=before.ours.flex,
        ),
    )
    listed = changes(before, after)
    assert listed[0] == RateChange(
        model="gpt-5.5", seller="ours", tier="standard", rate="output", old=15_000_000, new=18_000_000
    )
    assert {(change.tier, change.rate) for change in listed[1:]} == {
        *((tier, rate) for tier in ("long", "flex_long") for rate in RATE_NAMES),
        ("long", "threshold"),
    }
    assert all(change.new is None for change in listed[1:])
    assert changes(after, after) == []


def test_all_figures_of_a_new_model_are_changes_from_nothing():
    listed = changes(None, published(1)[1])
    assert len(listed) == 2 * (5 * 4 + 1)
    assert {change.old for change in listed} == {None}


@given(st.integers(1, 2_000_000), st.builds(Usage, *[st.integers(0, 500_000)] * 4))
def test_charge_by_a_ratio_is_never_below_the_ratio_of_the_charge(ppm, usage):
    ratio = f"{ppm // 10**6}.{ppm % 10**6:06d}"
    ours = charge(apply_policy(ratio_policy(ratio), MODEL), usage)
    assert ours.pico >= charge(MODEL.official, usage).pico * Fraction(ratio)
