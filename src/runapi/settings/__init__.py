"""What the environment decides. Read once, at the start; all faults are named at once.

The standard library does it: pydantic, which would, takes 8 MB of every server's memory.
"""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, Self

from runapi.core.money import NANO_PER_USD
from runapi.settings import kinds
from runapi.settings.kinds import Kind, LogLevel, Secret, split_words

__all__ = [
    "KIB",
    "MIB",
    "NOTHING",
    "SETTINGS",
    "LogLevel",
    "Setting",
    "Settings",
    "SettingsFault",
    "allowed",
    "default_words",
    "load_settings",
    "split_words",
    "unknown_settings",
    "variable",
]

PREFIX = "RUNAPI_"
KIB = 1024
MIB = 1024 * KIB
FOR_CLIENTS = frozenset({"RUNAPI_API_KEY", "RUNAPI_BASE_URL", "RUNAPI_KEY"})
FOR_TESTS = "RUNAPI_TEST_"
NOTHING = "nothing"
_NEAR = 0.7


class SettingsFault(ValueError):  # noqa: N818 - a fault in the environment, not an error of ours
    """The environment holds settings that cannot be used; the text names each of them."""

    @classmethod
    def of(cls, faults: Sequence[str]) -> Self:
        """Put the lines about single settings together."""
        heading = "1 setting is wrong:" if len(faults) == 1 else f"{len(faults)} settings are wrong:"
        return cls("\n".join([heading, *faults]))


def _setting(default: object, kind: Kind[Any], description: str) -> Any:
    return field(default=default, metadata={"kind": kind, "description": description})


@dataclass(frozen=True)
class Settings:
    """Every setting, with its environment variable RUNAPI_<NAME> in capitals. An empty variable counts as unset."""

    home: Path = _setting(Path("./.runapi"), kinds.FOLDER, "the data folder")
    host: str = _setting("127.0.0.1", kinds.HOST, "the address to listen on; 0.0.0.0 for all")
    port: int = _setting(8000, kinds.PORT, "the port to listen on")
    log_level: LogLevel = _setting(
        LogLevel.INFO, kinds.LOG_LEVEL, "the least important lines that are logged"
    )

    public_url: str = _setting(
        "",
        kinds.PUBLIC_URL,
        "the URL under which customers reach this server; without it the address it listens on",
    )
    trusted_proxies: int = _setting(
        0,
        kinds.whole(0, 10),
        "proxies in front that add to X-Forwarded-For, for keys' allowed addresses",
    )

    database_url: Secret | None = _setting(
        None,
        kinds.DATABASE_URL,
        "a PostgreSQL database, postgresql://user:password@host/name, in place of SQLite",
    )
    test_balance_usd: int = _setting(
        1000, kinds.whole(0, 1_000_000), "play money in US dollars that a new account begins with"
    )

    max_body_bytes: int = _setting(32 * MIB, kinds.BYTES, "the largest request body")
    header_timeout_s: float = _setting(
        30.0,
        kinds.SECONDS,
        "time for a client to send the head of a request, and for an idle connection to send the next",
    )
    body_timeout_s: float = _setting(30.0, kinds.SECONDS, "time for a client to send the body of a request")
    stalled_reader_timeout_s: float = _setting(
        60.0, kinds.SECONDS, "time after which a client that reads nothing counts as gone"
    )

    connect_timeout_s: float = _setting(5.0, kinds.SECONDS, "time to connect to an upstream")
    first_byte_timeout_s: float = _setting(600.0, kinds.SECONDS, "time for an upstream to begin its answer")
    idle_timeout_s: float = _setting(120.0, kinds.SECONDS, "longest silence of an upstream inside an answer")
    total_timeout_s: float = _setting(1800.0, kinds.SECONDS, "time for a whole answer")

    heartbeat_first_s: float = _setting(
        15.0, kinds.SECONDS, "silence after which a stream gets its first sign of life"
    )
    heartbeat_every_s: float = _setting(10.0, kinds.SECONDS, "time between further signs of life")

    drain_timeout_s: float = _setting(
        120.0, kinds.SECONDS, "longest reading on for the usage report after the client left"
    )
    drain_bytes: int = _setting(16 * MIB, kinds.BYTES, "most bytes read on after the client left")
    most_drains: int = _setting(200, kinds.whole(0, 100_000), "most answers read on at the same time")

    stored_responses_days: int = _setting(
        30,
        kinds.whole(0, 3_650),
        "days for which answers of /v1/responses are kept, unless their request says not to; 0 for none",
    )
    hosted_tools: str = _setting(
        "",
        kinds.HOSTED_TOOLS,
        "tools run by upstreams that customers may use though each call costs you beside the tokens",
    )

    shutdown_timeout_s: float = _setting(30.0, kinds.SECONDS, "time for running requests to end at a stop")

    site: bool = _setting(True, kinds.FLAG, "whether the public site is served")
    brand: str = _setting("RunAPI", kinds.BRAND, "what the site calls this service")
    contact_email: str = _setting("", kinds.EMAIL, "where customers write to; shown on the site")
    site_hide: str = _setting("", kinds.PATHS, "pages that are not shown, with all below them")
    site_locales: str = _setting("", kinds.LOCALES, "languages to show beside English; empty for all")

    stripe_secret_key: Secret | None = _setting(
        None, kinds.STRIPE_KEY, "takes payments by Stripe; with a test key they are play money"
    )
    stripe_webhook_secret: Secret | None = _setting(
        None, kinds.SECRET, "checks Stripe's webhooks; without it their URL does not exist"
    )
    stripe_webhook_secret_before: Secret | None = _setting(
        None, kinds.SECRET, "the webhook secret being replaced, which counts as well"
    )
    stripe_api_base: str = _setting("https://api.stripe.com", kinds.API_BASE, "where Stripe's API is")

    @property
    def database(self) -> str | None:
        """The URL of the database, with its password; None for SQLite in the data folder."""
        return None if self.database_url is None else self.database_url.reveal()

    @property
    def test_balance_nano(self) -> int:
        """The play money of a new account, in nano-dollars."""
        return self.test_balance_usd * NANO_PER_USD

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """The secrets in force, the new one first."""
        both = (self.stripe_webhook_secret, self.stripe_webhook_secret_before)
        return tuple(secret.reveal().encode() for secret in both if secret is not None)


