"""Content files: what is read, what is refused and how it is said."""

from pathlib import Path

import pytest

from runapi.web.site.content import ContentFault, Shelf, read_content
from runapi.web.site.paths import find_target
from runapi.web.site.suggestions import suggest
from web.site.visits import MODELS, library

HEAD = "title: T\ndescription: D.\nsection: docs\n"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_file_is_read_with_its_front_matter(tmp_path: Path):
    file = read_content(write(tmp_path, "a.md", f"---\n{HEAD}order: 3\n---\n\nText\n---\nmore\n\n\n"), "a")
    assert (file.meta.title, file.meta.order, file.meta.layout) == ("T", 3, "page")
    assert file.body == "Text\n---\nmore\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Text",
        f"---\n{HEAD}",
        f"\n---\n{HEAD}---\n",
        "---\ntitle: T\n---\nText",
        f"---\n{HEAD}colour: red\n---\nText",
        f"---\n{HEAD}order: first\n---\nText",
        "---\n[1, 2]\n---\nText",
        "---\na: b: c\n---\nText",
    ],
)
def test_file_with_wrong_front_matter_is_refused_by_name(tmp_path: Path, text: str):
    with pytest.raises(ContentFault, match=r"a\.md: "):
        read_content(write(tmp_path, "a.md", text), "a")


def test_file_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "a.md").write_bytes(b"---\n\xff\n---\n")
    with pytest.raises(ContentFault, match="UTF-8"):
        read_content(tmp_path / "a.md", "a")


@pytest.mark.parametrize("text", ["- a\n", "language: [x]\n", "offer: x\n", "a: b: c\n"])
def test_locale_whose_strings_cannot_be_used_is_left_out_by_name(tmp_path: Path, text: str):
    write(tmp_path, "locales/de.yaml", text)
    found = Shelf(tmp_path, (), ()).look(MODELS)
    assert "de" not in found.locales
    assert any("de.yaml" in fault for fault in found.faults)


def test_ours_are_shown_in_the_place_of_files_that_cannot_be_used(tmp_path: Path):
    write(tmp_path, "content/en/terms.md", "no front matter")
    write(tmp_path, "locales/en.yaml", "menu_docs: [Manual]\nhome: x\n")
    found = Shelf(tmp_path, (), ()).look(MODELS)
    assert found.pages["en"]["terms"] == library().pages["en"]["terms"]
    assert found.strings["en"].texts == library().strings["en"].texts
    assert len(found.faults) == 2


def test_every_file_of_ours_can_be_used():
    assert library().faults == ()


def test_operators_file_goes_before_ours_and_strings_are_merged(tmp_path: Path):
    write(tmp_path, "content/en/terms.md", f"---\n{HEAD}---\nOurs.\n")
    write(tmp_path, "content/en/docs/extra.md", f"---\n{HEAD}---\nMore.\n")
    write(tmp_path, "locales/en.yaml", "menu_docs: Manual\n")
    found = Shelf(tmp_path, (), ()).look(MODELS)
    assert found.pages["en"]["terms"].file.body == "Ours.\n"
    assert found.pages["en"]["docs/extra"].file.body == "More.\n"
    texts = found.strings["en"].texts
    assert (texts["menu_docs"], texts["menu_models"]) == (
        "Manual",
        library().strings["en"].texts["menu_models"],
    )


def test_page_of_its_own_goes_before_that_of_a_family(tmp_path: Path):
    write(tmp_path, "content/en/models/gpt-5.5.md", f"---\n{HEAD}---\nSpecial.\n")
    found = Shelf(tmp_path, (), ()).look(MODELS)
    assert found.pages["en"]["models/gpt-5.5"].file.body == "Special.\n"
    assert found.pages["en"]["models/gpt-5.4"].model == "gpt-5.4"


def test_families_have_a_page_for_each_model_that_is_sold():
    found = Shelf(Path("/nonexistent"), (), ()).look(("one", "maker/two"))
    assert {"models/one", "models/maker/two", "openclaw-one"} <= set(found.pages["en"])
    assert "models/gpt-5.5" not in found.pages["en"]


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../site.py",
        "/docs/../../x",
        "/docs//chat",
        "//docs",
        "/docs/chat/",
        "/content/en/index",
        "/_model",
    ],
)
def test_paths_reach_pages_and_nothing_else(path: str):
    target = find_target(path, library())
    assert target.page is None
    assert target.redirect in (None, "/docs/chat")


def test_nothing_is_suggested_for_what_is_like_nothing():
    pages = list(library().pages["en"].values())
    assert suggest("wp-login.php", pages) == []
    assert suggest("", pages) == []
    assert suggest("doc/stream", pages)[0].path == "docs/streaming"
