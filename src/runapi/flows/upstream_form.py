"""What an upstream's address says of it, where the operator does not: its dialects, and how it wants its key. No I/O."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from runapi.core.dialects import Dialect
from runapi.core.routing import UpstreamAuth
from runapi.flows.office import CommandRefused
from runapi.flows.operator_input import check_base_url, did_you_mean, quoted

OPENAI_HOST = "api.openai.com"
ANTHROPIC_HOST = "api.anthropic.com"
AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
AZURE_V1 = "/openai/v1"
AZURE_DEPLOYMENT = (
    "/openai/deployments/"  # the older form: one address for each deployment, with a version behind ?
)
BOTH = (Dialect.CHAT, Dialect.RESPONSES)
API_VERSION = re.compile(r"api-version=[A-Za-z0-9._-]{1,40}")

Word = TypeVar("Word", bound=StrEnum)


class Address(msgspec.Struct, frozen=True):
    """Where an upstream is."""

    base_url: str
    query: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_azure(self) -> bool:
        return self.host.endswith(AZURE_HOSTS)

    @property
    def is_one_deployment(self) -> bool:
        return AZURE_DEPLOYMENT in self.base_url


def read_address(url: str) -> Address:
    """Accept a base URL, with nothing behind its path but the version that Azure asks for."""
    plain, _, query = url.partition("?")
    if not API_VERSION.fullmatch(query):
        plain, query = check_base_url(url), ""
    address = Address(check_base_url(plain), query)
    if address.is_one_deployment and not query:
        raise CommandRefused(
            "The base URL of a deployment at Azure needs its version at its end, such as ?api-version=2024-10-21. "
            "The newer form, https://NAME.openai.azure.com/openai/v1, needs none."
        )
    return address


def check_dialects(asked: Sequence[str], address: Address) -> tuple[Dialect, ...]:
    """Read the dialects that an upstream speaks; without any, its address says which."""
    dialects = tuple(dict.fromkeys(_read_word("dialect", word, Dialect) for word in asked))
    if not dialects:
        return _usual_dialects(address)
    if address.is_one_deployment and set(dialects) != {Dialect.CHAT}:
        raise CommandRefused(
            "The base URL of a deployment at Azure speaks openai_chat alone: for openai_responses give "
            "https://NAME.openai.azure.com/openai/v1."
        )
    return dialects


def check_auth(asked: str | None, address: Address, dialects: tuple[Dialect, ...]) -> UpstreamAuth:
    """Read how an upstream wants its key; without a word, its dialects and its address say how."""
    if asked is not None:
        return _read_word("way to show the key", asked, UpstreamAuth)
    if dialects == (Dialect.ANTHROPIC,):
        return UpstreamAuth.ANTHROPIC
    return UpstreamAuth.API_KEY if address.is_azure else UpstreamAuth.BEARER


def _usual_dialects(address: Address) -> tuple[Dialect, ...]:
    host = address.host
    if host == ANTHROPIC_HOST:
        return (Dialect.ANTHROPIC,)
    if host == OPENAI_HOST or host.endswith(f".{OPENAI_HOST}"):
        return BOTH
    return BOTH if address.is_azure and address.base_url.endswith(AZURE_V1) else (Dialect.CHAT,)


def _read_word(kind: str, word: str, known: type[Word]) -> Word:
    """Read a word of a closed set; a hyphen in it is an underscore."""
    try:
        return known(word.replace("-", "_"))
    except ValueError:
        hint = did_you_mean(word, known) or f" There are {', '.join(known)}."
        raise CommandRefused(f"There is no {kind} {quoted(word)}.{hint}") from None
