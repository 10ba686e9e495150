"""GET /v1/models and GET /v1/models/{id}: OpenAI's fields and no others."""

from datetime import UTC, datetime

import msgspec

from runapi.core.catalog import Model
from runapi.core.keys import Principal
from runapi.core.problems import unknown_model
from runapi.web.asgi import Call
from runapi.web.services import Services

PREFIX = "/v1/models/"


class ModelObject(msgspec.Struct, frozen=True, kw_only=True):
    """A model as OpenAI lists it."""

    id: str
    object: str = "model"
    created: int
    owned_by: str
    shutdown_date: str | None


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """All models that can be called."""

    object: str = "list"
    data: list[ModelObject]


async def list_models(services: Services, call: Call, principal: Principal) -> None:
    """List the models that are not retired, and that the key may use."""
    today = datetime.now(UTC).date()
    models = [
        _describe(model)
        for model in services.catalog.models.values()
        if not model.is_retired(today) and services.admission.allows_model(principal, model.id)
    ]
    await call.respond_json(200, msgspec.json.encode(ModelList(data=models)))


async def retrieve_model(services: Services, call: Call, principal: Principal) -> None:
    """Describe one model; 404 where there is none or the key may not use it, 410 where it is retired."""
    model = services.relay.find_model(call.path.removeprefix(PREFIX))
    if not services.admission.allows_model(principal, model.id):
        raise unknown_model(model.id)
    await call.respond_json(200, msgspec.json.encode(_describe(model)))


def _describe(model: Model) -> ModelObject:
    shutdown = model.shutdown_date.isoformat() if model.shutdown_date else None
    return ModelObject(id=model.id, created=model.created, owned_by=model.owned_by, shutdown_date=shutdown)
