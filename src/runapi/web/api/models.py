"""GET /v1/models and GET /v1/models/{id}, for three readers: OpenAI's clients, Codex and Anthropic's clients.

OpenAI's fields and no others, unless the reader shows that it is another: Codex, which asks for its catalogue, gets that
beside them; a client that names a version of Anthropic's API gets Anthropic's list.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

import msgspec

from runapi.core.catalog import Model
from runapi.core.keys import Principal
from runapi.core.problems import Problem, unknown_model
from runapi.core.stored_response_problems import unknown_place
from runapi.web.anthropic_problems import render_anthropic_problem
from runapi.web.call import Call
from runapi.web.query import Query
from runapi.web.services import Services
from runapi.wire.codex_models import CodexModel, describe_for_codex

PREFIX = "/v1/models/"
MOST_LISTED, DEFAULT_LISTED = 1_000, 20  # of Anthropic's list, which has pages
_ANTHROPICS = b"anthropic-version"
_CODEXS = "client_version"  # which Codex sends in the query, and nobody else
_CONVERSES = frozenset(("/v1/chat/completions", "/v1/responses", "/v1/messages"))
_LONGEST_SHOWN = 100


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
    models: list[CodexModel] | msgspec.UnsetType = msgspec.UNSET  # Codex's catalogue


class AnthropicModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model as Anthropic lists it."""

    type: str = "model"
    id: str
    display_name: str
    created_at: str
    lifecycle: str
    deprecated_at: str | None = None
    retires_at: str | None
    line: str | None = None
    max_input_tokens: int
    max_tokens: int
    capabilities: None = None


class AnthropicPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of Anthropic's list."""

    data: list[AnthropicModel]
    has_more: bool
    first_id: str | None
    last_id: str | None


async def list_models(services: Services, call: Call, principal: Principal) -> None:
    """List the models that are not retired, and that the key may use."""
    today = datetime.now(UTC).date()
    models = [
        model
        for model in services.catalog.models.values()
        if not model.is_retired(today) and services.admission.allows_model(principal, model.id)
    ]
    if _ANTHROPICS in call.headers:
        return await _answer_anthropics(call, models)
    listed = ModelList(data=[_describe(model) for model in models])
    if _asks_as_codex(call):
        listed = msgspec.structs.replace(listed, models=_describe_all_for_codex(services, models))
    return await call.respond_json(200, msgspec.json.encode(listed))


async def retrieve_model(services: Services, call: Call, principal: Principal) -> None:
    """Describe one model; 404 where there is none or the key may not use it, 410 where it is retired."""
    is_anthropics = _ANTHROPICS in call.headers
    try:
        name = call.path.removeprefix(PREFIX)
        model = services.relay.find_model(name)
        if not services.admission.allows_model(principal, model.id):
            raise unknown_model(name)
    except Problem as problem:
        if not is_anthropics:
            raise
        return await call.respond(*render_anthropic_problem(problem, call.request_id))
    described = _describe_for_anthropic(model) if is_anthropics else _describe(model)
    return await call.respond_json(200, msgspec.json.encode(msgspec.structs.replace(described, id=name)))


def _describe(model: Model) -> ModelObject:
    shutdown = model.shutdown_date.isoformat() if model.shutdown_date else None
    return ModelObject(id=model.id, created=model.created, owned_by=model.owned_by, shutdown_date=shutdown)


# ---- Codex -----------------------------------------------------------------------------------------------


def _asks_as_codex(call: Call) -> bool:
    return bool(call.query) and Query(call, (_CODEXS,), ignores_others=True).read_text(_CODEXS) is not None


def _describe_all_for_codex(services: Services, models: Sequence[Model]) -> list[CodexModel]:
    described = []
    for place, model in enumerate(filter(_converses, models)):
        price = services.admission.book.get(model.id)
        threshold = None if price is None else price.ours.long_threshold
        described.append(describe_for_codex(model, place, threshold))
    return described


def _converses(model: Model) -> bool:
    return not _CONVERSES.isdisjoint(model.endpoints)


# ---- Anthropic -------------------------------------------------------------------------------------------


async def _answer_anthropics(call: Call, models: Sequence[Model]) -> None:
    try:
        page = _cut(list(filter(_converses, models)), call)
    except Problem as problem:
        return await call.respond(*render_anthropic_problem(problem, call.request_id))
    return await call.respond_json(200, msgspec.json.encode(page))


def _cut(models: Sequence[Model], call: Call) -> AnthropicPage:
    """Cut the page out that the query asks for: behind `after_id`, or the one in front of `before_id`."""
    query = Query(call, ("limit", "after_id", "before_id"), ignores_others=True)
    limit = query.read_whole("limit", 1, MOST_LISTED, DEFAULT_LISTED)
    after, before = query.read_text("after_id"), query.read_text("before_id")
    ids = [model.id for model in models]
    begin = 0 if after is None else _find(ids, "after_id", after) + 1
    end = len(ids) if before is None else _find(ids, "before_id", before)
    between = models[begin:end]
    page = between[-limit:] if before is not None and after is None else between[:limit]
    return AnthropicPage(
        data=[_describe_for_anthropic(model) for model in page],
        has_more=len(between) > len(page),
        first_id=page[0].id if page else None,
        last_id=page[-1].id if page else None,
    )


def _find(ids: Sequence[str], param: str, model_id: str) -> int:
    try:
        return ids.index(model_id)
    except ValueError:
        raise unknown_place(param, model_id[:_LONGEST_SHOWN]) from None


def _describe_for_anthropic(model: Model) -> AnthropicModel:
    return AnthropicModel(
        id=model.id,
        display_name=model.id,
        created_at=_utc(model.released),
        lifecycle="active" if model.shutdown_date is None else "deprecated",
        retires_at=None if model.shutdown_date is None else _utc(model.shutdown_date),
        max_input_tokens=model.max_input_tokens,
        max_tokens=model.max_output_tokens,
    )


def _utc(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat().replace("+00:00", "Z")
