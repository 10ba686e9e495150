"""What the environment decides. Read once, at the start; all faults are named at once."""

import difflib
import os
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from runapi.core.hosted_tools import CHARGED_TOOLS
from runapi.core.money import NANO_PER_USD

PREFIX = "RUNAPI_"
KIB = 1024
MIB = 1024 * KIB
LONGEST_SHOWN = 60
FOR_CLIENTS = frozenset({"RUNAPI_API_KEY", "RUNAPI_BASE_URL", "RUNAPI_KEY"})
FOR_TESTS = "RUNAPI_TEST_"
SHORTEST_SECRET_BYTES = 16
STRIPE_KEYS = ("sk_live_", "rk_live_", "sk_test_", "rk_test_")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECRETS = ("stripe_secret_key", "stripe_webhook_secret", "database_url")
WORDS = {
    "host": "an address or a host name",
    "hosted_tools": f"some of {', '.join(sorted(CHARGED_TOOLS))}, with commas between",
    "public_url": "an http or https URL without a query",
    "database_url": "a URL such as postgresql://user:password@host/name",
    "brand": "a name of at most 60 characters",
    "contact_email": "an e-mail address",
    "site": "on or off",
    "site_hide": "paths such as /pricing, with commas between",
    "site_locales": "names such as zh-TW, with commas between",
    "stripe_secret_key": "a secret key of Stripe, sk_... or rk_...",
    "stripe_webhook_secret": f"a secret of at least {SHORTEST_SECRET_BYTES} bytes",
    "stripe_webhook_secret_before": f"a secret of at least {SHORTEST_SECRET_BYTES} bytes",
    "stripe_api_base": "an https URL",
}
"""What settings may be that are neither numbers nor words of a list."""


