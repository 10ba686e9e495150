"""One question to an upstream, for the operator who wants to know whether it can be used."""

import socket
import time
from http import HTTPStatus

import aiohttp
import msgspec

from runapi.core.routing import ProbeResult, Upstream, UpstreamAuth
from runapi.upstream.client import account_headers

TIMEOUT_S = 15
MOST_BYTES = 4 * 1024 * 1024
REDIRECTS = range(300, 400)
SERVER_ERRORS = range(500, 600)
WRONG_KEY = "It refuses the API key: remove the upstream and add it with a key that is valid there."
NO_LIST = "It has no list of models at this address: check the base URL, which often ends in /v1."
ADVICE: dict[int, str] = {
    HTTPStatus.OK: "It answers, but not with a list of models: check the base URL, which often ends in /v1.",
    HTTPStatus.UNAUTHORIZED: WRONG_KEY,
    HTTPStatus.FORBIDDEN: WRONG_KEY,
    HTTPStatus.PAYMENT_REQUIRED: "It wants to be paid: top up the account there.",
    HTTPStatus.NOT_FOUND: NO_LIST,
    HTTPStatus.METHOD_NOT_ALLOWED: NO_LIST,
    HTTPStatus.TOO_MANY_REQUESTS: "It takes no more requests: check limits and credit there, then try again.",
}


class _ListedModel(msgspec.Struct):
    id: str


class _ModelList(msgspec.Struct):
    data: list[_ListedModel]


async def probe(upstream: Upstream, api_key: str) -> ProbeResult:
    """Ask an upstream for its models with `api_key`.

    Follows no redirect (the key would go with it), reads a bounded answer within a bounded time, and never
    raises for what the upstream does. Neither the key nor the upstream's words stand in the result.
    """
    began_ns = time.monotonic_ns()
    status: int | None = None
    models: frozenset[str] | None = None
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
            session.get(
                models_url(upstream),
                headers={**account_headers(upstream, api_key), "accept": "application/json"},
                allow_redirects=False,
            ) as answer,
        ):
            status = answer.status
            if status == HTTPStatus.OK:
                models = _read_models(await _read_bounded(answer))
            detail = _explain(status, models)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        detail = _explain_failure(error)
        models = None
    latency_ms = (time.monotonic_ns() - began_ns) // 1_000_000
    return ProbeResult(models is not None, status, latency_ms, detail, models)


def models_url(upstream: Upstream) -> str:
    """The address of an upstream's list of models; a deployment at Azure has it beside all deployments."""
    before, deployment, _ = upstream.base_url.partition("/openai/deployments/")
    url = f"{before}/openai/models" if deployment else f"{upstream.base_url}/models"
    if upstream.auth is UpstreamAuth.ANTHROPIC:
        return f"{url}?limit=1000"  # unasked, it lists twenty
    return f"{url}?{upstream.query}" if upstream.query else url


async def _read_bounded(answer: aiohttp.ClientResponse) -> bytes:
    """At most MOST_BYTES of the body; a longer one is cut, and so is no JSON."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(65_536):
        body += chunk
        if len(body) > MOST_BYTES:
            break
    return bytes(body[:MOST_BYTES])


def _read_models(body: bytes) -> frozenset[str] | None:
    try:
        return frozenset(model.id for model in msgspec.json.decode(body, type=_ModelList).data)
    except (msgspec.DecodeError, RecursionError):
        return None


def _explain(status: int, models: frozenset[str] | None) -> str:
    """Say what an answer means and what to do."""
    if models is not None:
        return f"It answers and lists {len(models)} model{'' if len(models) == 1 else 's'}."
    if status in REDIRECTS:
        return "It redirects elsewhere: add it with the base URL that it redirects to."
    if status in SERVER_ERRORS:
        return "It answers with an error of its own: try again later, or ask who runs it."
    return ADVICE.get(status, "It refuses the question: check the base URL.")


def _explain_failure(error: Exception) -> str:
    """Say why there was no answer and what to do."""
    match error:
        case TimeoutError():
            return (
                f"It did not answer within {TIMEOUT_S} s: check the base URL, the network and any firewall."
            )
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "Its TLS certificate is not accepted: check the base URL, or http:// against https://."
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "Its host name is unknown: check the base URL."
        case aiohttp.ClientConnectorError():
            return "Nothing can be reached at its host and port: check the base URL, and that it runs."
        case aiohttp.InvalidURL():
            return "Its base URL cannot be used: remove the upstream and add it again."
        case _:
            return "It broke off, or answered with something other than HTTP: check the base URL."
