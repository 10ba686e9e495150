"""What a model says of its own dates."""

from datetime import date

import msgspec
import pytest

from runapi.core.catalog import Catalog, Model, ModelStatus
from runapi.core.pricing import PriceTable, Rates

PRICES = PriceTable(Rates(1, 1, 1, 1))
MODEL = Model(
    id="m",
    owned_by="me",
    released=date(2026, 4, 23),
    context_window=10,
    max_input_tokens=5,
    max_output_tokens=5,
    endpoints=("/v1/chat/completions",),
    official=PRICES,
    ours=PRICES,
    source="here",
)


def test_created_is_midnight_utc_of_the_release_day():
    assert MODEL.created == 1_776_902_400


def test_model_without_a_shutdown_date_is_never_retired_by_time():
    assert not MODEL.is_retired(date(9999, 12, 31))


@pytest.mark.parametrize(
    ("today", "retired"), [(date(2027, 3, 31), False), (date(2027, 4, 1), True), (date(2027, 4, 2), True)]
)
def test_model_is_retired_from_its_shutdown_date_on(today, retired):
    leaving = msgspec.structs.replace(MODEL, shutdown_date=date(2027, 4, 1))
    assert leaving.is_retired(today) is retired


def test_operator_can_retire_a_model_before_its_maker_does():
    retired = msgspec.structs.replace(MODEL, status=ModelStatus.RETIRED, shutdown_date=date(2027, 4, 1))
    assert retired.is_retired(date(2026, 1, 1))


def test_model_that_is_not_on_sale_is_not_found():
    catalog = Catalog({"m": MODEL})
    assert catalog.get("m") is MODEL
    assert catalog.get("M") is None
