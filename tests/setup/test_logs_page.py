"""docs/operate/logs.md is complete: it says of every event what to do, and of none that there is not."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "operate" / "logs.md").read_text("utf-8")
LOGGED = re.compile(r'\b_?log\.(?:info|warning|error|exception|critical)\(\s*"([^"]+)"')


def events() -> set[str]:
    """Every event that the code logs."""
    files = (REPOSITORY / "src" / "runapi").rglob("*.py")
    return {event for file in files for event in LOGGED.findall(file.read_text("utf-8"))}


def test_page_says_what_to_do_about_every_event():
    assert {event for event in events() if f"`{event}`" not in PAGE} == set()


def test_page_names_no_event_that_is_never_logged():
    tables = PAGE.partition("## Money and the database")[2]
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", tables, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    assert named - events() == set()
    assert "upstream_failed" in events()
