"""All that the sandbox answers, by the path below an upstream's base URL. Start here."""

import functools
from collections.abc import Mapping

import msgspec

from runapi.core.problems import Problem, unknown_url
from runapi.upstream.sandbox import chat, completions, embeddings, moderations, responses
from runapi.upstream.sandbox.context import NO_LIMITS, Limits
from runapi.upstream.sandbox.plans import Plan, Planner, refuse
from runapi.upstream.sandbox.player import SandboxReply, play

CHAT = "/chat/completions"
COMPLETIONS = "/completions"
EMBEDDINGS = "/embeddings"

PLANNERS: Mapping[str, Planner] = {
    CHAT: chat.plan,
    "/responses": responses.plan,
    "/responses/input_tokens": responses.plan_count,
    EMBEDDINGS: embeddings.plan,
    COMPLETIONS: completions.plan,
    "/moderations": moderations.plan,
}

_HEAVY = (EMBEDDINGS,)  # a short body can ask for much arithmetic
_RESPONSES_ONLY = "gpt-5.3-codex"


async def answer(
    path: str, body: bytes, *, request_id: str, is_strict: bool = False, limits: Limits = NO_LIMITS
) -> SandboxReply:
    """Answer a request as OpenAI would; every refusal is a reply, too.

    Args:
        path: below the base URL, such as "/chat/completions", without a query.
        body: the request's JSON, or anything else.
        request_id: sent back as x-request-id.
        is_strict: refuse a model where OpenAI does not serve it. Otherwise every model is served on every path.
        limits: the most input tokens of each model.
    """
    return await play(
        functools.partial(plan, path, body, request_id, is_strict=is_strict, limits=limits),
        len(body),
        is_light=path not in _HEAVY,
    )


def plan(
    path: str,
    body: bytes,
    request_id: str,
    created: int,
    *,
    is_strict: bool = False,
    limits: Limits = NO_LIMITS,
) -> Plan:
    """Plan the reply to what `answer` was given, at the Unix time `created`."""
    planner = PLANNERS.get(path)
    if planner is None:
        return refuse(unknown_url("POST", f"/v1{path}"), request_id)
    problem = _wrong_endpoint(path, body) if is_strict else None
    return planner(body, request_id, created, limits) if problem is None else refuse(problem, request_id)


class _Named(msgspec.Struct):
    model: str = ""


def _wrong_endpoint(path: str, body: bytes) -> Problem | None:
    try:
        model = msgspec.json.decode(body, type=_Named).model
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # the planner says what is wrong with it
    if path == CHAT and model.startswith(_RESPONSES_ONLY):
        endpoint, other = "v1/chat/completions", "v1/completions"
        text = f"This is not a chat model and thus not supported in the {endpoint} endpoint. Did you mean to use {other}?"
        return Problem(404, text, param="model")
    if path == COMPLETIONS and model.startswith("gpt-5"):
        endpoint, other = "v1/completions", "v1/chat/completions"
        text = (
            f"This is a chat model and not supported in the {endpoint} endpoint. Did you mean to use {other}?"
        )
        return Problem(404, text, param="model")
    return None
