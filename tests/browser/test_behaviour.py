"""What the pages do: with a mouse, with a keyboard, with a script and without one."""

import re

import pytest
from playwright.sync_api import expect

from browser.conftest import OpenTab
from browser.tab import DESKTOP, PHONE, Tab
from web.site.visits import MODELS, library

OTHERS = [locale for locale in library().locales if library().find(locale, "docs/chat") and locale != "en"]


def shown_models(tab: Tab) -> list[str]:
    return tab.page.locator(".models tbody tr:visible td:first-child a").all_inner_texts()


# ---- code ------------------------------------------------------------------------------------------------


def test_chosen_language_is_shown_everywhere_and_on_the_next_page(open_tab: OpenTab):
    tab = open_tab()
    page = tab.open("/docs/chat")
    expect(page.locator(".tabs .panel").first).to_contain_text("curl")
    page.get_by_text("Python", exact=True).first.click()
    assert page.locator('.tabs input[data-tab="Python"]:checked').count() == page.locator(".tabs").count()
    page = tab.open("/docs/streaming")
    expect(page.locator(".tabs .panel:visible").first).to_contain_text("import os")
    tab.assert_silent()


def test_tabs_are_chosen_with_the_keyboard(open_tab: OpenTab):
    tab = open_tab()
    page = tab.open("/")
    page.locator(".tabs input").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tabs .panel:visible")).to_contain_text("from openai import OpenAI")
    label = page.locator('.tabs input[data-tab="Python"] + label')
    assert label.evaluate("label => getComputedStyle(label).outlineStyle") == "solid"


def test_code_is_copied_as_it_stands(open_tab: OpenTab):
    tab = open_tab(permissions=["clipboard-read", "clipboard-write"])
    page = tab.open("/models/gpt-5.5")
    button = page.locator(".panel:visible .copy")
    button.click()
    expect(button).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl {tab.url}/v1/chat/completions \\\n  -H ")
    assert copied.endswith("}'")
    tab.assert_silent()


# ---- the models ------------------------------------------------------------------------------------------


def test_models_are_filtered_and_sorted(tab: Tab):
    page = tab.open("/models")
    assert shown_models(tab) == list(MODELS)
    page.get_by_label("Search").fill("mini")
    assert shown_models(tab) == ["gpt-5.4-mini"]
    page.get_by_label("Search").fill("")
    page.get_by_label("Order").select_option("price")
    assert shown_models(tab)[:2] == ["gpt-5.4-nano", "gpt-5.4-mini"]
    page.get_by_label("Order").select_option("context")
    assert set(shown_models(tab)[:2]) == {"gpt-5.5", "gpt-5.4"}
    page.get_by_label("Can").select_option("reasoning")
    assert sorted(shown_models(tab)) == sorted(MODELS)
    page.get_by_label("Search").fill("no such model")
    assert shown_models(tab) == []
    assert page.locator("output").inner_text() == "0 models"


def test_address_says_what_is_chosen_and_brings_it_back(tab: Tab):
    page = tab.open("/models")
    page.get_by_label("Can").select_option("image")
    page.get_by_label("Order").select_option("price")
    assert page.url == f"{tab.url}/models?sort=price&can=image"
    page.reload()
    assert shown_models(tab)[:2] == ["gpt-5.4-nano", "gpt-5.4-mini"]
    assert page.get_by_label("Can").input_value() == "image"
    page.get_by_label("Can").select_option("")
    page.get_by_label("Order").select_option("best")
    assert page.url == f"{tab.url}/models"
    assert shown_models(tab) == list(MODELS)


def test_saving_is_drawn_to_scale(tab: Tab):
    tab.page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    chart = tab.open("/pricing").locator(".chart svg")
    ours, theirs = (
        [box["width"] for bar in chart.locator(f".{side}").all() if (box := bar.bounding_box())]
        for side in ("ours", "theirs")
    )
    assert len(ours) == len(theirs) == len(MODELS)
    assert [round(one / other, 2) for one, other in zip(ours, theirs, strict=True)] == [0.5] * len(MODELS)
    assert max(theirs) == pytest.approx(chart.bounding_box()["width"], abs=1)  # type: ignore[index]


def test_tables_of_text_fit_a_phone_and_those_of_figures_keep_their_names_in_sight(tab: Tab):
    tab.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page = tab.open("/openclaw-gpt")
    stacked = page.locator(".stack")
    assert stacked.count() >= 1
    for table in stacked.all():
        assert table.evaluate("table => table.scrollWidth <= table.clientWidth")
    figures = page.locator(".table:has(.right)").last
    name = figures.locator("tbody td").first
    left = name.bounding_box()["x"]  # type: ignore[index]
    figures.evaluate("table => table.scrollTo(80, 0)")
    assert name.bounding_box()["x"] == pytest.approx(left)  # type: ignore[index]


# ---- without a script ------------------------------------------------------------------------------------


