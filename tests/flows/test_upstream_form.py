"""What an upstream's address says of it, and what the operator's word changes."""

import pytest

from runapi.core.dialects import Dialect
from runapi.core.routing import UpstreamAuth
from runapi.flows.office import CommandRefused
from runapi.flows.upstream_form import check_auth, check_dialects, read_address

CHAT, RESPONSES, ANTHROPIC = Dialect.CHAT, Dialect.RESPONSES, Dialect.ANTHROPIC
AZURE = "https://acme.openai.azure.com/openai"
DEPLOYMENT = f"{AZURE}/deployments/gpt?api-version=2024-10-21"


def form(url: str, *asked: str, auth: str | None = None) -> tuple[tuple[Dialect, ...], UpstreamAuth]:
    address = read_address(url)
    dialects = check_dialects(asked, address)
    return dialects, check_auth(auth, address, dialects)


@pytest.mark.parametrize(
    ("url", "dialects", "auth"),
    [
        ("https://api.openai.com/v1", (CHAT, RESPONSES), UpstreamAuth.BEARER),
        ("https://API.openai.com:443/v1/", (CHAT, RESPONSES), UpstreamAuth.BEARER),
        ("https://eu.api.openai.com/v1", (CHAT, RESPONSES), UpstreamAuth.BEARER),
        ("https://api.openai.com.evil.example/v1", (CHAT,), UpstreamAuth.BEARER),
        ("https://myapi.openai.com/v1", (CHAT,), UpstreamAuth.BEARER),
        ("https://api.anthropic.com/v1", (ANTHROPIC,), UpstreamAuth.ANTHROPIC),
        (f"{AZURE}/v1", (CHAT, RESPONSES), UpstreamAuth.API_KEY),
        (f"{AZURE}/v1/?api-version=preview", (CHAT, RESPONSES), UpstreamAuth.API_KEY),
        (DEPLOYMENT, (CHAT,), UpstreamAuth.API_KEY),
        ("https://acme.services.ai.azure.com/openai/v1", (CHAT, RESPONSES), UpstreamAuth.API_KEY),
        ("https://openai.azure.com.evil.example/openai/v1", (CHAT,), UpstreamAuth.BEARER),
        ("http://127.0.0.1:8080/v1", (CHAT,), UpstreamAuth.BEARER),
        ("https://host.example/openai/v1", (CHAT,), UpstreamAuth.BEARER),
    ],
)
def test_address_says_what_is_spoken_there_and_how_the_key_is_shown(url, dialects, auth):
    assert form(url) == (dialects, auth)


@pytest.mark.parametrize(
    ("url", "base_url", "query"),
    [
        (DEPLOYMENT, f"{AZURE}/deployments/gpt", "api-version=2024-10-21"),
        (f"{AZURE}/v1/?api-version=preview", f"{AZURE}/v1", "api-version=preview"),
        ("https://gate.example/azure?api-version=1", "https://gate.example/azure", "api-version=1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1", ""),
    ],
)
def test_version_in_the_query_is_kept_beside_the_base_url(url, base_url, query):
    address = read_address(url)
    assert (address.base_url, address.query) == (base_url, query)


def test_operators_word_goes_before_what_the_address_says():
    assert form("https://api.openai.com/v1", "openai_chat") == ((CHAT,), UpstreamAuth.BEARER)
    assert form("https://api.anthropic.com/v1", "openai-chat") == ((CHAT,), UpstreamAuth.BEARER)
    assert form("https://host/v1", auth="api-key") == ((CHAT,), UpstreamAuth.API_KEY)
    assert form(f"{AZURE}/v1", auth="bearer") == ((CHAT, RESPONSES), UpstreamAuth.BEARER)
    assert form("https://host/v1", "anthropic", auth="bearer") == ((ANTHROPIC,), UpstreamAuth.BEARER)


def test_anthropics_dialect_alone_wants_anthropics_key_header():
    assert form("https://host/v1", "anthropic") == ((ANTHROPIC,), UpstreamAuth.ANTHROPIC)
    assert form("https://acme.services.ai.azure.com/anthropic/v1", "anthropic")[1] is UpstreamAuth.ANTHROPIC
    assert form("https://host/v1", "anthropic", "openai_chat")[1] is UpstreamAuth.BEARER


def test_dialect_that_is_named_twice_counts_once():
    assert form("https://host/v1", "anthropic", "openai-chat", "anthropic")[0] == (ANTHROPIC, CHAT)


@pytest.mark.parametrize("asked", [["openai_responses"], ["openai_chat", "openai_responses"], ["anthropic"]])
def test_azures_older_address_speaks_chat_alone(asked):
    with pytest.raises(CommandRefused, match="openai/v1"):
        form(DEPLOYMENT, *asked)
    assert form(DEPLOYMENT, "openai_chat")[0] == (CHAT,)
