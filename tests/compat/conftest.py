"""What every client is tried against: the sandbox, and upstreams that refuse what OpenAI refuses."""

from collections.abc import Generator, Iterator

import pytest

from compat.shown import SIX
from compat.steered import Backend, steered_answer
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream

_SKIPPED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test was skipped: its client is not on this machine, and comes to no upstream."""
    report = yield
    if report.skipped:
        item.stash[_SKIPPED] = True
    return report


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "shows(*cells): rows of docs/api/compatibility.md that this test proves"
    )


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
    assert upstream.calls or _SKIPPED in request.node.stash, "the client never came to the upstream"


@pytest.fixture(scope="session")
def bridging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, ScriptedUpstream]]:
    """A server whose only upstream serves /responses and nothing else, and is as strict as OpenAI."""
    served = Gateway(tmp_path_factory.mktemp("bridging")).start()
    with ScriptedUpstream(steered_answer, strict=True, serves=("/responses",)) as scripted:
        scripted.api_key = served.add_upstream(
            "responses-only", scripted.base_url, SIX, dialects=["openai_responses"]
        )
        yield served, scripted
    served.stop()
    served.assert_clean_log()


@pytest.fixture
def responses_only(
    request: pytest.FixtureRequest, bridging: tuple[Gateway, ScriptedUpstream]
) -> Iterator[Backend]:
    """A live key of that server; nothing may reach the upstream that OpenAI would refuse."""
    served, scripted = bridging
    scripted.reset()
    yield Backend("upstream", served.base_url, served.live_key(), scripted)
    assert scripted.calls or _SKIPPED in request.node.stash, "the client never came to the upstream"
    scripted.assert_well()
    served.assert_clean_log()


@pytest.fixture
def sandboxed(bridging: tuple[Gateway, ScriptedUpstream]) -> Iterator[Backend]:
    """A test key of that server."""
    served, _ = bridging
    yield Backend("sandbox", served.base_url, served.test_key)
    served.assert_clean_log()
