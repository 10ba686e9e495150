"""GET /v1/models for three readers: OpenAI's client, Anthropic's client, and Codex, which reads its catalogue from it."""

from collections.abc import Iterator

import anthropic
import msgspec
import openai
import pytest

from fakes import http, specification
from fakes.server import Gateway
from runapi.core.catalog import EFFORTS
from runapi.wire.catalog_file import package_catalog
from runapi.wire.codex_models import describe_for_codex

SIX = ["gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.3-codex", "gpt-5.2"]
VERSION = {"anthropic-version": "2023-06-01"}
CODEXS = "/v1/models?client_version=0.169.0"
NEEDED_BY_CODEX = {
    *("slug", "display_name", "supported_reasoning_levels", "shell_type", "visibility", "supported_in_api"),
    *("priority", "support_verbosity", "truncation_policy", "experimental_supported_tools"),
    "base_instructions",
}


def get(gateway: Gateway, path: str, headers: dict[str, str] | None = None) -> http.Response:
    return http.request(gateway.url, "GET", path, key=gateway.test_key, headers=headers)


# ---- OpenAI's --------------------------------------------------------------------------------------------


def test_openais_client_lists_and_retrieves(gateway: Gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.test_key, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == SIX
        one = client.models.retrieve("gpt-5.2")
    assert (one.id, one.object, one.owned_by) == ("gpt-5.2", "model", "openai")


def test_openais_client_reads_codexs_catalogue_too(gateway: Gateway):
    with openai.OpenAI(
        base_url=gateway.base_url,
        api_key=gateway.test_key,
        max_retries=0,
        default_query={"client_version": "0.169.0"},
    ) as client:
        assert [model.id for model in client.models.list()] == SIX


# ---- Codex -----------------------------------------------------------------------------------------------


def test_codex_finds_its_catalogue_beside_openais_list(gateway: Gateway):
    both, openais = get(gateway, CODEXS).json, get(gateway, "/v1/models").json
    assert set(both) == {"object", "data", "models"}
    assert {"object": both["object"], "data": both["data"]} == openais
    specification.check_model_list(openais)
    assert [model["slug"] for model in both["models"]] == SIX
    for model in both["models"]:
        assert set(model) >= NEEDED_BY_CODEX
        assert model["truncation_policy"] == {"mode": "tokens", "limit": 10_000}
        assert model["visibility"] == "list"
        assert "image" in model["input_modalities"]
        assert model["base_instructions"].strip()
    assert [model["priority"] for model in both["models"]] == [0, 1, 2, 3, 4, 5]


def test_codex_is_told_what_the_catalogue_says(gateway: Gateway):
    for told in get(gateway, CODEXS).json["models"]:
        model = package_catalog().models[told["slug"]]
        efforts = [level["effort"] for level in told["supported_reasoning_levels"]]
        assert efforts == [effort for effort in model.efforts if effort != "none"]
        assert told["default_reasoning_level"] in efforts
        assert all(level["description"] for level in told["supported_reasoning_levels"])
        assert told["support_verbosity"] == ("low" in model.verbosity)
        assert told["max_context_window"] == model.max_input_tokens
        assert told["context_window"] == min(model.max_input_tokens, model.ours.long_threshold or 10**9)


def test_model_that_does_not_reason_has_no_efforts_for_codex():
    plain = package_catalog().models["gpt-5.5"]
    told = describe_for_codex(
        msgspec.structs.replace(plain, efforts=(), default_effort=None, verbosity=()), 7, None
    )
    assert (told.supported_reasoning_levels, told.default_reasoning_level) == ([], None)
    assert (told.support_verbosity, told.default_verbosity) == (False, None)
    assert told.context_window == plain.max_input_tokens


@pytest.mark.parametrize("efforts", [EFFORTS, ("none", "high"), ("minimal", "low")])
def test_every_effort_of_the_catalogue_can_be_told(efforts):
    model = msgspec.structs.replace(
        package_catalog().models["gpt-5.5"], efforts=efforts, default_effort="none"
    )
    told = describe_for_codex(model, 0, None)
    named = [level.effort for level in told.supported_reasoning_levels]
    assert named == [effort for effort in efforts if effort != "none"]
    assert told.default_reasoning_level == ("medium" if "medium" in named else named[0])


# ---- Anthropic's -----------------------------------------------------------------------------------------


@pytest.fixture
def client(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.test_key, max_retries=0) as made:
        yield made


def test_anthropics_client_lists_all_pages(client: anthropic.Anthropic):
    first = client.models.list(limit=4)
    assert (len(first.data), first.has_more, first.last_id) == (4, True, "gpt-5.4-nano")
    assert [model.id for model in client.models.list(limit=4)] == SIX
    assert [model.id for model in client.models.list()] == SIX
    back = client.models.list(before_id="gpt-5.3-codex", limit=2)
    assert ([model.id for model in back.data], back.has_more) == (["gpt-5.4-mini", "gpt-5.4-nano"], True)


def test_anthropics_client_reads_a_model(client: anthropic.Anthropic):
    for model_id in SIX:
        read, known = client.models.retrieve(model_id), package_catalog().models[model_id]
        assert (read.id, read.type, read.display_name) == (model_id, "model", model_id)
        assert read.created_at.date() == known.released
        assert (read.max_input_tokens, read.max_tokens) == (known.max_input_tokens, known.max_output_tokens)
        assert read.lifecycle == ("active" if known.shutdown_date is None else "deprecated")
        assert (read.retires_at and read.retires_at.date()) == known.shutdown_date


def test_anthropics_fields_are_the_types_own(gateway: Gateway):
    page = get(gateway, "/v1/models?limit=1", VERSION).json
    assert set(page) == {"data", "has_more", "first_id", "last_id"}
    assert set(page["data"][0]) == set(anthropic.types.ModelInfo.model_fields)


def test_anthropics_client_gets_its_own_kind_of_refusal(client: anthropic.Anthropic, gateway: Gateway):
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.models.retrieve("nope")
    assert unknown.value.body["error"]["type"] == "not_found_error"
    refused = get(gateway, "/v1/models?after_id=nope", VERSION)
    assert (refused.status, refused.json["type"]) == (400, "error")
    assert refused.json["error"]["type"] == "invalid_request_error"
    refused = get(gateway, "/v1/models?limit=0", VERSION)
    assert (refused.status, refused.json["error"]["type"]) == (400, "invalid_request_error")
