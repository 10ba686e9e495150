"""server.json: how commands find the running server, and nobody else does."""

import os
import stat
from pathlib import Path

import pytest

from runapi.web.operator.server_file import (
    NAME,
    describe_server,
    reachable_url,
    read_server_file,
    remove_server_file,
    write_server_file,
)


def test_server_is_found_as_it_was_written(tmp_path: Path):
    server = describe_server("127.0.0.1", 8000)
    write_server_file(tmp_path, server)
    assert read_server_file(tmp_path) == server
    assert (server.url, server.pid) == ("http://127.0.0.1:8000", os.getpid())


def test_only_the_owner_may_read_the_token(tmp_path: Path):
    old = os.umask(0)
    try:
        (tmp_path / NAME).write_text("an older one that others may read")
        write_server_file(tmp_path, describe_server("127.0.0.1", 8000))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_every_server_has_another_token():
    tokens = {describe_server("127.0.0.1", 8000).token for _ in range(100)}
    assert len(tokens) == 100
    assert min(len(token) for token in tokens) >= 43


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"url": 1}', b'{"url": "http://x"}', b"\xff"])
def test_file_that_is_missing_or_damaged_names_no_server(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / NAME).write_bytes(content)
    assert read_server_file(tmp_path) is None


def test_removing_it_twice_is_no_fault(tmp_path: Path):
    write_server_file(tmp_path, describe_server("127.0.0.1", 8000))
    remove_server_file(tmp_path)
    remove_server_file(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104 - what it is turned into is what is tested
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("192.0.2.7", "http://192.0.2.7:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_address_that_listens_becomes_one_that_can_be_reached(host: str, url: str):
    assert reachable_url(host, 8000) == url
