"""What aider has to know of models that stand in no list of its own: their limits and their prices."""

from decimal import Decimal

from runapi.wire.client_config.json_value import Json, write_json
from runapi.wire.client_config.offer import OfferedModel
from runapi.wire.client_config.wanted import Wanted

_TOKENS_PER_PRICE = Decimal(1_000_000)


def aider_metadata(wanted: Wanted) -> str:
    """The text of `.aider.model.metadata.json`."""
    return write_json({f"openai/{model.id}": _model(model) for model in wanted.offer.models}) + "\n"


def _model(model: OfferedModel) -> dict[str, Json]:
    cost: dict[str, Json] = {}
    if model.price is not None:
        rates = model.price
        cost = {
            "input_cost_per_token": rates.input / _TOKENS_PER_PRICE,
            "cache_read_input_token_cost": rates.cached / _TOKENS_PER_PRICE,
            "output_cost_per_token": rates.output / _TOKENS_PER_PRICE,
        }
    return {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_input_tokens": model.working_tokens,
        "max_output_tokens": model.max_output_tokens,
        **cost,
    }
