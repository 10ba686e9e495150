"""The models on sale: what each takes, gives and costs. Read from files by `wire.catalog_file`."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from enum import StrEnum

import msgspec

from runapi.core.pricing import PriceTable

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""How hard a model may be asked to think, weakest first."""


class ModelStatus(StrEnum):
    """Whether a model can be called."""

    ACTIVE = "active"
    RETIRED = "retired"


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the catalogue. Token limits count tokens; prices are pico-dollars per token."""

    id: str
    owned_by: str
    released: date
    status: ModelStatus = ModelStatus.ACTIVE
    shutdown_date: date | None = None  # the day from which its maker no longer serves it
    successor: str | None = None
    snapshot: str | None = None
    context_window: int
    max_input_tokens: int
    max_output_tokens: int
    efforts: tuple[str, ...] = ()  # empty: not a reasoning model
    default_effort: str | None = None
    verbosity: tuple[str, ...] = ()
    input_modalities: tuple[str, ...] = ("text",)
    endpoints: tuple[str, ...]
    refused: tuple[str, ...] = ()  # parameters its maker refuses always
    refused_when_reasoning: tuple[str, ...] = ()  # ... and those it refuses at any effort but "none"
    chat_refuses_when_reasoning: tuple[str, ...] = ()  # kinds of tools that then need /v1/responses
    knowledge_cutoff: date | None = None
    official: PriceTable
    ours: PriceTable
    source: str
    note: str = ""

    @property
    def created(self) -> int:
        """The release day as Unix seconds (UTC midnight)."""
        return int(datetime.combine(self.released, time(), UTC).timestamp())

    def refuses(self, effort: str | None) -> tuple[str, ...]:
        """The parameters its maker refuses while it thinks this hard; `effort` is the one in effect."""
        return self.refused + (self.refused_when_reasoning if effort not in (None, "none") else ())

    def is_retired(self, today: date) -> bool:
        """Retired by the operator, or shut down by its maker on or before `today`."""
        return self.status is ModelStatus.RETIRED or (
            self.shutdown_date is not None and today >= self.shutdown_date
        )


class Catalog(msgspec.Struct, frozen=True):
    """All models, in the order in which they are shown."""

    models: Mapping[str, Model]

    def get(self, model_id: str) -> Model | None:
        return self.models.get(model_id)

    def find(self, name: str) -> Model | None:
        """The model of this id, or else the one whose snapshot has this name: both are the same model to us."""
        model = self.models.get(name)
        return model or next((model for model in self.models.values() if model.snapshot == name), None)
