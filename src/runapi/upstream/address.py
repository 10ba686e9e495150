"""Where a request goes: an upstream's URL, taken apart once."""

import re
from typing import NamedTuple, Self
from urllib.parse import quote, urlsplit

_PORTS = {"http": 80, "https": 443}
_UNUSABLE = re.compile(r"[\x00- \x7f]")  # urlsplit leaves some of them out in silence
_SAFE = "%/?:@!$&'()*+,;=~"


class Origin(NamedTuple):
    """What requests must share to go through one connection."""

    is_tls: bool
    host: str  # as it is looked up: lower case, without the brackets of an IPv6 address
    port: int


class Address(NamedTuple):
    """The address of one call."""

    origin: Origin
    host_header: str
    target: str  # path and query

    @classmethod
    def of(cls, url: str) -> Self:
        """Take a URL apart; who it names as user is never told to anybody.

        Raises:
            ValueError: it is no http or https URL with a host.
        """
        if _UNUSABLE.search(url):
            raise ValueError("a space or a control character in a URL")
        parts = urlsplit(url)
        usual_port = _PORTS.get(parts.scheme)
        if usual_port is None or not parts.hostname:
            raise ValueError("no http or https URL with a host")
        host = _encode_host(parts.hostname)
        port = usual_port if parts.port is None else parts.port
        name = f"[{host}]" if ":" in host else host.rstrip(".")
        target = quote(parts.path or "/", safe=_SAFE) + (
            f"?{quote(parts.query, safe=_SAFE)}" * bool(parts.query)
        )
        return cls(
            Origin(parts.scheme == "https", host, port),
            name if port == usual_port else f"{name}:{port}",
            target,
        )


def _encode_host(host: str) -> str:
    """A host's name as DNS knows it.

    Raises:
        ValueError: it cannot be a name of DNS.
    """
    return host if host.isascii() else host.encode("idna").decode("ascii")
