"""A price is the same on the page, in its twin, in the price book and in the charge of a request."""

import re
from datetime import UTC, datetime

import pytest

from fakes import http
from fakes.server import Gateway
from runapi.core.money import usd_per_1m
from runapi.web.site.locale_format import LocaleFormat, price_text
from runapi.wire.catalog_file import package_catalog
from web.site.visits import MODELS, library, text_of, visit, words_of

KINDS = ("input", "cached", "output")
SHOWN = LocaleFormat("en")


def shown(pico: int) -> str:
    return SHOWN.usd(price_text(usd_per_1m(pico)))


@pytest.mark.parametrize("model", MODELS)
def test_model_page_and_twin_have_the_prices_that_the_ledger_charges(gateway: Gateway, model: str):
    catalogue = package_catalog().models[model]
    page = words_of(text_of(visit(gateway, f"/models/{model}")))
    twin = text_of(visit(gateway, f"/models/{model}.md", accept="*/*"))
    for seller in (catalogue.ours, catalogue.official):
        for tier in ("standard", "long", "flex", "flex_long", "priority"):
            rates = getattr(seller, tier)
            figures = [shown(getattr(rates, kind)) for kind in KINDS] if rates else []
            assert [figure for figure in figures if figure not in page.split()] == []
            assert not figures or f"| {' | '.join(figures)} |" in twin


def test_price_of_a_request_is_that_of_the_page(gateway: Gateway):
    reply = http.post(
        gateway.url,
        {"model": "gpt-5.4", "messages": [{"role": "user", "content": "Hello there."}]},
        key=gateway.test_key,
    ).json
    usage = reply["usage"]  # type: ignore[index]
    twin = text_of(visit(gateway, "/models/gpt-5.4.md", accept="*/*"))
    [row] = re.findall(
        r"^\| Standard \| RunAPI \| \$([\d.]+) \| \$[\d.]+ \| \$([\d.]+) \|$", twin, re.MULTILINE
    )
    per_token = [int(figure.replace(".", "").ljust(len(figure.partition(".")[0]) + 6, "0")) for figure in row]
    pico = usage["prompt_tokens"] * per_token[0] + usage["completion_tokens"] * per_token[1]
    assert usage["cost"] == pytest.approx(pico / 10**12)


def fact(twin: str, key: str) -> str | None:
    """What the table of a model's page says under the name that a string has."""
    name = library().strings["en"].texts[key]
    found = re.search(rf"^\| {re.escape(name)} \| (.*) \|$", twin, re.MULTILINE)
    return found and found[1]


def test_pages_say_of_models_what_the_api_says(gateway: Gateway):
    """Which there are and in which order, and the days from and to which they are served."""
    listed = http.request(gateway.url, "GET", "/v1/models", key=gateway.test_key).json["data"]  # type: ignore[index]
    table = text_of(visit(gateway, "/models.md", accept="*/*"))
    assert re.findall(r"^\| \[([^\]]+)\]", table, re.MULTILINE) == [each["id"] for each in listed]
    for each in listed:
        twin = text_of(visit(gateway, f"/models/{each['id']}.md", accept="*/*"))
        released = datetime.fromtimestamp(each["created"], UTC).date().isoformat()
        assert fact(twin, "released") == SHOWN.date(released)
        assert fact(twin, "shutdown") == (each["shutdown_date"] and SHOWN.date(each["shutdown_date"]))


def test_pages_have_the_limits_and_prices_that_programs_are_offered(gateway: Gateway):
    offered = http.request(gateway.url, "GET", "/models.json").json["models"]  # type: ignore[index]
    for each in offered:
        twin = text_of(visit(gateway, f"/models/{each['id']}.md", accept="*/*"))
        limits = (each["context_window"], each["max_input_tokens"], each["max_output_tokens"])
        assert [fact(twin, key) for key in ("context", "max_input", "max_output")] == [
            f"{SHOWN.number(limit)} tokens" for limit in limits
        ]
        prices = [SHOWN.usd(price_text(str(each["price"][kind]))) for kind in KINDS]
        assert f"| Standard | RunAPI | {' | '.join(prices)} |" in twin


def test_publication_changes_every_page_at_once(start_gateway):
    gateway = start_gateway()
    before = visit(gateway, "/models/gpt-5.2")
    assert "$7.00" in text_of(before)
    gateway.cli("prices", "publish", "--model", "gpt-5.2", "--ratio", "0.8", "--yes")
    after = visit(gateway, "/models/gpt-5.2", headers={"if-none-match": before.headers["etag"]})
    assert "$11.20" in text_of(after)
    for path in ("/models", "/pricing", "/pricing.md", "/models/gpt-5.2.md"):
        text = text_of(visit(gateway, path, accept="*/*"))
        assert "$11.20" in text, path
        assert "20%" in text, path


def test_first_page_promises_only_what_holds_for_all_models(start_gateway):
    gateway = start_gateway()
    assert "for 50% less" in text_of(visit(gateway, "/"))
    gateway.cli("prices", "publish", "--model", "gpt-5.4-nano", "--ratio", "1.25", "--yes")
    assert "% less" not in words_of(text_of(visit(gateway, "/")))
    assert "/openclaw-gpt-5.4-nano" in text_of(visit(gateway, "/models/gpt-5.4-nano"))
