"""The two backends that every client is tried against: the sandbox, and a strict upstream."""

from collections.abc import Iterator

import pytest

from compat.steered import Backend, steered_answer
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream


@pytest.fixture(params=["sandbox", "upstream"])
def backend(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[Backend]:
    """Run the test twice: with a test key, and with a live key before an upstream as strict as OpenAI."""
    if request.param == "sandbox":
        yield Backend("sandbox", gateway.base_url, gateway.test_key)
        return
    upstream: ScriptedUpstream = request.getfixturevalue("upstream")
    upstream.default = steered_answer
    upstream.strict = True
    yield Backend("upstream", gateway.base_url, gateway.live_key())
    assert upstream.calls, "the client never came to the upstream"
