"""Upstreams that fail: what their operator reads of it, in the log and in the request's row."""

import json
import secrets
from collections.abc import Iterator

import pytest

from fakes import http, replies, responses_replies, steps
from fakes.server import Gateway, free_port
from fakes.upstream import ScriptedUpstream
from faults.kinds import HTML, NEVER, ROLE, WORD, page, streamed

PROMPT = "The quick brown fox jumps over the lazy dog, and over the hedge \N{BUG} too."
HELLO = {"model": "gpt-5.5", "messages": [{"role": "user", "content": PROMPT}]}
FIRST_BYTE_S = 0.7
THEIR_ID = replies.HEADERS["x-request-id"]
ASKS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


class Operated:
    """A server with one or two upstreams, both the same, as its operator sees it."""

    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.name = f"u{secrets.token_hex(4)}"  # a cause has its line but once in a while
        self.names: list[str] = []

    def add(self, name: str, base_url: str | None = None, **more: object) -> str:
        self.names.append(name)
        return self.gateway.add_upstream(name, base_url or self.upstream.base_url, ["gpt-5.5"], **more)

    def ask(self, *, key: str | None = None, stream: bool = False, body: dict = HELLO) -> http.Response:
        return http.post(self.gateway.url, {**body, "stream": stream}, key=key or self.gateway.live_key())

    def lines(self) -> list[dict]:
        """What the log says of the upstreams of this test."""
        found = [json.loads(line) for line in self.gateway.stderr.splitlines() if line.startswith("{")]
        return [line for line in found if line.get("upstream") in self.names]

    def row(self) -> dict:
        return self.gateway.perform("requests.list", limit=1)[0]


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, ScriptedUpstream]]:
    gateway = Gateway(
        tmp_path_factory.mktemp("hasty"), first_byte_timeout_s=FIRST_BYTE_S, idle_timeout_s=FIRST_BYTE_S
    ).start()
    with ScriptedUpstream() as upstream:
        yield gateway, upstream
    gateway.stop()
    gateway.assert_clean_log()


@pytest.fixture
def operated(hasty: tuple[Gateway, ScriptedUpstream]) -> Iterator[Operated]:
    gateway, upstream = hasty
    upstream.reset()
    made = Operated(gateway, upstream)
    yield made
    for name in made.names:
        gateway.perform("upstreams.remove", name=name)
    assert PROMPT[:32] not in gateway.stderr
    gateway.assert_clean_log()  # no key, no traceback
    upstream.assert_done()


def without_time(line: dict) -> dict:
    return {name: value for name, value in line.items() if name != "timestamp"}


@ASKS
def test_wrong_key_is_told_in_one_line_however_many_requests_fail_by_it(operated: Operated, *, stream: bool):
    key = operated.add(operated.name)
    said = f"Incorrect API key provided: {key}. You can find your API key in your account."
    refusal = replies.error(401, said, type="invalid_request_error", code="invalid_api_key")
    operated.upstream.then(refusal, refusal, refusal)
    first = operated.ask(stream=stream)
    assert [first.status, operated.ask(stream=stream).status, operated.ask().status] == [503, 503, 503]
    [line] = operated.lines()
    assert without_time(line) == {
        "event": "upstream_failed",
        "level": "warning",
        "upstream": operated.name,
        "model": "gpt-5.5",
        "upstream_model": "gpt-5.5",
        "request_id": first.headers["x-request-id"],
        "upstream_request_id": THEIR_ID,
        "error": "401 invalid_api_key",
        "message": "Incorrect API key provided: ***. You can find your API key in your account.",
        "rests_s": 60,
        "client_told": "503 upstream_unavailable",
    }
    row = operated.row()
    assert (row["status"], row["upstream_error"], row["upstream_request_id"]) == (
        503,
        "401 invalid_api_key",
        THEIR_ID,
    )


@ASKS
def test_line_names_the_upstream_that_was_tried_next(operated: Operated, *, stream: bool):
    operated.add(f"{operated.name}-a", priority=1)
    operated.add(f"{operated.name}-b", priority=2)
    operated.upstream.then(replies.error(500))
    assert operated.ask(stream=stream).status == 200
    [line] = operated.lines()
    assert (line["upstream"], line["next_upstream"]) == (f"{operated.name}-a", f"{operated.name}-b")
    assert (line["error"], "client_told" in line) == ("500 server_error", False)
    row = operated.row()
    assert (row["status"], row["upstream"], row["upstream_error"]) == (
        200,
        f"{operated.name}-b",
        "500 server_error",
    )


def test_success_leaves_no_line_and_no_error(operated: Operated):
    operated.add(operated.name)
    assert operated.ask().status == 200
    assert operated.lines() == []
    assert operated.row()["upstream_error"] is None


def test_upstream_that_is_not_there_is_told_in_the_system_s_words(operated: Operated):
    operated.add(operated.name, f"http://127.0.0.1:{free_port()}/v1")
    assert operated.ask().status == 502
    [line] = operated.lines()
    assert line["error"] == operated.row()["upstream_error"] == "unreachable ConnectionRefusedError"
    assert "Connect call failed" in line["message"]
    assert line["client_told"] == "502 upstream_unavailable"


@ASKS
def test_upstream_that_does_not_answer_is_told(operated: Operated, *, stream: bool):
    operated.add(operated.name)
    operated.upstream.then([steps.wait(NEVER)])
    assert operated.ask(stream=stream).status == 504
    [line] = operated.lines()
    assert (line["error"], line["client_told"]) == ("timeout", "504 upstream_timeout")
    assert operated.row()["upstream_error"] == "timeout"


