"""A translation says what the English page says: the same parts in the same order, the same names, links and numbers."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fakes.server import Gateway
from runapi.web.site.content import PACKAGED, Page
from web.site.visits import all_pages, front_matter, library, text_of, twin_of, visit

LOCALES = "|".join(library().locales)
TRANSLATED = [page for page in all_pages() if page.locale != "en" and page.path != "changelog"]
IS_FENCE = re.compile(r" *(`{3,}|~{3,})")
CELL_EDGE = re.compile(r"(?<!\\)\|")
WORDS_IN_SOME = ("1,000,000", "100", "20", "10")
HAN = r"[\u3041-\u30ff\u4e00-\u9fff]"


def body_of(gateway: Gateway, page: Page) -> str:
    return front_matter(text_of(visit(gateway, twin_of(page), accept="*/*")))[1]


def in_english(page: Page) -> Page:
    found = library().find("en", page.path)
    assert found is not None
    return found


def read_parts(body: str) -> Iterator[str]:
    """Headings, items, rows with their cells, call-outs and blocks of code; how long a paragraph is, is up to a language."""
    fence: list[str] = []
    for line in body.split("\n"):
        if fence:
            fence.append(line)
            if IS_FENCE.fullmatch(line.rstrip()):
                yield f"{fence[0].split(' ')[0]} of {len(fence)} lines"
                fence = []
        elif IS_FENCE.match(line):
            fence = [line.strip()]
        elif found := re.match(r"(#+ | *(?:-|\d+\.) |> \*\*)", line):
            yield found[1].rstrip()
        elif line.startswith("|"):
            yield f"row of {len(CELL_EDGE.findall(line)) - 1}"


def prose_of(body: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", body, flags=re.MULTILINE | re.DOTALL)


def names_in(body: str) -> set[str]:
    """What stands in backticks; a path of the site's own files without its locale."""
    found: list[str] = re.findall(r"`([^`\n]+)`", prose_of(body))
    return {re.sub(rf"\bcontent/({LOCALES})/", "content/", name) for name in found}


def links_in(body: str) -> Counter[str]:
    links = (urlsplit(link) for link in re.findall(r"\]\(([^)\s]+)\)", prose_of(body)))
    return Counter(
        re.sub(rf"^/({LOCALES})(?=/)", "", link.path) + ("#" if link.fragment else "") + link.query
        for link in links
    )


def numbers_in(body: str) -> set[str]:
    """Numbers of two digits and more, for smaller ones are words in some languages, as months are in English."""
    plain = re.sub(r"`[^`\n]+`|\]\([^)]*\)|\d+月", "", prose_of(body))
    return {number for number in re.findall(r"\d[\d,.]*\d", plain) if number not in WORDS_IN_SOME}


@pytest.mark.parametrize("page", TRANSLATED, ids=twin_of)
def test_translation_has_the_parts_names_links_and_numbers_of_the_english_page(gateway: Gateway, page: Page):
    english, theirs = body_of(gateway, in_english(page)), body_of(gateway, page)
    assert list(read_parts(theirs)) == list(read_parts(english))
    assert names_in(theirs) == names_in(english)
    assert links_in(theirs) == links_in(english)
    assert numbers_in(theirs) ^ numbers_in(english) == set()


@pytest.mark.parametrize("page", TRANSLATED, ids=twin_of)
def test_words_are_not_joined_by_english_punctuation(gateway: Gateway, page: Page):
    plain = re.sub(r"`[^`\n]+`|\]\([^)]*\)", "`", prose_of(body_of(gateway, page)))
    marks = "[,;!?(]" if page.locale == "ja" else "[,;:!?(]"  # the Japanese texts have half-width colons
    assert re.findall(rf".{{0,20}}{HAN} ?{marks} ?{HAN}.{{0,20}}", plain) == []


@pytest.mark.parametrize(("locale", "charset"), [("zh-TW", "big5"), ("zh-CN", "gb2312"), ("ja", "shift_jis")])
def test_characters_are_those_of_the_language(locale: str, charset: str):
    """The old character sets of each place have its own form of a character, and not the others'."""
    foreign: dict[str, str] = {}
    for path in written_in(locale):
        for character in set(re.findall(r"[\u4e00-\u9fff]", path.read_text("utf-8"))):
            try:
                character.encode(charset)
            except UnicodeEncodeError:
                foreign[character] = path.name
    assert foreign == {}


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        (
            "zh-TW",
            "令牌 函數 流式 緩存 接口 默認 服務器 程序 信息 數據 賬 用戶名 支持 文檔 視頻 網絡 軟件 屏幕",
        ),
        ("zh-CN", "令牌 函式 串流 快取 预设 伺服器 程式 资讯 软体 网路 权杖 萤幕"),
    ],
    ids=["zh-TW", "zh-CN"],
)
def test_words_are_those_of_the_place(locale: str, words: str):
    found = {
        (path.name, word)
        for path in written_in(locale)
        for word in words.split()
        if word in path.read_text("utf-8")
    }
    assert found == set()


def written_in(locale: str) -> list[Path]:
    return [*(PACKAGED / "content" / locale).glob("**/*.md"), PACKAGED / "locales" / f"{locale}.yaml"]
