"""The values that a page's Markdown may use: `{{ price("gpt-5.5", "input") }}` and all the others."""

from typing import Any

import msgspec

from runapi.core.catalog import Model
from runapi.core.money import usd, usd_per_1m
from runapi.core.price_book import TIERS
from runapi.core.pricing import PriceTable, Rates, charge
from runapi.core.usage import Usage
from runapi.web.site.api_description import read_api
from runapi.web.site.choice import Order
from runapi.web.site.content import DEFAULT_LOCALE
from runapi.web.site.facts import abilities_of, abilities_on_sale, endpoints_of
from runapi.web.site.locale_format import LocaleFormat, price_text
from runapi.web.site.negotiate import Form
from runapi.web.site.offers import ClientConfigs
from runapi.web.site.paths import page_path, twin_path
from runapi.web.site.view import View

KINDS = {"input": "input", "cached_input": "cached", "cache_write": "cache_write", "output": "output"}


class ModelOnPage(msgspec.Struct, frozen=True, kw_only=True):
    """A model as pages speak of it. Days are texts such as 2026-08-07."""

    id: str
    name: str
    summary: str
    owned_by: str
    context_tokens: int
    max_input_tokens: int
    max_output_tokens: int
    efforts: list[str]
    default_effort: str | None
    verbosity: list[str]
    input_modalities: list[str]
    endpoints: list[str]
    able: list[str]  # what it can be chosen for, by the words after able_ in the strings
    refused: list[str]
    refused_when_reasoning: list[str]
    released: str
    created: int
    knowledge_cutoff: str | None
    shutdown_date: str | None
    snapshot: str | None
    source: str