def test_limit_of_an_upstream_is_told_with_its_time(operated: Operated):
    operated.add(operated.name)
    operated.upstream.then(
        replies.error(429, "Slow down.", type="tokens", code="rate_limit_exceeded", retry_after=7)
    )
    assert operated.ask().status == 429
    [line] = operated.lines()
    assert (line["error"], line["model_rests_s"], "rests_s" in line) == ("429 rate_limit_exceeded", 7, False)
    assert line["client_told"] == "429 rate_limit_exceeded"


def test_wrong_base_url_is_told_as_what_it_is(operated: Operated):
    operated.add(operated.name)
    operated.upstream.then(page(404, HTML))
    assert operated.ask().status == 503
    [line] = operated.lines()
    assert (line["error"], line["client_told"]) == ("404 html", "503 upstream_unavailable")


def test_model_that_the_upstream_lacks_is_told(operated: Operated):
    operated.add(operated.name)
    said = "The model `gpt-5.5` does not exist or you do not have access to it."
    operated.upstream.then(replies.error(404, said, type="invalid_request_error", code="model_not_found"))
    assert operated.ask().status == 404
    [line] = operated.lines()
    assert (line["error"], line["message"], line["client_told"]) == (
        "404 model_not_found",
        said,
        "404 model_not_found",
    )


def test_stream_that_breaks_in_its_content_is_told_with_the_id_of_its_answer(operated: Operated):
    operated.add(f"{operated.name}-a", priority=1)
    operated.add(f"{operated.name}-b", priority=2)
    operated.upstream.then(streamed(ROLE, WORD, end=[steps.fin()]))
    assert operated.ask(stream=True).status == 200
    [line] = operated.lines()
    assert (line["error"], line["client_told"]) == ("200 upstream_truncated", "200 upstream_truncated")
    assert (line["upstream_request_id"], "next_upstream" in line) == (THEIR_ID, False)
    assert operated.row()["upstream_error"] == "200 upstream_truncated"


def test_stream_that_breaks_before_its_content_is_told_with_who_was_tried_next(operated: Operated):
    operated.add(f"{operated.name}-a", priority=1)
    operated.add(f"{operated.name}-b", priority=2)
    operated.upstream.then(streamed(ROLE, end=[steps.fin()]))
    got = operated.ask(stream=True)
    assert b"Hel" in got.body
    [line] = operated.lines()
    assert (line["error"], line["next_upstream"]) == ("200 upstream_truncated", f"{operated.name}-b")


def test_silence_inside_an_answer_is_no_silence_before_it(operated: Operated):
    operated.add(operated.name)
    operated.upstream.then(streamed(ROLE, WORD, end=[steps.wait(NEVER)]))
    assert b"upstream_timeout" in operated.ask(stream=True).body
    [line] = operated.lines()
    assert (line["error"], line["client_told"]) == ("200 upstream_timeout", "200 upstream_timeout")


def test_upstream_that_breaks_behind_the_answer_s_end_is_told_though_the_client_has_its_answer(
    operated: Operated,
):
    operated.add(operated.name, dialects=["openai_responses"])
    said = [responses_replies.Said(("One. END", " Two."))]
    script = responses_replies.stream_reply(said, cut_after=6, cut=steps.rst(), between=[steps.sleep(0.02)])
    operated.upstream.then(script)
    got = operated.ask(stream=True, body=HELLO | {"stop": "END"})
    assert got.body.endswith(b"data: [DONE]\n\n")
    [line] = operated.lines()
    assert (line["error"], line["client_told"]) == ("200 upstream_truncated", "200")
    row = operated.row()
    assert (row["outcome"], row["upstream_error"]) == ("completed", "200 upstream_truncated")


def test_answer_that_is_none_is_told(operated: Operated):
    operated.add(operated.name)
    operated.upstream.then(steps.json({"nonsense": True}))
    assert operated.ask().status == 502
    [line] = operated.lines()
    assert (line["error"], line["client_told"]) == ("200 upstream_bad_reply", "502 upstream_bad_reply")


def test_client_s_own_mistake_is_no_failure_of_the_upstream_and_stands_in_its_row(operated: Operated):
    operated.add(operated.name)
    operated.upstream.then(
        replies.error(400, "Too long.", type="invalid_request_error", code="context_length_exceeded")
    )
    assert operated.ask().status == 400
    assert operated.lines() == []
    assert operated.row()["upstream_error"] == "400 context_length_exceeded"


@pytest.mark.parametrize("quoted", [PROMPT, f"x{PROMPT[5:50]}x"])
def test_message_that_quotes_the_prompt_stays_out_of_the_log(operated: Operated, quoted: str):
    operated.add(operated.name)
    operated.upstream.then(replies.error(500, f"Cannot think about '{quoted}' now."))
    assert operated.ask().status == 500
    [line] = operated.lines()
    assert (line["error"], "message" in line) == ("500 server_error", False)


def test_words_of_an_upstream_are_shortened_and_stay_on_one_line(operated: Operated):
    operated.add(operated.name)
    operated.upstream.then(replies.error(500, "a\nb\x1b[31m" + "c" * 5_000, type="t\0\n" + "u" * 5_000))
    assert operated.ask().status == 500
    [line] = operated.lines()
    assert line["message"].startswith("a b [31mccc")
    assert len(line["message"]) < 210
    row = operated.row()
    assert row["upstream_error"].startswith("500 t??uuu")
    assert len(row["upstream_error"]) <= 104


@pytest.mark.parametrize("directive", ["[[sandbox:status 500]]", "[[sandbox:status 429]]"])
def test_failure_that_a_test_key_asks_for_leaves_no_line(operated: Operated, directive: str):
    operated.names.append("sandbox")
    body = HELLO | {"messages": [{"role": "user", "content": directive}]}
    assert operated.ask(key=operated.gateway.test_key, body=body).status in (429, 500)
    assert operated.lines() == []
    operated.names.remove("sandbox")
