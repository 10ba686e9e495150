"""Bodies that nobody thought of: always an answer in OpenAI's shape, never a 5xx, never another exception."""

import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes import http, specification
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from runapi.core.problems import Problem
from runapi.wire.catalog_file import package_catalog
from runapi.wire.normalise import normalise
from runapi.wire.openai_chat.request import _TYPES, ChatRequest, read_chat_request
from web.exchange import BODY

pytestmark = pytest.mark.xdist_group("fuzz")  # one server for all of them
MODELS = package_catalog().models
THROUGH_THE_SERVER = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
IN_MEMORY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORDS = st.sampled_from(
    ["user", "assistant", "tool", "text", "image_url", "function", "auto", "none", "json_schema"]
)
NAMES = (
    "role content type text image_url url function name parameters properties strict tool_calls tool_call_id id "
    "arguments json_schema schema include_usage refusal items"
)
KEYS = st.sampled_from(NAMES.split()) | st.text(max_size=5)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | WORDS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool"]) | VALUES},
        optional={"content": VALUES, "name": VALUES, "tool_calls": VALUES, "tool_call_id": VALUES},
    ),
    max_size=3,
)
FIELDS = st.dictionaries(st.sampled_from(sorted(_TYPES)) | st.text(max_size=5), VALUES, max_size=5)
OBJECTS = st.builds(
    lambda some, messages, model: {**some, "messages": messages, "model": model},
    FIELDS,
    MESSAGES | VALUES,
    st.just("gpt-5.5") | st.sampled_from(sorted(MODELS)) | VALUES,
)


def encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def maimed(body: bytes, seed: int) -> bytes:
    """The body with a few bytes changed, dropped or repeated."""
    dice = random.Random(seed)
    text = bytearray(body)
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(text) + 1)
        match dice.randrange(4):
            case 0:
                text[at:at] = bytes([dice.randrange(256)])
            case 1:
                del text[at : at + dice.randrange(1, 8)]
            case 2:
                text[at : at + 1] = dice.choice(
                    [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"0", b"-", b"e"]
                )
            case _:
                text[at:at] = text[at : at + dice.randrange(30)]
    return bytes(text)


BODIES = (
    OBJECTS.map(encoded)
    | VALUES.map(encoded)
    | st.binary(max_size=60)
    | st.builds(maimed, OBJECTS.map(encoded) | st.just(BODY), st.integers(0, 2**32))
)


def read(body: bytes) -> ChatRequest | Problem:
    try:
        return read_chat_request(body)
    except Problem as problem:
        return problem


def normalised(request: ChatRequest) -> bytes | Problem:
    try:
        return normalise(request, MODELS[request.model]).encode("theirs")
    except Problem as problem:
        return problem


@IN_MEMORY
@given(BODIES)
def test_reader_gives_a_request_or_a_problem_for_any_bytes(body: bytes):
    request = read(body)
    sent = normalised(request) if isinstance(request, ChatRequest) and request.model in MODELS else None
    for outcome in (request, sent):
        if isinstance(outcome, Problem):
            assert outcome.status == 400
            specification.check_error(outcome.body())
    if isinstance(sent, bytes):
        assert json.loads(sent)["model"] == "theirs"


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, str]]:
    """A server with a polite upstream, and a live key; more bodies than one test go through it."""
    with ScriptedUpstream() as upstream:
        served = Gateway(tmp_path_factory.mktemp("fuzzed")).start()
        served.add_upstream("scripted", upstream.base_url, sorted(MODELS))
        yield served, served.live_key()
        served.stop()
        served.assert_clean_log()


@pytest.mark.parametrize("mode", ["live", "test"])
@THROUGH_THE_SERVER
@given(body=BODIES)
def test_server_never_fails_on_any_bytes(fuzzed: tuple[Gateway, str], mode: str, body: bytes):
    served, live_key = fuzzed
    key = live_key if mode == "live" else served.test_key
    with http.Connection(served.url) as connection:
        headers = {"authorization": f"Bearer {key}", "content-length": str(len(body))}
        connection.send_request("POST", "/v1/chat/completions", body=body, headers=headers)
        response = connection.read_response()
    assert response.status < 500, response.body
    if response.status != 200:
        specification.check_error(response.json)


@THROUGH_THE_SERVER
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
    | st.text("ABCXYZ-_", min_size=1, max_size=30),
    path=st.lists(
        st.sampled_from(
            ["v1", "models", "chat", "completions", "admin", "healthz", "..", ".", "", "%2e%2e", "%00", "%ff"]
        )
        | st.text(
            st.characters(codec="ascii", exclude_characters=" ?#%", exclude_categories=["C"]), max_size=8
        ),
        max_size=5,
    ).map(lambda parts: "/" + "/".join(parts)),
)
def test_server_never_fails_on_any_url(fuzzed: tuple[Gateway, str], method: str, path: str):
    served, key = fuzzed
    with http.Connection(served.url) as connection:
        connection.send_request(
            method, path, headers={"authorization": f"Bearer {key}", "connection": "close"}
        )
        head = connection.read_head()
        body = connection.read_to_end()
    assert head.status < 500
    assert body or method == "HEAD" or head.headers["connection"] == "close"
    if head.status >= 400 and body:
        specification.check_error(json.loads(body))