class Values:
    """Fills in what pages ask for, in the locale of one view."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._facts = view.facts
        self._strings = view.library.strings[view.page.locale]
        self._format = LocaleFormat(view.page.locale)
        self.uses_live = False  # what was rendered holds for some seconds only

    def context(self) -> dict[str, Any]:
        """Everything by the name under which Markdown and templates know it."""
        view, facts = self._view, self._facts
        models = [self._on_page(model) for model in facts.models.values()]
        return {
            "base_url": f"{view.site_url}/v1",
            "site_url": view.site_url,
            "brand": facts.operator.brand,
            "contact_email": facts.operator.contact_email,
            "models": models,
            "model": self.model_of(view.page.model) if view.page.model else None,
            "abilities": abilities_on_sale(facts),
            "choice": view.choice,
            "orders": list(Order),
            "ordered": self._in_order(models),
            "default_model": models[0] if models else None,
            "model_of": self.model_of,
            "price": self.price,
            "official": self.official,
            "rate": self.rate,
            "saving": self.saving,
            "saving_percent": self.saving_percent,
            "least_saving": self.least_saving,
            "share": self.share,
            "tiers": self.tiers,
            "long_threshold": self.long_threshold,
            "cost_of": self.cost_of,
            "state_of": self.state_of,
            "live_at": self.live_at,
            "locale": view.page.locale,
            "page_path": view.page.path,
            "n": self._format.number,
            "usd": self._format.usd,
            "percent": self._format.percent,
            "date": self._format.date,
            "link": self.link,
            "t": self.t,
            "label": self.label,
            "extra": view.extra,
            "limits": facts.limits,
            "openapi": read_api(),
            **ClientConfigs(facts, f"{view.site_url}/v1").context(),
        }

    # ---- models and prices -------------------------------------------------------------------------------

    def model_of(self, model_id: str) -> ModelOnPage:
        return self._on_page(self._model(model_id))

    def price(self, model_id: str, kind: str, tier: str = "standard") -> str:
        """What we charge for 1,000,000 tokens, as "2.50"."""
        return self.rate("ours", model_id, kind, tier)

    def official(self, model_id: str, kind: str, tier: str = "standard") -> str:
        """What the model's maker charges for them."""
        return self.rate("official", model_id, kind, tier)

    def rate(self, seller: str, model_id: str, kind: str, tier: str = "standard") -> str:
        """A price of either seller, in USD; empty where it has no such tier."""
        rates = getattr(self._table(seller, model_id), tier)
        return "" if rates is None else price_text(usd_per_1m(_rate(rates, kind)))

    def tiers(self, model_id: str) -> list[str]:
        """The tiers for which the model has a price, standard first."""
        ours = self._table("ours", model_id)
        return [tier for tier in TIERS if getattr(ours, tier) is not None]

    def long_threshold(self, model_id: str) -> int | None:
        """The input tokens above which the tier "long" prices a request."""
        return self._table("ours", model_id).long_threshold

    def saving_percent(self, model_id: str) -> int:
        """What a customer surely saves against the official price, on every kind of token: a whole percentage."""
        ours, official = self._table("ours", model_id).standard, self._table("official", model_id).standard
        return max(min(_saved(ours, official, kind) for kind in ("input", "cached_input", "output")), 0)

    def saving(self, model_id: str) -> str:
        return self._format.percent(self.saving_percent(model_id))

    def least_saving(self) -> str:
        """What a customer surely saves whatever the model; empty where that is nothing."""
        least = min((self.saving_percent(model) for model in self._facts.models), default=0)
        return self._format.percent(least) if least else ""

    def share(self, seller: str, model_id: str, kind: str) -> str:
        """A standard price as a percentage of the dearest official one, for charts: "33.33"."""
        most = max(_rate(self._table("official", model).standard, kind) for model in self._facts.models)
        whole, part = divmod(
            _rate(self._table(seller, model_id).standard, kind) * 10_000 // max(most, 1), 100
        )
        return f"{whole}.{part:02d}"

    def cost_of(self, model_id: str, **tokens: int) -> str:
        """What a request with so many tokens costs, in USD, as `usage.cost` says it."""
        return usd(charge(self._table("ours", model_id), Usage(**tokens)).nano)

    def _in_order(self, models: list[ModelOnPage]) -> list[ModelOnPage]:
        """All models, in the order that the URL asks for; among equals the best goes first."""
        match self._view.choice.order:
            case Order.PRICE:
                return sorted(models, key=lambda model: self._table("ours", model.id).standard.output)
            case Order.CONTEXT:
                return sorted(models, key=lambda model: -model.context_tokens)
            case Order.NEWEST:
                return sorted(models, key=lambda model: -model.created)
            case Order.BEST:
                return models

    def _model(self, model_id: str) -> Model:
        return self._facts.models[model_id]

    def _table(self, seller: str, model_id: str) -> PriceTable:
        price = self._facts.prices[model_id]
        return price.ours if seller == "ours" else price.official

    def _on_page(self, model: Model) -> ModelOnPage:
        return ModelOnPage(
            id=model.id,
            name=display_name(model.id),
            summary=self._strings.summaries.get(model.id, ""),
            owned_by=model.owned_by,
            context_tokens=model.context_window,
            max_input_tokens=model.max_input_tokens,
            max_output_tokens=model.max_output_tokens,
            efforts=list(model.efforts),
            default_effort=model.default_effort,
            verbosity=list(model.verbosity),
            input_modalities=list(model.input_modalities),
            endpoints=endpoints_of(model, self._facts.served),
            able=abilities_of(model, self._facts.served),
            refused=list(model.refused),
            refused_when_reasoning=list(model.refused_when_reasoning),
            released=model.released.isoformat(),
            created=model.created,
            knowledge_cutoff=model.knowledge_cutoff.isoformat() if model.knowledge_cutoff else None,
            shutdown_date=model.shutdown_date.isoformat() if model.shutdown_date else None,
            snapshot=model.snapshot,
            source=model.source,
        )

    # ---- what is going on --------------------------------------------------------------------------------

    def state_of(self, model_id: str) -> Any:
        """How the model does at this moment: see LiveState."""
        self.uses_live = True
        return self._view.live.of(model_id)

    def live_at(self) -> str:
        """When that was seen, in UTC."""
        self.uses_live = True
        return self._format.time(self._view.live.seen_us)

    # ---- words and links ---------------------------------------------------------------------------------

    def t(self, key: str, **values: object) -> str:
        """A short text of this locale.

        Raises:
            KeyError: the locale has none.
        """
        text = self._strings.texts[key]
        return text.format(**values) if values else text

    def label(self, key: str, text: str = "") -> str:
        """A short text as the label of another: "Order: cheapest first", or "Note:"."""
        return self.t("labelled", label=self.t(key), text=text).rstrip()

    def link(self, path: str) -> str:
        """The URL of a page in this locale; empty where the operator hides it. Twins link to twins."""
        name, mark, anchor = path.partition("#")
        library, locale = self._view.library, self._view.page.locale
        target = name.strip("/")
        if library.find(locale, target) is None:
            if library.find(DEFAULT_LOCALE, target) is None:
                return "" if target in library.hidden else path
            locale = DEFAULT_LOCALE
        if self._view.form is Form.MARKDOWN:
            return f"{self._view.site_url}{twin_path(locale, target)}{mark}{anchor}"
        return f"{page_path(locale, target)}{mark}{anchor}"


def display_name(model_id: str) -> str:
    """A model's name in running text: "gpt-5.4-mini" -> "GPT-5.4 mini"; others are called by their ids."""
    maker, _, rest = model_id.partition("-")
    if maker != "gpt":
        return model_id
    version, _, variant = rest.partition("-")
    if variant == "codex":
        return f"GPT-{version}-Codex"
    return f"GPT-{version} {variant}".rstrip()


def _rate(rates: Rates, kind: str) -> int:
    rate: int = getattr(rates, KINDS[kind])
    return rate


def _saved(ours: Rates, official: Rates, kind: str) -> int:
    theirs = _rate(official, kind)
    return (theirs - _rate(ours, kind)) * 100 // theirs if theirs else 0
