"""The public state of the models: what counts as their failure, and what is the caller's own mistake."""

from fakes import http, replies, steps
from fakes.server import Gateway
from fakes.steps import Script
from fakes.upstream import ScriptedUpstream
from web.site.test_status import TOO_FEW, state_of
from web.site.visits import text_of, visit

REQUESTS = 6
HELLO = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "Hello!"}]}
BROKEN: Script = [
    steps.headers(200),
    steps.sse([replies.chunk({"role": "assistant", "content": "Hel"})]),
    steps.fin(),
]
FAILS: dict[str, tuple[Script, bool, list[str]]] = {
    # model: (what its upstream says, whether a stream is asked for, the state and the share that was answered)
    "gpt-5.5": (
        replies.error(400, "Too long.", type="invalid_request_error", code="context_length_exceeded"),
        False,
        ["Operational", TOO_FEW],
    ),
    "gpt-5.4": (replies.error(500), False, ["Most requests fail", "0%"]),
    "gpt-5.4-mini": (BROKEN, True, ["Most requests fail", "0%"]),
    "gpt-5.4-nano": (
        replies.error(404, "No such model.", type="invalid_request_error", code="model_not_found"),
        False,
        ["Most requests fail", "0%"],
    ),
    "gpt-5.2": (replies.error(429, "Slow down.", retry_after=30), False, ["Most requests fail", "0%"]),
}


def test_callers_mistakes_are_no_outage_and_failures_of_the_service_are(start_gateway):
    gateway: Gateway = start_gateway()
    with ScriptedUpstream() as upstream:
        gateway.add_upstream("scripted", upstream.base_url, list(FAILS))
        key = gateway.live_key()
        for model, (script, stream, _) in FAILS.items():
            body = HELLO | {"model": model, "stream": stream}
            upstream.default = script
            for _ in range(REQUESTS):
                assert http.post(gateway.url, body, key=key).status in (200, 400, 404, 429, 500)
        page = text_of(visit(gateway, "/status.md"))
    assert {model: state_of(page, model)[:2] for model in FAILS} == {
        model: state for model, (*_, state) in FAILS.items()
    }


def test_mistakes_beside_answers_leave_the_share_of_answers_whole(start_gateway):
    gateway: Gateway = start_gateway()
    with ScriptedUpstream() as upstream:
        gateway.add_upstream("scripted", upstream.base_url, ["gpt-5.5"])
        key = gateway.live_key()
        upstream.then(*[replies.error(400, "No.", type="invalid_request_error")] * REQUESTS)
        for _ in range(2 * REQUESTS):
            http.post(gateway.url, HELLO, key=key)
        page = text_of(visit(gateway, "/status.md"))
    assert state_of(page, "gpt-5.5")[:2] == ["Operational", "100%"]
