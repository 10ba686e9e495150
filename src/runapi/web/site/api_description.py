"""The OpenAPI file of this installation: ours, with its own address and name."""

from functools import lru_cache
from typing import Any

import msgspec
import yaml

from runapi.web.site.content import PACKAGED

FILE = PACKAGED / "openapi.yaml"
NAMES = ("openapi.yaml", "openapi.json")
_ADDRESS = "http://127.0.0.1:8000"
_TITLE = "title: RunAPI"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def write_api(site_url: str, brand: str) -> str:
    """The file as YAML."""
    text = FILE.read_text("utf-8").replace(_ADDRESS, site_url)
    return text.replace(_TITLE, f"title: {msgspec.json.encode(brand).decode()}", 1)


def write_api_json(site_url: str, brand: str) -> str:
    """The file as JSON."""
    return msgspec.json.encode(_read(write_api(site_url, brand))).decode()


@lru_cache(maxsize=1)
def _parse(_stamp: tuple[int, int]) -> Any:
    return _read(FILE.read_text("utf-8"))


def read_api() -> Any:
    """The file as objects, for the page that is made of it; read again when it has changed."""
    stat = FILE.stat()
    return _parse((stat.st_mtime_ns, stat.st_size))


def _read(text: str) -> Any:
    return yaml.load(text, _LOADER)  # noqa: S506 - a safe loader, the fast one
