"""Check what an operator typed: each fault is one sentence that says what is accepted. No I/O."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from runapi.core.catalog import Catalog
from runapi.core.routing import COST_RATIO_ONE_PPM
from runapi.flows.office import CommandRefused

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DECIMAL = re.compile(r"(?P<whole>[0-9]{1,2})(?:\.(?P<part>[0-9]{1,6}))?")
HOST = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"
)  # a name or an IPv6
GRAPHIC = re.compile(r"[!-~]+")
SANDBOX = "sandbox"
LONGEST_URL = 2_048
LONGEST_API_KEY = 8_192
LONGEST_MODEL = 256
LONGEST_SHOWN = 80
LOWEST_PRIORITY = 1_000_000
HIGHEST_COST_RATIO = 10
SHOWN_MODELS = 10


def quoted(text: str) -> str:
    """`text` as a message may show it: printable, and not too long."""
    return repr(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "...")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def check_name(kind: str, name: str) -> str:
    """Accept a name of 1 to 64 letters, digits, dots, hyphens and underscores."""
    if not NAME.fullmatch(name):
        raise CommandRefused(
            f"{quoted(name)} cannot be the name of an {kind}: use 1 to 64 of the letters a-z and A-Z, digits, "
            '"-", "_" and ".", beginning with a letter or digit.'
        )
    return name


def check_upstream_name(name: str) -> str:
    """Accept a name that is not the built-in provider's, which request rows show."""
    if name.lower() == SANDBOX:
        raise CommandRefused(f"{SANDBOX!r} is the name of the built-in provider: choose another name.")
    return check_name("upstream", name)


def check_base_url(url: str) -> str:
    """Accept an http or https URL with a host, and nothing after its path; give it without trailing slashes."""
    shown = quoted(_without_userinfo(url))
    if len(url) > LONGEST_URL or not GRAPHIC.fullmatch(url):
        raise CommandRefused(
            f"The base URL {shown} is not a URL: it must be 1 to {LONGEST_URL} characters of ASCII without spaces."
        )
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        raise CommandRefused(f"The base URL {shown} has a malformed host or port.") from None
    if parts.scheme not in {"http", "https"}:
        raise CommandRefused(f"The base URL {shown} must begin with https:// or http://.")
    if not has_port or not HOST.fullmatch(parts.hostname or ""):
        raise CommandRefused(f"The base URL {shown} has no host to connect to: write https://host/v1.")
    if "@" in parts.netloc:
        raise CommandRefused(
            "The base URL must not hold a user name or password: give the key with --api-key."
        )
    if "?" in url or "#" in url:
        raise CommandRefused(
            f"The base URL {shown} must end with its path: leave out everything from ? or # on. Only Azure's "
            "?api-version=... may stay."
        )
    return url.rstrip("/")


def check_api_key(key: str) -> str:
    """Accept a key that can stand in a header; the key itself is never in the message."""
    key = key.strip()
    if not key:
        raise CommandRefused(
            "The API key is empty. Give the upstream's key; if it needs none, give any word, such as none."
        )
    if len(key) > LONGEST_API_KEY or not GRAPHIC.fullmatch(key):
        raise CommandRefused(
            f"The API key must be 1 to {LONGEST_API_KEY} characters of ASCII without spaces or control characters: "
            "copy it again."
        )
    return key


def check_models(catalog: Catalog, models: Sequence[str], model_map: Mapping[str, str]) -> dict[str, str]:
    """Join the models under their own names and those under others; each of ours must be in the catalogue."""
    joined = {ours: ours for ours in models} | dict(model_map)
    if not joined:
        raise CommandRefused(
            "Name at least one model: --models gpt-5.5,gpt-5.4. `runapi models list` shows all."
        )
    for ours, theirs in joined.items():
        if catalog.get(ours) is None:
            raise CommandRefused(unknown_model(catalog, ours))
        if len(theirs) > LONGEST_MODEL or not theirs.isprintable() or not theirs.strip():
            raise CommandRefused(
                f"The upstream's name for {ours} must be 1 to {LONGEST_MODEL} printable characters: write {ours}=theirs."
            )
    return joined


def unknown_model(catalog: Catalog, model: str) -> str:
    """Say that the catalogue has no `model`, and what it has."""
    known = list(catalog.models)
    hint = did_you_mean(model, known) or f" There are {', '.join(known[:SHOWN_MODELS])}."
    return f"There is no model {quoted(model)} in the catalogue.{hint}"


def check_priority(priority: int) -> int:
    """Accept a whole number from 0 to a million."""
    if not 0 <= priority <= LOWEST_PRIORITY:
        raise CommandRefused(
            f"The priority must be a whole number from 0 (first) to {LOWEST_PRIORITY}, not {priority}."
        )
    return priority


def check_cost_ratio(ratio: str) -> int:
    """Read a decimal from 0 to 10 as exact millionths."""
    match = DECIMAL.fullmatch(ratio)
    ppm = (
        int(match["whole"]) * COST_RATIO_ONE_PPM + int((match["part"] or "").ljust(6, "0")) if match else None
    )
    if ppm is None or ppm > HIGHEST_COST_RATIO * COST_RATIO_ONE_PPM:
        raise CommandRefused(
            f"The cost ratio must be a decimal from 0 to {HIGHEST_COST_RATIO} with at most 6 places, such as 0.85; "
            f"not {quoted(ratio)}."
        )
    return ppm


def _without_userinfo(url: str) -> str:
    """A password typed into a URL must not come back in a message."""
    return url.rpartition("@")[2] if "@" in url else url