class LogLevel(StrEnum):
    """The least important lines that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class SettingsFault(ValueError):  # noqa: N818 - a fault in the environment, not an error of ours
    """The environment holds settings that cannot be used; the text names each of them."""


def _check_host(host: str) -> str:
    if not host.isprintable() or not host.isascii() or any(character in " /@?#" for character in host):
        raise ValueError("not an address or a host name")
    return host.removeprefix("[").removesuffix("]")


def _check_path(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("not a path")
    return path.expanduser()


def _check_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < SHORTEST_SECRET_BYTES:
        raise ValueError("too short")
    return secret


def _check_stripe_key(key: SecretStr) -> SecretStr:
    if not key.get_secret_value().startswith(STRIPE_KEYS) or not key.get_secret_value().isascii():
        raise ValueError("not a secret key")
    return _check_secret(key)


def _check_api_base(url: str) -> str:
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not is_safe or not parts.hostname or parts.path or parts.query or parts.fragment or "@" in url:
        raise ValueError("not an https URL without a path")
    return url


def _check_public_url(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError("not a URL")
    return url.rstrip("/").removesuffix("/v1")


def _check_database_url(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
        raise ValueError("not a PostgreSQL URL")
    return url


def _check_brand(brand: str) -> str:
    if not brand.isprintable() or len(brand) > LONGEST_SHOWN:
        raise ValueError("not a name")
    return brand.strip()


def _check_email(address: str) -> str:
    local, at, domain = address.partition("@")
    if address and not (
        address.isprintable() and local and at and "." in domain and not set(address) & set(' <>"')
    ):
        raise ValueError("not an e-mail address")
    return address


def _check_hosted_tools(words: str) -> str:
    if not frozenset(split_words(words)) <= CHARGED_TOOLS:
        raise ValueError("not a tool that is known to cost by the call")
    return words


def split_words(words: str) -> list[str]:
    """The words of a list with commas between."""
    return [word.strip() for word in words.split(",") if word.strip()]


Seconds = Annotated[float, Field(ge=0.01, le=86_400, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=KIB, le=1024 * MIB)]
Folder = Annotated[Path, AfterValidator(_check_path)]
Secret = Annotated[SecretStr, AfterValidator(_check_secret)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_check_database_url)]
StripeKey = Annotated[SecretStr, AfterValidator(_check_stripe_key)]


class Settings(BaseModel):
    """Every setting, with its environment variable RUNAPI_<NAME> in capitals. An empty variable counts as unset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Folder = Field(default=Path("./.runapi"), description="the data folder")
    host: Annotated[str, AfterValidator(_check_host)] = Field(
        default="127.0.0.1", description="the address to listen on; 0.0.0.0 for all"
    )
    port: int = Field(default=8000, ge=1, le=65535, description="the port to listen on")
    log_level: LogLevel = Field(
        default=LogLevel.INFO, description="the least important lines that are logged"
    )

    public_url: Annotated[str, AfterValidator(_check_public_url)] = Field(
        default="",
        description="the URL under which customers reach this server; without it the address it listens on",
    )
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        le=10,
        description="proxies in front that add to X-Forwarded-For, for keys' allowed addresses",
    )

    database_url: DatabaseUrl | None = Field(
        default=None,
        description="a PostgreSQL database, postgresql://user:password@host/name, in place of SQLite",
    )
    test_balance_usd: int = Field(
        default=1000,
        ge=0,
        le=1_000_000,
        description="play money in US dollars that a new account begins with",
    )

    max_body_bytes: Bytes = Field(default=32 * MIB, description="the largest request body")
    header_timeout_s: Seconds = Field(
        default=30.0,
        description="time for a client to send the head of a request, and for an idle connection to send the next",
    )
    body_timeout_s: Seconds = Field(
        default=30.0, description="time for a client to send the body of a request"
    )
    stalled_reader_timeout_s: Seconds = Field(
        default=60.0, description="time after which a client that reads nothing counts as gone"
    )

    connect_timeout_s: Seconds = Field(default=5.0, description="time to connect to an upstream")
    first_byte_timeout_s: Seconds = Field(
        default=600.0, description="time for an upstream to begin its answer"
    )
    idle_timeout_s: Seconds = Field(
        default=120.0, description="longest silence of an upstream inside an answer"
    )
    total_timeout_s: Seconds = Field(default=1800.0, description="time for a whole answer")

    heartbeat_first_s: Seconds = Field(
        default=15.0, description="silence after which a stream gets its first sign of life"
    )
    heartbeat_every_s: Seconds = Field(default=10.0, description="time between further signs of life")

    drain_timeout_s: Seconds = Field(
        default=120.0, description="longest reading on for the usage report after the client left"
    )
    drain_bytes: Bytes = Field(default=16 * MIB, description="most bytes read on after the client left")
    most_drains: int = Field(
        default=200, ge=0, le=100_000, description="most answers read on at the same time"
    )

    stored_responses_days: int = Field(
        default=30,
        ge=0,
        le=3_650,
        description="days for which answers of /v1/responses are kept, unless their request says not to; 0 for none",
    )

    hosted_tools: Annotated[str, AfterValidator(_check_hosted_tools)] = Field(
        default="",
        description="tools run by upstreams that customers may use though each call costs you beside the tokens",
    )

    shutdown_timeout_s: Seconds = Field(
        default=30.0, description="time for running requests to end at a stop"
    )

    site: bool = Field(default=True, description="whether the public site is served")
    brand: Annotated[str, AfterValidator(_check_brand)] = Field(
        default="RunAPI", description="what the site calls this service"
    )
    contact_email: Annotated[str, AfterValidator(_check_email)] = Field(
        default="", description="where customers write to; shown on the site"
    )
    site_hide: str = Field(default="", description="pages that are not shown, with all below them")
    site_locales: str = Field(default="", description="languages to show beside English; empty for all")

    stripe_secret_key: StripeKey | None = Field(
        default=None, description="takes payments by Stripe; with a test key they are play money"
    )
    stripe_webhook_secret: Secret | None = Field(
        default=None, description="checks Stripe's webhooks; without it their URL does not exist"
    )
    stripe_webhook_secret_before: Secret | None = Field(
        default=None, description="the webhook secret being replaced, which counts as well"
    )
    stripe_api_base: Annotated[str, AfterValidator(_check_api_base)] = Field(
        default="https://api.stripe.com", description="where Stripe's API is"
    )

    @property
    def database(self) -> str | None:
        """The URL of the database, with its password; None for SQLite in the data folder."""
        return None if self.database_url is None else self.database_url.get_secret_value()

    @property
    def test_balance_nano(self) -> int:
        """The play money of a new account, in nano-dollars."""
        return self.test_balance_usd * NANO_PER_USD

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """The secrets in force, the new one first."""
        both = (self.stripe_webhook_secret, self.stripe_webhook_secret_before)
        return tuple(secret.get_secret_value().encode() for secret in both if secret is not None)


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsFault: one or more cannot be used; all are named.
    """
    given = {name: environ.get(variable(name)) for name in Settings.model_fields}
    try:
        return Settings.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        faults = [_describe(fault) for fault in error.errors()]
    heading = "1 setting is wrong:" if len(faults) == 1 else f"{len(faults)} settings are wrong:"
    raise SettingsFault("\n".join([heading, *faults]))


def variable(name: str) -> str:
    """The environment variable of the setting `name`."""
    return PREFIX + name.upper()


def allowed(name: str) -> str:
    """What the setting `name` may be, in words."""
    field = Settings.model_fields[name]
    if field.annotation is LogLevel:
        return ", ".join(LogLevel)
    least, most = _bound(field, "ge"), _bound(field, "le")
    if least is None or most is None:
        return WORDS.get(name, "a path")
    kind = "a whole number" if field.annotation is int else "a number"
    return f"{kind} from {least:g} to {most:.12g}"


def unknown_settings(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Say of each RUNAPI_ variable that nothing reads that it is not used, and which one may be meant."""
    known = [variable(name) for name in Settings.model_fields]
    unknown = [
        name
        for name in sorted(environ)
        if name.startswith(PREFIX)
        and name not in known
        and name not in FOR_CLIENTS
        and not name.startswith(FOR_TESTS)
    ]
    return [f"{name} is not a setting and is not used.{_did_you_mean(name, known)}" for name in unknown]


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _bound(field: FieldInfo, side: str) -> float | None:
    return next((getattr(item, side) for item in field.metadata if hasattr(item, side)), None)


def _describe(fault: ErrorDetails) -> str:
    name = str(fault["loc"][0]).lower()
    given = str(fault["input"])
    shown = given if len(given) <= LONGEST_SHOWN else given[:LONGEST_SHOWN] + "..."
    if name.startswith(SECRETS):  # what was given is never shown
        return f"  {variable(name)} cannot be used. Allowed: {allowed(name)}. Without it: nothing."
    default = Settings.model_fields[name].default
    return f"  {variable(name)} is {shown!r}. Allowed: {allowed(name)}. Without it: {default}."
