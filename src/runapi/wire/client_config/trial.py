"""One small request in the protocol that a client speaks, and what its answer says."""

import json
from collections.abc import Mapping

import msgspec

from runapi.wire.client_config.clients import Protocol
from runapi.wire.client_config.json_value import Json
from runapi.wire.client_config.offer import OfferedModel

PROMPT = "Say hello in one short sentence."
MOST_TOKENS = 1_000
LONGEST_SHOWN = 200


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `status` is None where nothing answered; amounts are exact decimals of US dollars."""

    ok: bool
    url: str
    status: int | None = None
    code: str | None = None
    said: str
    total_tokens: int | None = None
    cost_usd: str | None = None
    request_id: str | None = None


def trial_body(protocol: Protocol, model: OfferedModel) -> bytes:
    """The body of the request: with the least thinking that the model knows, and little output."""
    effort = model.efforts[0] if model.efforts else None
    asked: dict[str, object] = {"model": model.id}
    match protocol:
        case Protocol.CHAT:
            asked |= {"messages": [{"role": "user", "content": PROMPT}], "max_completion_tokens": MOST_TOKENS}
            asked |= {"reasoning_effort": effort} if effort else {}
        case Protocol.RESPONSES:
            asked |= {"input": PROMPT, "max_output_tokens": MOST_TOKENS, "store": False}
            asked |= {"reasoning": {"effort": effort}} if effort else {}
        case Protocol.MESSAGES:
            asked |= {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": MOST_TOKENS}
    return msgspec.json.encode(asked)


def read_answer(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Trial:
    """What an answer says; nothing in it is taken for granted, for it may come from any server."""
    answer = _read(body)
    request_id = headers.get("x-request-id")
    error = answer.get("error")
    if status != 200 or isinstance(error, Mapping):
        return _refused(url, status, request_id, error)
    text = _text(answer)
    if text is None:
        said = "This is not the answer of a model: the address may not be that of a RunAPI server."
        return Trial(ok=False, url=url, status=status, said=said)
    usage = answer.get("usage")
    numbers: Mapping[str, Json] = usage if isinstance(usage, Mapping) else {}
    cost = numbers.get("cost")
    return Trial(
        ok=True,
        url=url,
        status=status,
        said=text[:LONGEST_SHOWN],
        total_tokens=_total(numbers),
        cost_usd=None if cost is None else str(cost),
        request_id=request_id,
    )


def _refused(url: str, status: int, request_id: str | None, error: Json) -> Trial:
    told: Mapping[str, Json] = error if isinstance(error, Mapping) else {}
    message = told.get("message") or "No reason was given: the address may not be that of a RunAPI server."
    code = told.get("code") or told.get("type")
    return Trial(
        ok=False,
        url=url,
        status=status,
        code=None if code is None else str(code)[:LONGEST_SHOWN],
        said=str(message)[: 5 * LONGEST_SHOWN],
        request_id=request_id,
    )


def _read(body: bytes) -> Mapping[str, Json]:
    try:
        answer = json.loads(body, parse_float=str)
    except ValueError:
        return {}
    return answer if isinstance(answer, Mapping) else {}


def _text(answer: Mapping[str, Json]) -> str | None:
    """The text of an answer in any of the three protocols; None where it is none."""
    match answer:
        case {"choices": [{"message": {"content": content}}, *_]}:
            return str(content or "")
        case {"object": "response", "output": [*items]}:
            parts = [part for item in items if isinstance(item, Mapping) for part in _parts(item)]
        case {"type": "message"}:
            parts = _parts(answer)
        case _:
            return None
    return "".join(str(part.get("text") or "") for part in parts)


def _parts(item: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    content = item.get("content")
    return [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []


def _total(usage: Mapping[str, Json]) -> int | None:
    counts = [usage.get("total_tokens")]
    if counts == [None]:
        counts = [usage.get("input_tokens"), usage.get("output_tokens")]
    return sum(count for count in counts if isinstance(count, int)) or None
