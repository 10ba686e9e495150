"""What the pages about accounts, requests, estimates and billing show is what is served, to the last figure."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.pages import examples, paste, plain
from fakes import http
from fakes.server import Gateway
from fakes.stripe_server import WEBHOOK_SECRET, StripeServer

HELLO = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello!"}]}
PAGES = {"api/account.md": 5, "api/requests.md": 3, "api/estimate.md": 1, "guide/billing.md": 2}


@pytest.fixture
def fresh(start_gateway: Callable[..., Gateway]) -> Iterator[Gateway]:
    """A server as the quickstart leaves it, which takes payments of play money."""
    with StripeServer(secret_key="sk_test_canary_51Fake") as stripe:
        yield start_gateway(
            stripe_secret_key=stripe.secret_key,
            stripe_webhook_secret=WEBHOOK_SECRET,
            stripe_api_base=stripe.url,
        )


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_page_print_what_it_shows(fresh: Gateway, tmp_path: Path, page: str):
    first = http.post(fresh.url, HELLO, key=fresh.test_key)
    [code] = fresh.perform("codes.create", usd="5", mode="test")
    known = {"ID": first.headers["x-request-id"], "CODE": code["code"]}
    found = examples(page)
    assert len(found) == PAGES[page]
    for example in found:
        printed = paste(fresh, tmp_path, example.command, **known)
        if example.shown is not None:
            assert plain(printed) == plain(example.shown), example.command


def test_header_that_the_page_shows_is_sent(fresh: Gateway, tmp_path: Path):
    first, _ = examples("guide/billing.md")
    shown = (Path(__file__).parents[2] / "docs" / "guide" / "billing.md").read_text("utf-8")
    headers = [
        line for line in paste(fresh, tmp_path, first.command).splitlines() if line.startswith("x-runapi-")
    ]
    for header in headers:
        assert header.startswith("x-runapi-request-id") or header in shown.splitlines()
    assert len(headers) == 3