def test_everything_is_there_without_a_script(open_tab: OpenTab):
    tab = open_tab(java_script_enabled=False, viewport=PHONE)
    page = tab.open("/models")
    assert shown_models(tab) == list(MODELS)
    page = tab.open("/docs/chat")
    assert page.locator(".copy").count() == 0
    page.locator(".tabs label", has_text="Python").first.click()
    assert "import os" in page.locator(".tabs .panel:visible").first.inner_text()
    page.locator(".side-small > summary").click()
    page.locator(".side-small a", has_text="Streaming").click()
    assert page.url == f"{tab.url}/docs/streaming"
    page.locator(".languages summary").click()
    assert page.locator(".languages li").count() >= 1
    tab.assert_silent()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_models_are_sorted_and_filtered_without_a_script(open_tab: OpenTab, size: dict[str, int]):
    tab = open_tab(java_script_enabled=False, viewport=size)
    page = tab.open("/models")
    assert page.get_by_label("Search").is_hidden(), "it would do nothing"
    page.get_by_label("Order").select_option("price")
    page.get_by_label("Can").select_option("image")
    page.get_by_role("button", name="Show").click()
    assert page.url == f"{tab.url}/models?can=image&sort=price"
    assert shown_models(tab)[:2] == ["gpt-5.4-nano", "gpt-5.4-mini"]
    assert page.get_by_label("Order").input_value() == "price"
    page.locator(".languages summary").click()
    page.locator('.languages a[lang="ja"]').click()
    assert shown_models(tab)[:2] == ["gpt-5.4-nano", "gpt-5.4-mini"]
    tab.assert_silent()


def test_request_is_priced_without_a_script(open_tab: OpenTab):
    tab = open_tab(java_script_enabled=False)
    page = tab.open("/pricing")
    page.get_by_label("A prompt, or the whole JSON body").fill("Hello there, 你好")
    page.locator("select[name=model]").select_option("gpt-5.2")
    page.get_by_label("Tokens of the answer").fill("1000")
    page.get_by_role("button", name="What would it cost?").click()
    result = page.get_by_role("status")
    assert re.match(r"\$0\.007\d+\n", result.inner_text())
    assert "gpt-5.2:" in result.inner_text()
    assert page.get_by_label("A prompt, or the whole JSON body").input_value() == "Hello there, 你好"
    assert page.locator("select[name=model]").input_value() == "gpt-5.2"
    tab.assert_silent()


# ---- languages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", OTHERS)
def test_language_switch_stays_on_the_page(tab: Tab, locale: str):
    page = tab.open("/docs/chat")
    page.locator(".languages summary").click()
    page.locator(f'.languages a[lang="{locale}"]').click()
    assert page.url == f"{tab.url}/{locale}/docs/chat"
    assert page.locator("html").get_attribute("lang") == locale
    page.locator(".languages summary").click()
    page.locator('.languages a[lang="en"]').click()
    assert page.url == f"{tab.url}/docs/chat"


@pytest.mark.parametrize("locale", OTHERS)
def test_other_language_is_offered_and_never_forced(open_tab: OpenTab, locale: str):
    tab = open_tab(locale=locale)
    page = tab.open("/docs/chat")
    assert page.url == f"{tab.url}/docs/chat"
    page.locator(".offer a").click()
    assert page.url == f"{tab.url}/{locale}/docs/chat"
    assert page.locator(".offer").count() == 0
    tab.assert_silent()


def test_menu_of_languages_closes_when_it_is_left(tab: Tab):
    page = tab.open("/")
    menu = page.locator(".languages")
    page.locator(".languages summary").click()
    page.keyboard.press("Escape")
    assert menu.get_attribute("open") is None
    page.locator(".languages summary").click()
    page.locator("h1").click()
    assert menu.get_attribute("open") is None


NARROW = """() => [...document.querySelectorAll('th, td')].filter((cell) => {
  const style = getComputedStyle(cell);
  const room = cell.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const longest = Math.max(...cell.innerText.split(/[^\\u3041-\\u30ff\\u4e00-\\u9fff]/).map((words) => words.length));
  return cell.offsetParent !== null && room < Math.min(longest, 3) * parseFloat(style.fontSize);
}).map((cell) => cell.innerText)"""
"""Cells with less room than three characters of their text need: there a word would stand upright."""


@pytest.mark.parametrize("locale", OTHERS)
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_column_is_so_narrow_that_words_without_spaces_stand_upright(
    tab: Tab, locale: str, size: dict[str, int]
):
    for path in ("openclaw-gpt", "docs/billing", "docs/chat", "docs/errors", "docs/api-reference"):
        page = tab.open(f"/{locale}/{path}")
        tab.resize(size)
        assert page.evaluate(NARROW) == [], path


@pytest.mark.parametrize("locale", OTHERS)
def test_no_chinese_or_japanese_character_is_slanted(tab: Tab, locale: str):
    page = tab.open(f"/{locale}/docs/chat")
    styles = page.locator("em").evaluate_all("all => all.map((one) => getComputedStyle(one).fontStyle)")
    assert set(styles) == {"normal"}
    assert (
        tab.open("/docs/chat").locator("em").first.evaluate("em => getComputedStyle(em).fontStyle")
        == "italic"
    )


# ---- the keyboard and the eye ----------------------------------------------------------------------------


def test_keyboard_skips_to_the_text_and_reaches_what_scrolls(open_tab: OpenTab):
    tab = open_tab(viewport=PHONE)
    page = tab.open("/docs/chat")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] == 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.locator("pre[tabindex='0']").count() > 0
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_function("document.querySelectorAll('.table[tabindex]').length === 0")


def test_colours_follow_the_system_and_motion_is_only_for_those_who_want_it(open_tab: OpenTab):
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    moves = "getComputedStyle(document.documentElement).scrollBehavior"
    dark = open_tab(color_scheme="dark").open("/")
    light = open_tab(color_scheme="light", reduced_motion="no-preference").open("/")
    assert (dark.evaluate(ground), dark.evaluate(moves)) == ("rgb(20, 21, 19)", "auto")
    assert (light.evaluate(ground), light.evaluate(moves)) == ("rgb(252, 252, 250)", "smooth")
