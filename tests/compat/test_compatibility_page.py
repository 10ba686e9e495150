"""docs/api/compatibility.md says what the tests of this folder show, and nothing else."""

import subprocess
import sys

import pytest

from compat.page import REASONS, render_page, without_versions
from compat.shown import SIX, Cell, Client, Feature, Protocol
from compat.write_page import versions
from fakes.needs import CLIENTS

ALL = {
    Cell(client, protocol, model, feature)
    for client in Client
    for protocol in Protocol
    for model in SIX
    for feature in Feature
}


def test_the_page_has_the_rows_that_the_tests_show():
    checked = subprocess.run(
        [sys.executable, CLIENTS / "write_page.py", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout[-2000:] + checked.stderr


def test_a_row_that_no_test_shows_any_more_changes_the_page():
    fewer = ALL - {cell for cell in ALL if cell[:3] == (Client.CODEX, Protocol.RESPONSES, "gpt-5.2")}
    assert without_versions(render_page(fewer, versions())) != without_versions(render_page(ALL, versions()))


def test_a_feature_that_is_left_out_without_a_reason_is_refused():
    left_out = Cell(Client.CODEX, Protocol.RESPONSES, "gpt-5.2", Feature.TOOL)
    assert (left_out.client, left_out.feature) not in REASONS
    with pytest.raises(ValueError, match="Codex CLI does not show 'tool turn'"):
        render_page(ALL - {left_out}, versions())


def test_a_new_version_alone_leaves_the_page_as_it_is():
    newer = dict.fromkeys(versions(), "999.0.0")
    assert render_page(ALL, newer) != render_page(ALL, versions())
    assert without_versions(render_page(ALL, newer)) == without_versions(render_page(ALL, versions()))
