"""Writes docs/api/compatibility.md from a run of this folder's tests: `.venv/bin/python tests/compat/write_page.py`.

Every test that bears `shows(...)` must pass, or nothing is written. With `--check` nothing is run: the tests are only collected, and the exit code
is 1 where the page has other rows than they would give it; versions may differ.
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from compat.page import render_page, without_versions
from compat.shown import Cell

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "api" / "compatibility.md"
REQUIREMENTS = ("test", "clients")
_PINNED = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", re.MULTILINE)


class Witness:
    """Sees which cells the tests bear, and which tests did not pass."""

    def __init__(self) -> None:
        self.cells: set[Cell] = set()
        self.bearers: set[str] = set()
        self.passed: set[str] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests that bear cells, and what they bear."""
        items[:] = [item for item in items if item.get_closest_marker("shows")]
        self.bearers.update(item.nodeid for item in items)
        self.cells.update(cell for item in items for mark in item.iter_markers("shows") for cell in mark.args)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)


def versions() -> dict[str, str]:
    """The version of each package whose client is tested, by the package's name."""
    package = json.loads((REPOSITORY / "tests" / "compat" / "package.json").read_text())
    pinned = {f"npm:{name}": version for name, version in package["dependencies"].items()}
    for name in REQUIREMENTS:
        text = (REPOSITORY / "requirements" / f"{name}.txt").read_text()
        pinned |= {f"pypi:{found}": version for found, version in _PINNED.findall(text)}
    return pinned


def main(arguments: Iterable[str]) -> int:
    is_check = "--check" in arguments
    witness = Witness()
    chosen = ["--collect-only"] if is_check else []
    code = pytest.main(
        ["-q", *chosen, "--rootdir", str(REPOSITORY), str(Path(__file__).parent)], plugins=[witness]
    )
    lost = set() if is_check else witness.bearers - witness.passed
    if code != 0 or lost:
        print(f"the tests do not pass, so the page stays as it is: {sorted(lost)}")
        return 2
    page = render_page(witness.cells, versions())
    if not is_check:
        PAGE.write_text(page)
        return 0
    if without_versions(page) == without_versions(PAGE.read_text()):
        return 0
    print(f"{PAGE} is out of date: run {Path(__file__).relative_to(REPOSITORY)}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
