"""The server under test starts, stops, dies and comes back as the other tests take for granted."""

import pytest

from fakes import http
from fakes.server import CommandFailed, Gateway


def test_a_server_comes_back_on_its_data_after_a_stop_and_after_a_kill(start_gateway):
    served = start_gateway(log_level="warning")
    key = served.test_key
    assert served.stop() == 0
    served.start()
    assert served.kill() == -9
    served.start()
    assert served.test_key == key
    assert http.request(served.url, "GET", "/v1/models", key=key).status == 200


def test_a_command_that_fails_says_so(gateway):
    with pytest.raises(CommandFailed, match="nonesuch"):
        gateway.cli("upstreams", "remove", "nonesuch")


def test_an_upstream_serves_live_keys(gateway, upstream):
    body = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hi"}]}
    assert http.post(gateway.url, body, key=gateway.live_key()).status == 200
    [request] = upstream.calls
    assert request.headers["authorization"] == f"Bearer {upstream.api_key}"


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("stderr.txt", "sent sk-canary-1 upstream", "stand in the log"),
        ("stdout.txt", "sent sk-canary-1 upstream", "were printed"),
        ("stderr.txt", "Traceback (most recent call last):", "Traceback"),
    ],
)
def test_a_leak_or_a_traceback_is_found_once(tmp_path, file, text, fault):
    served = Gateway(tmp_path)
    served.secrets.append("sk-canary-1")
    (tmp_path / file).write_text(text)
    with pytest.raises(AssertionError, match=fault):
        served.assert_clean_log()
    if file == "stderr.txt":
        served.assert_clean_log()
