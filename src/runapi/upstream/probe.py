"""One question to an upstream, for the operator who wants to know whether it can be used."""

import asyncio
import socket
import ssl
import time
from http import HTTPStatus

import msgspec

from runapi.core.routing import ProbeResult, Upstream, UpstreamAuth
from runapi.upstream.address import Address
from runapi.upstream.client import (
    BrokenReplyError,
    Reply,
    TooLongError,
    UnreachableError,
    UpstreamClient,
    call_headers,
    read_whole,
)

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
    client = UpstreamClient(connect_timeout_s=TIMEOUT_S)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            answer = await client.get(Address.of(models_url(upstream)), _headers(upstream, api_key))
            status = answer.status
            if status == HTTPStatus.OK:
                models = await _read_models(answer)
        detail = _explain(status, models)
    except (UnreachableError, BrokenReplyError, TimeoutError, ValueError) as error:
        detail = _explain_failure(error)
        models = None
    finally:
        await client.close()
    latency_ms = (time.monotonic_ns() - began_ns) // 1_000_000
    return ProbeResult(models is not None, status, latency_ms, detail, models)


def _headers(upstream: Upstream, api_key: str) -> dict[str, str]:
    headers = call_headers(upstream, api_key)
    del headers["Content-Type"]  # the question has no body
    return headers | {"Accept": "application/json"}


def models_url(upstream: Upstream) -> str:
    """The address of an upstream's list of models; a deployment at Azure has it beside all deployments."""
    before, deployment, _ = upstream.base_url.partition("/openai/deployments/")
    url = f"{before}/openai/models" if deployment else f"{upstream.base_url}/models"
    if upstream.auth is UpstreamAuth.ANTHROPIC:
        return f"{url}?limit=1000"  # unasked, it lists twenty
    return f"{url}?{upstream.query}" if upstream.query else url


async def _read_models(answer: Reply) -> frozenset[str] | None:
    """The names of the models that an answer lists; None where it is no such list, or longer than any.

    Raises:
        BrokenReplyError: it broke off.
    """
    try:
        body = await read_whole(answer, most_bytes=MOST_BYTES)
        return frozenset(model.id for model in msgspec.json.decode(body, type=_ModelList).data)
    except (TooLongError, msgspec.DecodeError, RecursionError):
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
        case UnreachableError(was_connected=False):
            return _explain_no_connection(error.__cause__)
        case UnreachableError() | BrokenReplyError():
            return "It broke off, or answered with something other than HTTP: check the base URL."
        case _:
            return "Its base URL cannot be used: remove the upstream and add it again."


def _explain_no_connection(cause: BaseException | None) -> str:
    match cause:
        case ssl.SSLError():
            return "Its TLS certificate is not accepted: check the base URL, or http:// against https://."
        case socket.gaierror():
            return "Its host name is unknown: check the base URL."
        case _:
            return "Nothing can be reached at its host and port: check the base URL, and that it runs."
