"""The shared gateway with the shared upstream behind it, seen through a `Caller`."""

from collections.abc import Iterator

import pytest

from fakes.server import Gateway
from relay.calls import Caller


@pytest.fixture(scope="session")
def shared_caller(shared_gateway: Gateway) -> Caller:
    return Caller(shared_gateway)


@pytest.fixture
def caller(gateway: Gateway, shared_caller: Caller) -> Iterator[Caller]:
    """The shared gateway; rows that other tests made are not counted."""
    shared_caller.forget_rows()
    return shared_caller