class Setting(NamedTuple):
    """What there is to know of a setting."""

    default: object
    kind: Kind[Any]
    description: str


SETTINGS = {
    one.name: Setting(one.default, one.metadata["kind"], one.metadata["description"])
    for one in fields(Settings)
}


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsFault: one or more cannot be used; all are named.
    """
    read: dict[str, Any] = {}
    faults: list[str] = []
    for name, setting in SETTINGS.items():
        given = environ.get(variable(name))
        if given:
            try:
                read[name] = setting.kind.read(given)
            except ValueError:
                faults.append(_describe(name, given))
    if not faults:
        return Settings(**read)
    raise SettingsFault.of(faults)


def variable(name: str) -> str:
    """The environment variable of the setting `name`."""
    return PREFIX + name.upper()


def allowed(name: str) -> str:
    """What the setting `name` may be, in words."""
    return SETTINGS[name].kind.words


def default_words(name: str) -> str:
    """What holds where the setting `name` is not given, as it would be written."""
    default = SETTINGS[name].default
    if isinstance(default, bool):
        return "on" if default else "off"
    if default is None or default == "":
        return NOTHING
    return f"{default:g}" if isinstance(default, float) else str(default)


def unknown_settings(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Say of each RUNAPI_ variable that nothing reads that it is not used, and which one may be meant."""
    known = [variable(name) for name in SETTINGS]
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
    """The nearest setting, where it is near: the prefix, which all share, does not count."""
    names = [one.removeprefix(PREFIX) for one in known]
    close = difflib.get_close_matches(name.removeprefix(PREFIX), names, n=1, cutoff=_NEAR)
    return f" Did you mean {PREFIX}{close[0]}?" if close else ""


def _describe(name: str, given: str) -> str:
    setting = SETTINGS[name]
    if setting.kind.is_secret:
        return f"  {variable(name)} cannot be used. Allowed: {allowed(name)}. Without it: {NOTHING}."
    shown = given if len(given) <= kinds.LONGEST_SHOWN else given[: kinds.LONGEST_SHOWN] + "..."
    return f"  {variable(name)} is {shown!r}. Allowed: {allowed(name)}. Without it: {default_words(name)}."
