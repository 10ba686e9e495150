"""The server that has a model for every endpoint."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.server import Gateway

MODELS = Path(__file__).with_name("models.yaml")


@pytest.fixture(scope="package")
def rich_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A server that also sells the models of models.yaml."""
    served = Gateway(tmp_path_factory.mktemp("rich"))
    served.home.mkdir()
    shutil.copy(MODELS, served.home)
    served.start()
    yield served
    served.stop()
    served.assert_clean_log()
