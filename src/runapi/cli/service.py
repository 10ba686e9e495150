"""A RunAPI server as its customers reach it: what it sells, and whether it answers."""

import http.client
import ipaddress
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import urlsplit

import msgspec

import runapi
from runapi.cli.answer import WRONG_USE, CommandFailed
from runapi.wire.client_config.clients import Protocol
from runapi.wire.client_config.offer import OFFER_PATH, Offer, OfferedModel, read_offer
from runapi.wire.client_config.private_names import HERE, is_private_name
from runapi.wire.client_config.trial import Trial, read_answer, trial_body

ANSWER_TIMEOUT_S = 120.0
LARGEST_ANSWER_BYTES = 8_000_000


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follow none: the key is for the server that was named."""

    def redirect_request(self, *_arguments: object) -> None:
        return None


def clean_base_url(given: str) -> str:
    """The address with its /v1, and nothing behind it.

    Raises:
        CommandFailed: it is no http or https URL.
    """
    parts = urlsplit(given.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise CommandFailed(
            f"{given[:80]!r} is no base URL: give one such as https://host/v1.", "wrong_base_url", WRONG_USE
        )
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path.removesuffix('/v1')}/v1"


def fetch_offer(base_url: str) -> Offer:
    """What the server at `base_url` sells; the address stays the one that was asked.

    Raises:
        CommandFailed: nobody is there, or it is no RunAPI server.
    """
    url = base_url.removesuffix("/v1") + OFFER_PATH
    status, _, body = _send(urllib.request.Request(url, headers=_headers()))  # noqa: S310 - an http URL
    try:
        offer = read_offer(body) if status == 200 else None
    except msgspec.MsgspecError:
        offer = None
    if offer is None or not offer.models:
        raise CommandFailed(
            f"{url} (status {status}) does not say which models are sold there: look whether {base_url} is the "
            "base URL of a RunAPI server of this version.",
            "no_offer",
        )
    return Offer(base_url=base_url, models=offer.models)


def try_out(base_url: str, protocol: Protocol, model: OfferedModel, key: str) -> Trial:
    """Make one small request as the client would, and say what came of it."""
    url = base_url + protocol
    headers = _headers() | {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(url, trial_body(protocol, model), headers)  # noqa: S310 - an http URL
    try:
        return read_answer(url, *_send(request))
    except CommandFailed as failure:
        return Trial(ok=False, url=url, code=failure.code, said=str(failure))


def leads_into_private_network(base_url: str) -> bool:
    """Whether the host is a name of a private network, by its looks or by the addresses that it has."""
    host = urlsplit(base_url).hostname or ""
    if is_private_name(host) or host == HERE or _is_address(host):
        return is_private_name(host)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(not ipaddress.ip_address(str(row[4][0]).partition("%")[0]).is_global for row in found)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _headers() -> dict[str, str]:
    return {"accept": "application/json", "user-agent": f"runapi/{runapi.__version__}"}


def _send(request: urllib.request.Request) -> tuple[int, Mapping[str, str], bytes]:
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if _is_here(request.host):
        handlers.append(urllib.request.ProxyHandler({}))  # this machine is never behind a proxy
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=ANSWER_TIMEOUT_S) as answer:
            return answer.status, dict(answer.headers.items()), bytes(answer.read(LARGEST_ANSWER_BYTES))
    except urllib.error.HTTPError as refusal:
        if 300 <= refusal.code < 400:
            _unreachable(request, f"it redirects to {refusal.headers.get('location', '')[:200]}")
        return refusal.code, dict(refusal.headers.items()), bytes(refusal.read(LARGEST_ANSWER_BYTES))
    except urllib.error.URLError as fault:
        _unreachable(request, str(fault.reason))
    except (OSError, http.client.HTTPException) as fault:
        _unreachable(request, str(fault) or type(fault).__name__)


def _unreachable(request: urllib.request.Request, why: str) -> NoReturn:
    raise CommandFailed(
        f"Nothing answers at {request.full_url} ({why}). Start the server with `runapi serve`, or give the right "
        "--base-url.",
        "unreachable",
    )


def _is_here(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    return ipaddress.ip_address(name).is_loopback if _is_address(name) else name == HERE
