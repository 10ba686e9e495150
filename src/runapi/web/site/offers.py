"""Configurations of clients in pages, and the offer that they are made of, as `runapi connect` reads it.

Both are written by the functions that write the files: what a page shows is what the command writes.
"""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from runapi.web.site.facts import TEXT_PROTOCOLS, Facts
from runapi.wire.client_config.aider import aider_metadata
from runapi.wire.client_config.claude_code import claude_code_text
from runapi.wire.client_config.codex import codex_text
from runapi.wire.client_config.offer import Offer, encode_offer, offer_model
from runapi.wire.client_config.openclaw import openclaw_commands, openclaw_text
from runapi.wire.client_config.opencode import opencode_text
from runapi.wire.client_config.private_names import is_private_name
from runapi.wire.client_config.wanted import Wanted

Write = Callable[[Wanted], str]


def make_offer(facts: Facts, base_url: str) -> Offer:
    """The models that write text, at the prices in force."""
    return Offer(
        base_url=base_url,
        models=tuple(
            offer_model(model, facts.prices[model.id].ours)
            for model in facts.models.values()
            if any(path in TEXT_PROTOCOLS for path in model.endpoints)
        ),
    )


def write_offer(facts: Facts, base_url: str) -> str:
    """The offer as JSON."""
    return encode_offer(make_offer(facts, base_url)).decode()


class ClientConfigs:
    """What pages may ask for, as text without a newline at its end: `{{ openclaw_config() }}`.

    Without models it is for the best one and a second: what OpenClaw falls back on, what others do small tasks with.
    `openclaw_config("gpt-5.4")` begins with that model, `openclaw_config("gpt-5.5", "gpt-5.2")` names both.
    """

    def __init__(self, facts: Facts, base_url: str) -> None:
        self._offer = make_offer(facts, base_url)
        self._is_private = is_private_name(urlsplit(base_url).hostname or "")

    def context(self) -> dict[str, Callable[..., object]]:
        """Everything by the name under which pages know it."""
        return {
            "openclaw_config": self._writer(openclaw_text, self._offer.beside),
            "openclaw_commands": self._writer(openclaw_commands, self._offer.beside),
            "codex_config": self._writer(codex_text, self._small),
            "claude_code_config": self._writer(claude_code_text, self._small),
            "opencode_config": self._writer(opencode_text, self._small),
            "aider_metadata": self._writer(aider_metadata, self._small),
            "small_model": self._offer.cheapest,
            "text_models": self.text_models,
        }

    def text_models(self, prefix: str = "") -> list[str]:
        """The ids of the models that write text and whose names begin so, best first."""
        return [model.id for model in self._offer.models if model.id.startswith(prefix)]

    def _small(self, _first: str) -> str:
        return self._offer.cheapest()

    def _writer(self, write: Write, second_to: Callable[[str], str | None]) -> Callable[..., str]:
        def text(*model_ids: str) -> str:
            first = model_ids[0] if model_ids else self._offer.models[0].id
            second = None if len(model_ids) > 1 else second_to(first)
            chosen = dict.fromkeys([first, *model_ids, *filter(None, [second])])
            return write(self._wanted(first, chosen)).rstrip("\n")

        return text

    def _wanted(self, model: str, chosen: Iterable[str]) -> Wanted:
        return Wanted(offer=self._offer.only(chosen), model=model, is_private_name=self._is_private)
