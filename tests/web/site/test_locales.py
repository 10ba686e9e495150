"""Every locale is whole: what English has, each other one that has begun has too."""

import re
from pathlib import Path

import pytest
import yaml

from runapi.web.site.content import PACKAGED, Shelf, Strings
from runapi.web.site.locale_format import LocaleFormat
from web.site.visits import MODELS, library

CONTENT = PACKAGED / "content"
ENGLISH = sorted(path.relative_to(CONTENT / "en") for path in (CONTENT / "en").glob("**/*.md"))
OTHERS = [locale for locale in library().locales if locale != "en"]
SOURCES = [
    *PACKAGED.glob("**/*.py"),
    *PACKAGED.glob("templates/**/*.html"),
    *PACKAGED.glob("templates/*.j2"),
    *CONTENT.glob("**/*.md"),
]


def strings(locale: str) -> Strings:
    """What the file of a locale itself says: the library puts English in the place of what is missing."""
    texts = yaml.safe_load((PACKAGED / "locales" / f"{locale}.yaml").read_text("utf-8"))
    summaries = texts.pop("model_summaries")
    return Strings(locale, texts["language"], texts, summaries)


@pytest.mark.parametrize("locale", OTHERS)
def test_every_page_is_translated(locale: str):
    there = {path.relative_to(CONTENT / locale) for path in (CONTENT / locale).glob("**/*.md")}
    assert [str(path) for path in ENGLISH if path not in there] == []
    assert [str(path) for path in sorted(there) if path not in ENGLISH] == []


@pytest.mark.parametrize("locale", OTHERS)
def test_every_string_is_translated(locale: str):
    english, theirs = strings("en"), strings(locale)
    assert sorted(set(english.texts) - set(theirs.texts)) == []
    assert sorted(set(theirs.texts) - set(english.texts)) == []
    assert set(theirs.summaries) == set(english.summaries)
    for key, text in english.texts.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", theirs.texts[key])), key


@pytest.mark.parametrize("locale", OTHERS)
def test_translation_keeps_what_is_not_language(locale: str):
    """The same section, place and layout; the same code but for its comments; the same figures from the same sources."""
    for path in (path for path in ENGLISH if (CONTENT / locale / path).exists()):
        texts = [(CONTENT / which / path).read_text("utf-8") for which in ("en", locale)]
        heads = [yaml.safe_load(text.split("---\n")[1]) for text in texts]
        kept = [{key: head.get(key) for key in ("section", "order", "layout")} for head in heads]
        assert kept[0] == kept[1], path
        fences = [re.findall(r"^```(\w*)", text, re.MULTILINE) for text in texts]
        assert fences[0] == fences[1], path
        asked = [
            sorted(set(re.findall(r"(?:price|official|saving|n|usd|date)\([^()\n]*\)", text)))
            for text in texts
        ]
        assert asked[0] == asked[1], path


@pytest.mark.parametrize("locale", library().locales)
def test_every_model_of_the_catalogue_has_its_sentence(locale: str):
    assert [model for model in MODELS if model not in strings(locale).summaries] == []


def test_every_string_that_is_asked_for_exists_and_none_is_left_over():
    everything = "\n".join(path.read_text("utf-8") for path in SOURCES)
    texts = strings("en").texts
    asked = set(re.findall(r"""\bt\(["'](\w*[a-z])["']""", everything))
    assert sorted(asked - set(texts)) == []
    composed = set(re.findall(r"""\bt\(["'](\w+_)["'] [+~]""", everything))
    named = set(re.findall(r"""["'](\w+)["']""", everything))
    unused = [
        key
        for key in texts
        if key not in asked | named and not any(key.startswith(start) for start in composed)
    ]
    assert unused == []


@pytest.mark.parametrize(
    ("locale", "number", "price", "small", "day"),
    [
        ("en", "1,050,000", "$2.50", "$0.0375", "August 7, 2026"),
        ("zh-TW", "1,050,000", "US$2.50", "US$0.0375", "2026年8月7日"),
        ("zh-CN", "1,050,000", "US$2.50", "US$0.0375", "2026年8月7日"),
        ("ja", "1,050,000", "$2.50", "$0.0375", "2026年8月7日"),
        ("de", "1.050.000", "2,50\xa0$", "0,0375\xa0$", "7. August 2026"),
    ],
)
def test_figures_are_written_as_the_locale_does(locale: str, number: str, price: str, small: str, day: str):
    write = LocaleFormat(locale)
    assert write.number(1_050_000) == number
    assert (write.usd("2.5"), write.usd("2.50"), write.usd("0.0375")) == (price, price, small)
    assert write.date("2026-08-07") == day


def test_figures_are_never_rounded_or_written_with_an_exponent():
    write = LocaleFormat("en")
    assert write.usd("0.000000001") == "$0.000000001"
    assert write.usd(1000) == "$1,000.00"
    assert (write.number(600.0), write.number(0.5), write.number(1_000_000.0)) == ("600", "0.5", "1,000,000")


def test_operator_adds_a_locale_with_files_alone(tmp_path: Path):
    (tmp_path / "locales").mkdir()
    english = (PACKAGED / "locales" / "en.yaml").read_text("utf-8")
    (tmp_path / "locales" / "de.yaml").write_text(english.replace("language: English", "language: Deutsch"))
    (tmp_path / "content" / "de").mkdir(parents=True)
    (tmp_path / "content" / "de" / "index.md").write_text(
        "---\ntitle: Hallo\ndescription: D.\nsection: home\n---\nGuten Tag.\n"
    )
    found = Shelf(tmp_path, (), ()).look(MODELS)
    assert "de" in found.locales
    assert found.strings["de"].name == "Deutsch"
    assert list(found.pages["de"]) == [""], "nothing falls back to English"


def test_operators_locale_that_lacks_a_string_shows_it_in_english(tmp_path: Path):
    """Their file may be older than a string that a newer version of ours asks for."""
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales" / "de.yaml").write_text("language: Deutsch\nhome: Zur Startseite\n")
    found = Shelf(tmp_path, (), ()).look(MODELS).strings["de"].texts
    assert (found["home"], found["skip"]) == ("Zur Startseite", strings("en").texts["skip"])
    assert found["offer"] == "Deutsch", "English would say that the page is in English"


def test_locales_of_the_setting_are_the_only_ones_in_its_order(tmp_path: Path):
    (tmp_path / "locales").mkdir()
    for locale in ("de", "fr", "nl"):
        (tmp_path / "locales" / f"{locale}.yaml").write_text(f"language: {locale}\n")
    assert Shelf(tmp_path, ("nl", "de", "xx"), ()).look(MODELS).locales == ("en", "nl", "de")
