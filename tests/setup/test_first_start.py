"""From an empty folder to a first answer, and again on the next day."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes import http, specification
from fakes.needs import need
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from runapi.core.keys import PATTERN
from runapi.settings import load_settings

HELLO = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello!"}]}
StartGateway = Callable[..., Gateway]


def pasted(text: str, folder: Path) -> object:
    """Paste text into bash, as a newcomer does, and give the JSON that it prints."""
    bash, _ = need("bash", "its users paste into it"), need("curl", "the README begins with it")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    ended = subprocess.run(
        [bash, "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def curl_in(printed: str) -> str:
    """The command that the server printed."""
    [command] = re.findall(r"^ *curl (?:.*\\\n)*.*$", printed, re.MULTILINE)
    return str(command)


# ---- the first start -------------------------------------------------------------------------------------


def test_first_start_prints_the_url_a_test_key_and_a_curl_that_works(
    start_gateway: StartGateway, tmp_path: Path
):
    folder = tmp_path / "it's $(touch owned) here"  # a name that bash must take as it is
    folder.mkdir()
    gateway = start_gateway(folder)
    assert gateway.base_url in gateway.stdout
    [key] = {found.group() for found in re.finditer(PATTERN, gateway.stdout)}
    assert key == gateway.test_key
    assert key not in gateway.stderr
    reply = pasted(curl_in(gateway.stdout), tmp_path)
    specification.check_reply(reply)
    assert not (tmp_path / "owned").exists()


def test_second_start_finds_its_data(start_gateway: StartGateway):
    gateway = start_gateway()
    key, live = gateway.test_key, gateway.live_key()
    first = gateway.stdout
    gateway.stop()
    gateway.start()
    second = gateway.stdout.removeprefix(first)
    assert gateway.base_url in second
    assert "runapi_test_" not in second
    assert curl_in(second) == curl_in(first)
    assert gateway.test_key == key
    for known in (key, live):
        assert http.request(gateway.url, "GET", "/v1/models", key=known).status == 200


def test_everything_in_the_data_folder_is_for_its_owner_alone(start_gateway: StartGateway):
    before = os.umask(0)  # a careless machine
    try:
        gateway = start_gateway()
    finally:
        os.umask(before)
    gateway.live_key()
    assert stat.S_IMODE(gateway.home.stat().st_mode) == 0o700
    files = [path for path in gateway.home.rglob("*") if not path.is_dir()]
    assert {"runapi.db", "secret.key", "server.json", "test.key"} <= {path.name for path in files}
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in files} == dict.fromkeys(
        [path.name for path in files], 0o600
    )


def test_without_settings_it_is_on_loopback_port_8000_and_in_the_folder_it_was_started_in(
    monkeypatch: pytest.MonkeyPatch,
):
    for name in list(os.environ):
        if name.startswith("RUNAPI_"):
            monkeypatch.delenv(name)
    settings = load_settings()
    assert (settings.host, settings.port, settings.home) == ("127.0.0.1", 8000, Path(".runapi"))


def test_it_listens_on_loopback_and_nowhere_else(gateway: Gateway):
    wanted = f":{gateway.port:04X}"
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[1].endswith(wanted) and line.split()[3] == "0A"
    ]
    assert listening == [f"0100007F{wanted}"]


def test_a_host_name_may_be_listened_on(start_gateway: StartGateway):
    gateway = start_gateway(host="localhost")
    assert f"http://localhost:{gateway.port}/v1" in gateway.stdout


# ---- what keeps it from starting -------------------------------------------------------------------------


def refused(gateway: Gateway, exit_code: int) -> str:
    """Start a server that must not start; give what it said."""
    ended = gateway.command("serve")
    assert ended.returncode == exit_code, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.startswith("runapi: ")
    assert "Traceback" not in ended.stderr
    return ended.stderr


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        yield int(other.getsockname()[1])


def test_port_in_use_is_one_clear_sentence_and_changes_nothing(tmp_path: Path, taken_port: int):
    gateway = Gateway(tmp_path, port=taken_port)
    said = refused(gateway, 1)
    assert said.count("\n") == 1
    assert f"127.0.0.1:{taken_port}: Address already in use" in said
    assert "RUNAPI_PORT" in said
    assert not gateway.home.exists()


def test_address_that_is_not_ours_is_one_clear_sentence(tmp_path: Path):
    said = refused(Gateway(tmp_path, host="192.0.2.1"), 1)
    assert "Cannot listen on 192.0.2.1:" in said
    assert "RUNAPI_HOST" in said


def test_two_servers_on_one_folder_are_refused_and_the_first_serves_on(
    start_gateway: StartGateway, tmp_path: Path
):
    first = start_gateway(tmp_path)
    said = refused(Gateway(tmp_path), 1)
    assert f"RunAPI already runs on {first.home} (process {first.process.pid})" in said  # type: ignore[union-attr]
    assert http.post(first.url, HELLO, key=first.test_key).status == 200
    assert len(first.perform("accounts.list")) == 1


@pytest.mark.parametrize(
    "make",
    [lambda home: home.write_text("x"), lambda home: home.symlink_to("/proc/none")],
    ids=["a file", "a dead link"],
)
def test_folder_that_cannot_be_used_is_one_clear_sentence(tmp_path: Path, make: Callable[[Path], object]):
    gateway = Gateway(tmp_path)
    make(gateway.home)
    said = refused(gateway, 1)
    assert f"The data folder {gateway.home} cannot be used" in said
    assert "RUNAPI_HOME" in said


def test_open_folder_with_others_files_is_refused_and_left_alone(tmp_path: Path):
    gateway = Gateway(tmp_path)
    gateway.home.mkdir(mode=0o755)
    gateway.home.chmod(0o755)
    (gateway.home / "thesis.txt").write_text("x")
    assert "not RunAPI's" in refused(gateway, 1)
    assert [path.name for path in gateway.home.iterdir()] == ["thesis.txt"]
    assert stat.S_IMODE(gateway.home.stat().st_mode) == 0o755


def test_wrong_settings_are_all_named_at_once(tmp_path: Path):
    gateway = Gateway(tmp_path, port="eighty", header_timeout_s=-1, log_level="loud", max_body_bytes=5)
    said = refused(gateway, 2)
    assert "4 settings are wrong" in said
    for name in ("RUNAPI_PORT", "RUNAPI_HEADER_TIMEOUT_S", "RUNAPI_LOG_LEVEL", "RUNAPI_MAX_BODY_BYTES"):
        assert name in said
    assert not gateway.home.exists()


def test_setting_that_does_not_exist_is_warned_of(start_gateway: StartGateway):
    gateway = start_gateway(environment={"RUNAPI_PROT": "1"})
    assert "RUNAPI_PROT is not a setting and is not used. Did you mean RUNAPI_PORT?" in gateway.stderr


# ---- the end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_with_0_and_without_a_word(start_gateway: StartGateway, number: signal.Signals):
    gateway = start_gateway()
    assert gateway._end(number) == 0
    assert not (gateway.home / "server.json").exists()
    assert gateway.stderr == ""


def test_answer_under_way_is_finished_while_the_server_stops(start_gateway: StartGateway):
    gateway = start_gateway()
    message = {"role": "user", "content": "[[sandbox:chunks 12 interval_ms=50]] Hi"}
    body = {"model": "gpt-5.5", "stream": True, "messages": [message]}
    assert gateway.process is not None
    with http.stream(gateway.url, body, key=gateway.test_key) as connection:
        assert connection.read_head().status == 200
        gateway.process.send_signal(signal.SIGTERM)
        assert list(connection.data())[-1] == b"[DONE]"
    assert gateway.process.wait(10) == 0
    gateway.process = None


# ---- OpenAI's key in the environment ---------------------------------------------------------------------


def test_openais_key_in_the_environment_is_an_upstream_that_serves(start_gateway: StartGateway):
    api_key = "sk-proj-canary-of-the-first-start"
    with ScriptedUpstream(strict=True, api_key=api_key) as upstream:
        environment = {"OPENAI_API_KEY": api_key, "OPENAI_BASE_URL": upstream.base_url}
        gateway = start_gateway(environment=environment)
        gateway.secrets.append(api_key)
        assert "Upstream added from OPENAI_API_KEY: openai" in gateway.stdout
        assert api_key not in gateway.stdout
        response = http.post(gateway.url, HELLO, key=gateway.live_key())
        assert response.status == 200
        specification.check_reply(response.json)
        [call] = upstream.calls
        assert call.headers["authorization"] == f"Bearer {api_key}"
        [listed] = gateway.perform("upstreams.list")
        assert api_key not in json.dumps(listed)
        assert all(api_key.encode() not in path.read_bytes() for path in gateway.home.iterdir())


def test_key_of_our_own_in_openais_variable_is_not_made_an_upstream(start_gateway: StartGateway):
    gateway = start_gateway(environment={"OPENAI_API_KEY": "runapi_test_of_another_server"})
    assert "no upstream was added" in gateway.stdout
    assert gateway.perform("upstreams.list") == []
    assert http.post(gateway.url, HELLO, key=gateway.live_key()).status == 503
