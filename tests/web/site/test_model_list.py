"""The list of models as its URL asks for it: sorted and filtered by the server, for who has no script."""

import re
import shutil
from pathlib import Path

import pytest

from fakes.needs import REPOSITORY
from fakes.server import Gateway
from runapi.web.site.choice import WHOLE, Choice, Order, read_choice
from web.site.visits import MODELS, library, text_of, visit, words_of

CHEAPEST_FIRST = ["gpt-5.4-nano", "gpt-5.4-mini"]
ABLE = ("reasoning", "image", "chat")
MORE_MODELS = REPOSITORY / "tests" / "site_content" / "models.yaml"
OTHERS = [locale for locale in library().locales if locale != "en"]


def shown(page: str) -> list[str]:
    return re.findall(r'<tr data-words=[^>]*>\n<td><a href="[^"]*/models/([^"]+)"', page)


def listed(twin: str) -> list[str]:
    return re.findall(r"^\| \[([^\]]+)\]\(", twin, re.MULTILINE)


@pytest.mark.parametrize(
    ("query", "choice"),
    [
        (b"", WHOLE),
        (b"sort=price", Choice(order=Order.PRICE)),
        (b"can=image&sort=newest", Choice(order=Order.NEWEST, able="image")),
        (b"can=&sort=best&words=", WHOLE),  # the form as it is sent untouched
        (b"utm_source=x&ref=y", WHOLE),
        (b"sort=colour", Choice(is_odd=True)),
        (b"sort=PRICE", Choice(is_odd=True)),
        (b"sort=price&can=flying", Choice(order=Order.PRICE, is_odd=True)),
        (b"sort=%ff", WHOLE),
        (b"sort=\xff", WHOLE),
        (b"&".join(b"a=%d" % number for number in range(50)), WHOLE),
        (b"sort=newest&sort=price", Choice(order=Order.PRICE)),
        (b"can=<script>", Choice(is_odd=True)),
    ],
)
def test_query_is_read_and_what_nobody_knows_is_left_out(query: bytes, choice: Choice):
    assert read_choice(query, ABLE) == choice


@pytest.mark.parametrize(
    "choice", [WHOLE, Choice(order=Order.PRICE), Choice(order=Order.NEWEST, able="chat")]
)
def test_choice_is_read_from_the_query_that_it_writes(choice: Choice):
    assert read_choice(choice.query.removeprefix("?").encode(), ABLE) == choice


def test_list_is_sorted_by_the_server(gateway: Gateway):
    assert shown(text_of(visit(gateway, "/models"))) == list(MODELS)
    assert shown(text_of(visit(gateway, "/models?sort=best"))) == list(MODELS)
    cheap = shown(text_of(visit(gateway, "/models?sort=price")))
    assert (cheap[:2], sorted(cheap)) == (CHEAPEST_FIRST, sorted(MODELS))
    assert set(shown(text_of(visit(gateway, "/models?sort=context")))[:2]) == {"gpt-5.5", "gpt-5.4"}
    assert shown(text_of(visit(gateway, "/models?sort=newest")))[0] == "gpt-5.5"


def test_list_is_filtered_by_the_server(start_gateway, tmp_path: Path):
    (tmp_path / "home").mkdir()
    shutil.copy(MORE_MODELS, tmp_path / "home")
    gateway: Gateway = start_gateway(tmp_path)
    page = text_of(visit(gateway, "/models?can=embeddings"))
    assert shown(page) == listed(text_of(visit(gateway, "/models.md?can=embeddings", accept="*/*")))
    assert shown(page) == ["text-embedding-3-small"]
    assert '<option value="embeddings" selected>' in page
    assert set(shown(text_of(visit(gateway, "/models")))) > {"gpt-5.5", "text-embedding-3-small"}


def test_twin_is_sorted_too_and_names_the_other_lists(gateway: Gateway):
    twin = text_of(visit(gateway, "/models.md?sort=price", accept="*/*"))
    assert listed(twin)[:2] == CHEAPEST_FIRST
    links = re.findall(rf"\]\({re.escape(gateway.url)}(/models\.md\?[^)]+)\)", twin)
    assert {"/models.md?sort=price", "/models.md?sort=newest", "/models.md?can=image"} <= set(links)
    for link in links:
        assert "does not know" not in text_of(visit(gateway, link, accept="*/*")), link


def test_lists_are_one_page_to_search_engines(gateway: Gateway):
    page = text_of(visit(gateway, "/models?sort=price"))
    assert f'<link rel="canonical" href="{gateway.url}/models">' in page
    assert '<option value="price" selected>' in page
    assert f'canonical: "{gateway.url}/models"' in text_of(
        visit(gateway, "/models.md?sort=price", accept="*/*")
    )


def test_list_is_known_by_its_etag(gateway: Gateway):
    first = visit(gateway, "/models?sort=price")
    assert first.headers["etag"] != visit(gateway, "/models").headers["etag"]
    again = visit(
        gateway, "/models?sort=price&utm_source=x", headers={"if-none-match": first.headers["etag"]}
    )
    assert again.status == 304


@pytest.mark.parametrize("locale", library().locales)
def test_visitor_is_told_of_an_order_that_there_is_not(gateway: Gateway, locale: str):
    told = library().strings[locale].texts["choice_unknown"]
    path = "/models" if locale == "en" else f"/{locale}/models"
    page = text_of(visit(gateway, f"{path}?sort=colour&can=flying"))
    assert told in words_of(page)
    assert shown(page) == list(MODELS)
    assert told in text_of(visit(gateway, f"{path}.md?sort=colour", accept="*/*"))
    assert told not in text_of(visit(gateway, f"{path}?utm_source=x"))


@pytest.mark.parametrize("locale", OTHERS)
def test_language_switch_keeps_the_order(gateway: Gateway, locale: str):
    page = text_of(visit(gateway, "/models?sort=price&can=image"))
    assert f'href="/{locale}/models?sort=price&amp;can=image"' in page
    assert shown(text_of(visit(gateway, f"/{locale}/models?sort=price")))[:2] == CHEAPEST_FIRST


def test_query_changes_no_other_page(gateway: Gateway):
    for path in ("/", "/pricing", "/models/gpt-5.5", "/docs"):
        known = visit(gateway, path).headers["etag"]
        assert visit(gateway, f"{path}?sort=price&can=x", headers={"if-none-match": known}).status == 304, (
            path
        )
