"""The address that pages tell visitors: the operator's, or one of this machine that the visitor used.

Pages are kept for the next visitor, so nothing that a stranger writes into Host may get into them.
"""

import re
import socket
from contextlib import suppress
from ipaddress import ip_address

from runapi.web.operator.server_file import reachable_url

MOST_KNOWN = 8
"""More addresses than these are not told apart: each has pages of its own in memory."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)


class Addresses:
    """Finds the site's URL for a request."""

    def __init__(self, public_url: str, host: str, port: int) -> None:
        """Take the operator's URL, which may be empty, and the address that is listened on."""
        self._public_url = public_url
        self._own_host = host.lower()
        self._own_url = reachable_url(host, port)
        self._known: dict[bytes, str] = {}

    def site_url(self, host: bytes | None) -> str:
        """The URL of the site, without a slash at its end, for a request with this Host."""
        if self._public_url or host is None:
            return self._public_url or self._own_url
        known = self._known.get(host)
        if known is not None:
            return known
        if len(self._known) >= MOST_KNOWN or not self._is_ours(host):
            return self._own_url
        return self._known.setdefault(host, f"http://{host.decode().lower()}")

    def _is_ours(self, host: bytes) -> bool:
        match = _HOST.fullmatch(host.decode("latin-1"))
        if match is None:
            return False
        name = match[1].strip("[]").lower()
        return name in ("localhost", self._own_host) or _is_address_of_this_machine(name)


def _is_address_of_this_machine(name: str) -> bool:
    with suppress(ValueError):
        address = ip_address(name)
        if address.is_unspecified or address.is_multicast:
            return False
        if address.is_loopback:
            return True
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.bind((name, 0))  # only an address of one's own can be bound
            return True
    return False
