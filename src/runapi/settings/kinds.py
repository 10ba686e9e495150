"""What the text of a setting may be, and what is made of it."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from runapi.core.hosted_tools import CHARGED_TOOLS

T = TypeVar("T")
LONGEST_SHOWN = 60
SHORTEST_SECRET_BYTES = 16
STRIPE_KEYS = ("sk_live_", "rk_live_", "sk_test_", "rk_test_")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_FLAGS = {
    "on": True,
    "true": True,
    "yes": True,
    "1": True,
    "off": False,
    "false": False,
    "no": False,
    "0": False,
}


class LogLevel(StrEnum):
    """The least important lines that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Secret:
    """A text that stands in no log and no error."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(**********)"

    def reveal(self) -> str:
        return self._text


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of setting."""

    words: str  # what its text may be
    read: Callable[[str], T]  # raises ValueError
    is_secret: bool = False  # what was given is never shown


def whole(least: int, most: int) -> Kind[int]:
    """A whole number within bounds."""

    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError("not such a number")
        return int(text)

    return Kind(f"a whole number from {least:g} to {most:.12g}", read)


def number(least: float, most: float) -> Kind[float]:
    """A number within bounds."""

    def read(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or not least <= value <= most:
            raise ValueError("not such a number")
        return value

    return Kind(f"a number from {least:g} to {most:.12g}", read)


def split_words(words: str) -> list[str]:
    """The words of a list with commas between."""
    return [word.strip() for word in words.split(",") if word.strip()]


def _read_host(host: str) -> str:
    if not host.isprintable() or not host.isascii() or any(character in " /@?#" for character in host):
        raise ValueError("not an address or a host name")
    return host.removeprefix("[").removesuffix("]")


def _read_path(text: str) -> Path:
    if "\0" in text:
        raise ValueError("not a path")
    return Path(text).expanduser()


def _read_secret(text: str) -> Secret:
    if len(text.encode()) < SHORTEST_SECRET_BYTES:
        raise ValueError("too short")
    return Secret(text)


def _read_stripe_key(text: str) -> Secret:
    if not text.startswith(STRIPE_KEYS) or not text.isascii():
        raise ValueError("not a secret key")
    return _read_secret(text)


def _read_api_base(url: str) -> str:
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not is_safe or not parts.hostname or parts.path or parts.query or parts.fragment or "@" in url:
        raise ValueError("not an https URL without a path")
    return url


def _read_public_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("not a URL")
    return url.rstrip("/").removesuffix("/v1")


def _read_database_url(url: str) -> Secret:
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
        raise ValueError("not a PostgreSQL URL")
    return Secret(url)


def _read_brand(brand: str) -> str:
    if not brand.isprintable() or len(brand) > LONGEST_SHOWN:
        raise ValueError("not a name")
    return brand.strip()


def _read_email(address: str) -> str:
    local, at, domain = address.partition("@")
    if not (address.isprintable() and local and at and "." in domain and not set(address) & set(' <>"')):
        raise ValueError("not an e-mail address")
    return address


def _read_hosted_tools(words: str) -> str:
    if not frozenset(split_words(words)) <= CHARGED_TOOLS:
        raise ValueError("not a tool that is known to cost by the call")
    return words


def _read_flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError("neither on nor off")
    return _FLAGS[text.lower()]


SECONDS = number(0.01, 86_400)
BYTES = whole(1024, 1024**3)
PORT = whole(1, 65535)
FOLDER = Kind("a path", _read_path)
HOST = Kind("an address or a host name", _read_host)
LOG_LEVEL = Kind(", ".join(LogLevel), LogLevel)
PUBLIC_URL = Kind("an http or https URL without a query", _read_public_url)
API_BASE = Kind("an https URL", _read_api_base)
DATABASE_URL = Kind("a URL such as postgresql://user:password@host/name", _read_database_url, is_secret=True)
STRIPE_KEY = Kind("a secret key of Stripe, sk_... or rk_...", _read_stripe_key, is_secret=True)
SECRET = Kind(f"a secret of at least {SHORTEST_SECRET_BYTES} bytes", _read_secret, is_secret=True)
FLAG = Kind("on or off", _read_flag)
BRAND = Kind(f"a name of at most {LONGEST_SHOWN} characters", _read_brand)
EMAIL = Kind("an e-mail address", _read_email)
PATHS = Kind("paths such as /pricing, with commas between", str)
LOCALES = Kind("names such as zh-TW, with commas between", str)
HOSTED_TOOLS = Kind(f"some of {', '.join(sorted(CHARGED_TOOLS))}, with commas between", _read_hosted_tools)
