"""docs/operate/models.md: every example on it loads, and what it says of faults and fields is so."""

import re
from pathlib import Path

import pytest

from runapi.wire import catalog_file
from runapi.wire.catalog_file import CatalogFault, package_catalog, read_catalog

PAGE = (Path(__file__).parents[2] / "docs/operate/models.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_page_has_examples():
    assert len(EXAMPLES) == 8


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_of_the_page_loads_and_changes_something(example):
    catalog = read_catalog(example, "models.yaml", package_catalog())
    assert dict(catalog.models) != dict(package_catalog().models)


def test_page_shows_faults_as_they_are_written():
    text = """\
models:
  gpt-5.5:
    ours:
      standard: {input: 2.1234567}

  gpt-5.4:
    default_efort: low
"""
    shown = re.search(r"^```\n(models\.yaml:.*?)\n```", PAGE, re.DOTALL | re.MULTILINE)
    assert shown
    with pytest.raises(CatalogFault) as caught:
        read_catalog(text, "models.yaml", package_catalog())
    assert list(caught.value.faults) == shown[1].splitlines()


def test_page_explains_every_field():
    assert [name for name in catalog_file._FIELDS if f"{name}:" not in PAGE] == []
