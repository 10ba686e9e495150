"""A mistake in a file that somebody edits: the page says so to its visitor, the log says what, and the rest goes on."""

import pytest

from fakes.server import Gateway
from web.site.visits import text_of, visit

MISTAKES = {
    "terms": "Be kind to {{ brnad }}.",
    "privacy": "{% if brand %}Be kind.",
    "changelog": "{{ price(1, 2, 3, 4, 5, 6, 7) }}",
}
TITLES = {
    "en": "This page cannot be shown",
    "zh-TW": "無法顯示這個頁面",
    "zh-CN": "无法显示这个页面",
    "ja": "このページを表示できません",
}


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory: pytest.TempPathFactory):
    """A gateway with a mistake in three of its operator's pages, and in the title of a fourth."""
    gateway = Gateway(tmp_path_factory.mktemp("mistaken"))
    gateway.home.mkdir(mode=0o700)
    for locale in TITLES:
        folder = gateway.home / "site" / "content" / locale
        folder.mkdir(parents=True)
        for name, body in MISTAKES.items():
            (folder / f"{name}.md").write_text(
                f"---\ntitle: T\ndescription: D.\nsection: about\n---\n{body}\n"
            )
    folder = gateway.home / "site" / "content" / "en" / "docs"
    folder.mkdir()
    head = "title: About {{ nothing }}\ndescription: D.\nsection: docs\n"
    (folder / "chat.md").write_text(f"---\n{head}---\nText.\n")
    gateway.start()
    yield gateway
    gateway.stop()


@pytest.mark.parametrize("locale", TITLES)
@pytest.mark.parametrize("name", MISTAKES)
def test_page_with_a_mistake_says_so_in_the_visitor_s_language(mistaken: Gateway, name: str, locale: str):
    prefix = "" if locale == "en" else f"/{locale}"
    for path, mark in ((f"{prefix}/{name}", f"<h1>{TITLES[locale]}</h1>"), (f"{prefix}/{name}.md", "# ")):
        answer = visit(mistaken, path)
        text = answer.body.decode()
        assert (answer.status, answer.headers["cache-control"]) == (500, "no-store")
        assert mark in text
        assert TITLES[locale] in text
        assert "Traceback" not in text
        assert "jinja" not in text.lower()


def test_log_names_the_file_and_the_mistake(mistaken: Gateway):
    visit(mistaken, "/terms")
    line, *_ = [line for line in mistaken.stderr.splitlines() if "/en/terms.md" in line]
    assert "page cannot be shown" in line
    assert "'brnad' is undefined" in line


def test_other_pages_go_on(mistaken: Gateway):
    assert "About {{ nothing }}" in text_of(visit(mistaken, "/docs")), "a title stands as it was written"
    text_of(visit(mistaken, "/pricing"))
    everything = text_of(visit(mistaken, "/llms-full.txt"))
    assert "Be kind" not in everything
    assert "Function calling" in everything
