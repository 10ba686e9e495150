"""What the tests of the guides share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from compat.guides.pages import Guide
from compat.steered import Backend
from fakes.server import Gateway

OpenGuide = Callable[[str], Guide]


@pytest.fixture
def open_guide(gateway: Gateway, tmp_path: Path) -> OpenGuide:
    """Open the guide at a path, for a reader with a test key."""
    backend = Backend("sandbox", gateway.base_url, gateway.test_key)
    return lambda path: Guide(path, backend, tmp_path)
