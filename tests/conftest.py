"""The fixtures that more than one folder of tests uses."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.both_engines import database, engine_url, home, made_file, made_home, made_url, postgres
from fakes.needs import nothing_may_be_skipped
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream

__all__ = ["database", "engine_url", "home", "made_file", "made_home", "made_url", "postgres"]
LIVE_MODELS = ("gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.2")
StartGateway = Callable[..., Gateway]


@pytest.fixture(scope="session")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One server with default settings for the whole run; ask for `gateway` unless the fixture is wider."""
    served = Gateway(tmp_path_factory.mktemp("gateway")).start()
    yield served
    served.stop()
    served.assert_clean_log()


@pytest.fixture
def gateway(shared_gateway: Gateway) -> Iterator[Gateway]:
    """The shared server; what it logs during the test must hold no traceback and no secret."""
    yield shared_gateway
    shared_gateway.assert_clean_log()


@pytest.fixture
def start_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartGateway]:
    """Start a server of the test's own: `start_gateway(stall_s=2, environment={...})`."""
    started: list[Gateway] = []

    def start(folder: Path | None = None, **settings: object) -> Gateway:
        made = Gateway(folder or tmp_path_factory.mktemp("gateway"), **settings)  # type: ignore[arg-type]
        started.append(made)
        return made.start()

    yield start
    for served in started:
        served.stop()
    for served in started:
        served.assert_clean_log()


@pytest.fixture(scope="session")
def shared_upstream(shared_gateway: Gateway) -> Iterator[ScriptedUpstream]:
    """The upstream behind the shared server's live keys; ask for `upstream`."""
    with ScriptedUpstream() as scripted:
        scripted.api_key = shared_gateway.add_upstream("scripted", scripted.base_url, LIVE_MODELS)
        yield scripted


@pytest.fixture
def upstream(gateway: Gateway, shared_upstream: ScriptedUpstream) -> Iterator[ScriptedUpstream]:
    """The scripted upstream, fresh, behind `gateway.live_key()`; every queued script must be played."""
    shared_upstream.reset()
    yield shared_upstream
    shared_upstream.assert_done()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run of everything in which something was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not nothing_may_be_skipped():
        return
    if reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were skipped, and why: the quiet summary only counts them."""
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"{report.nodeid}: {reason}")
    if terminalreporter.stats.get("skipped") and nothing_may_be_skipped():
        terminalreporter.write_line("RUNAPI_TEST_ALL=1: nothing may be skipped.")
