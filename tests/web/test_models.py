"""/v1/models: OpenAI's fields and no others; unknown and retired models; the operator's own file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes import http, specification
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from runapi.wire.catalog_file import package_catalog
from web.exchange import GOOD

pytestmark = pytest.mark.xdist_group("models")  # one server for all of them
SIX = ["gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.3-codex", "gpt-5.2"]
OWN_FILE = """
models:
  gpt-5.3-codex:
    status: retired
    successor: gpt-5.5
  gpt-5.4-nano:
    shutdown_date: 2026-01-01
  our-model:
    owned_by: our-company
    released: 2026-10-01
    shutdown_date: 2031-02-03
    context_window: 200_000
    max_input_tokens: 168_000
    max_output_tokens: 32_000
    endpoints: [/v1/chat/completions]
    official:
      standard: {input: 0.4, cached: 0.04, output: 1.6}
    source: https://example.com/prices
"""


def get(gateway: Gateway, path: str, method: str = "GET") -> http.Response:
    return http.request(gateway.url, method, path, key=gateway.test_key)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A server with the operator's file above."""
    served = Gateway(tmp_path_factory.mktemp("own"))
    served.home.mkdir(mode=0o700)
    (served.home / "models.yaml").write_text(OWN_FILE)
    served.start()
    yield served
    served.stop()
    served.assert_clean_log()


def test_list_has_the_six_models_in_openais_shape(gateway: Gateway):
    response = get(gateway, "/v1/models")
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"].startswith("req_")
    listed = response.json
    specification.check_model_list(listed)
    assert set(listed) == {"object", "data"}  # type: ignore[arg-type]
    assert [model["id"] for model in listed["data"]] == SIX  # type: ignore[index]


def test_model_has_openais_fields_and_no_others(gateway: Gateway):
    listed = get(gateway, "/v1/models").json["data"]  # type: ignore[index]
    for model in listed:
        assert list(model) == ["id", "object", "created", "owned_by", "shutdown_date"]
        assert (model["object"], model["owned_by"]) == ("model", "openai")
        assert isinstance(model["created"], int)
        known = package_catalog().models[model["id"]].shutdown_date
        assert model["shutdown_date"] == (known.isoformat() if known else None)


@pytest.mark.parametrize("model", SIX)
def test_one_model_is_the_same_as_in_the_list(gateway: Gateway, model: str):
    response = get(gateway, f"/v1/models/{model}")
    assert response.status == 200
    specification.check_model(response.json)
    assert response.json in get(gateway, "/v1/models").json["data"]  # type: ignore[index]


@pytest.mark.parametrize(
    "path", ["nope", "gpt-5.5%20", "gpt-5.5/x", "%2e%2e%2fgpt-5.5", "%00", "%ff", "g" * 5_000]
)
def test_unknown_model_is_404(gateway: Gateway, path: str):
    response = get(gateway, f"/v1/models/{path}")
    assert response.status == 404
    specification.check_error(response.json)
    error = response.json["error"]  # type: ignore[index]
    assert (error["param"], error["code"]) == ("model", "model_not_found")
    assert "GET /v1/models" in error["message"]
    assert response.headers["x-should-retry"] == "false"


# ---- the operator's file ---------------------------------------------------------------------------------


def test_own_file_adds_retires_and_dates_models(own: Gateway):
    listed = {model["id"]: model for model in get(own, "/v1/models").json["data"]}  # type: ignore[index]
    assert list(listed) == ["gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.2", "our-model"]
    assert listed["our-model"]["owned_by"] == "our-company"
    assert listed["our-model"]["shutdown_date"] == "2031-02-03"
    assert http.post(own.url, {**GOOD, "model": "our-model"}, key=own.test_key).status == 200


@pytest.mark.parametrize(
    ("model", "next_step"), [("gpt-5.3-codex", "`gpt-5.5`"), ("gpt-5.4-nano", "GET /v1/models")]
)
def test_retired_model_is_410_everywhere_and_says_what_to_use(own: Gateway, model: str, next_step: str):
    asked = http.post(own.url, {**GOOD, "model": model}, key=own.test_key)
    for response in (asked, get(own, f"/v1/models/{model}")):
        assert response.status == 410
        specification.check_error(response.json)
        error = response.json["error"]  # type: ignore[index]
        assert (error["param"], error["code"]) == ("model", "model_retired")
        assert next_step in error["message"]
        assert response.headers["x-should-retry"] == "false"


def test_retired_model_reaches_no_upstream(own: Gateway):
    with ScriptedUpstream() as upstream:
        own.add_upstream("codex", upstream.base_url, ["gpt-5.3-codex", "gpt-5.4"])
        key = own.live_key()
        assert http.post(own.url, {**GOOD, "model": "gpt-5.3-codex"}, key=key).status == 410
        assert not upstream.calls
        assert http.post(own.url, {**GOOD, "model": "gpt-5.4"}, key=key).status == 200
        own.perform("upstreams.remove", name="codex")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "models:\n  gpt-5.5:\n    statsu: retired\n  gpt-5.4:\n    efforts: [huge]\n",
            ["models.yaml:3", "models.yaml:5"],
        ),
        ("models:\n\t- x\n", ["models.yaml:2"]),
        ("\0", ["models.yaml"]),
    ],
    ids=["two faults", "not YAML", "binary"],
)
def test_fault_in_the_file_names_its_line_and_refuses_to_start(tmp_path: Path, text: str, said: list[str]):
    served = Gateway(tmp_path)
    served.home.mkdir(mode=0o700)
    (served.home / "models.yaml").write_text(text)
    refused = served.command("serve")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert all(line in refused.stderr for line in said), refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (served.home / "test.key").exists()


def test_file_that_is_repaired_lets_the_server_start(start_gateway: Callable[..., Gateway], tmp_path: Path):
    served = Gateway(tmp_path)
    served.home.mkdir(mode=0o700)
    (served.home / "models.yaml").write_text("models: [")
    assert served.command("serve").returncode == 1
    (served.home / "models.yaml").write_text(OWN_FILE)
    again = start_gateway(tmp_path)
    assert get(again, "/v1/models/our-model").status == 200
