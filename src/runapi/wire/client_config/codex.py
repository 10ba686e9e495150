"""Codex's `config.toml`. It speaks /v1/responses and nothing else."""

from runapi.wire.client_config import toml_edit
from runapi.wire.client_config.offer import PROVIDER
from runapi.wire.client_config.toml_reader import read_toml
from runapi.wire.client_config.wanted import Wanted

CATALOGUE_PATH = "/models"

_PROVIDER = ("model_providers", PROVIDER)
_BY_KEY, _BY_NAME = "experimental_bearer_token", "env_key"


def codex_text(wanted: Wanted) -> str:
    """The whole configuration of a fresh Codex."""
    return connect_codex("", wanted)


def connect_codex(old: str, wanted: Wanted) -> str:
    """The new text of the file; everything that is not about us stays.

    Raises:
        ConfigFault: the old text cannot be changed.
    """
    old = old if old.strip() else ""
    before = read_toml(old)
    text = toml_edit.put(old, ("model",), wanted.model)
    text = toml_edit.put(text, ("model_provider",), PROVIDER)
    if "web_search" not in before:  # searches run at the provider and cost extra
        text = toml_edit.put(text, ("web_search",), "disabled")
    for name, value in _provider(wanted).items():
        text = toml_edit.put(text, (*_PROVIDER, name), value)
    text = toml_edit.remove(text, (*_PROVIDER, _BY_NAME if wanted.key else _BY_KEY))
    return toml_edit.put(text, ("features", "api_key_model_discovery"), value=True)


def _provider(wanted: Wanted) -> dict[str, str]:
    base_url = wanted.offer.base_url
    by_key = {_BY_KEY: wanted.key} if wanted.key else {_BY_NAME: wanted.variable}
    return {
        "name": "RunAPI",
        "base_url": base_url,
        **by_key,
        "wire_api": "responses",
        "model_catalog_url": base_url + CATALOGUE_PATH,
    }
