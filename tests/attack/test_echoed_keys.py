"""An upstream that says our key back to us, in whatever it sends, does not get it into the log or the books."""

import json
from collections.abc import Iterator

import pytest

from fakes import http, replies, steps
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream

HELLO = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Say hello."}]}


@pytest.fixture(scope="module")
def echoed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, ScriptedUpstream, str]]:
    gateway = Gateway(tmp_path_factory.mktemp("echoed")).start()
    with ScriptedUpstream() as upstream:
        key = gateway.add_upstream("parrot", upstream.base_url, ["gpt-5.5"])
        yield gateway, upstream, key
    gateway.stop()
    gateway.assert_clean_log()


def _say(key: str, how: str) -> steps.Script:
    named = {"x-request-id": key}
    if how == "broken head":
        head = f"HTTP/1.1 200 OK\r\nx: {key}\r\nbad {key}\x01\r\n\r\n"
        return [steps.send(head.encode()), steps.fin()]
    if how == "answered":
        _, *rest = replies.plain_reply()
        return [
            steps.headers(200, {"content-type": "application/json", "connection": "close", **named}),
            *rest,
        ]
    error = {"error": {"message": key, "type": "x", "param": None, "code": key}}
    return steps.json(error, 401 if how == "refused" else 500, named)


@pytest.mark.parametrize("how", ["broken head", "refused", "failed", "answered"])
def test_our_key_gets_neither_into_the_log_nor_into_the_row(echoed, how):
    gateway, upstream, key = echoed
    upstream.default = _say(key, how)
    http.post(gateway.url, HELLO, key=gateway.live_key())
    upstream.reset()
    [row] = gateway.perform("requests.list", limit=1)
    assert row["upstream"] == "parrot"
    assert key not in json.dumps(row)
    gateway.assert_clean_log()
