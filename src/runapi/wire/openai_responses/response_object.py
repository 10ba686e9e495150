"""The response object: what was asked, said again as OpenAI says it, around what was answered."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec
from msgspec import Raw

from runapi.wire.openai_chat.request import NULL, Fields, is_null
from runapi.wire.openai_responses.request import ResponsesRequest

_EMPTY = Raw(b"{}")
_FALSE = Raw(b"false")
_ZERO = Raw(b"0.0")


class Status(StrEnum):
    """How far a response, or one of its items, has come."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class ResponseObject:
    """Writes the response object of one answer, always with every key that the API's own has.

    Args:
        request: what was asked.
        model: the client's name for the model.
        response_id: of the answer.
        created_s: when it was asked, in Unix seconds.
    """

    def __init__(self, request: ResponsesRequest, model: str, response_id: str, created_s: int) -> None:
        self._request = request
        self._model = model
        self._id = response_id
        self._created_s = created_s
        self._asked = _echo(request)

    def write(
        self,
        status: Status,
        output: Iterable[Raw] = (),
        *,
        usage: Raw = NULL,
        service_tier: str | None = None,
        error: dict[str, str] | None = None,
        incomplete: str | None = None,
        completed_s: int | None = None,
    ) -> Raw:
        """Write it.

        Args:
            status: how far the answer has come.
            output: its finished items.
            usage: what it consumed.
            service_tier: the one that served it.
            error: code and message, where it failed.
            incomplete: the reason why it is not whole.
            completed_s: when it was whole, in Unix seconds.
        """
        default_tier = "auto" if status is Status.IN_PROGRESS else "default"
        head: dict[str, object] = {
            "id": self._id,
            "object": "response",
            "created_at": self._created_s,
            "status": str(status),
            "completed_at": completed_s,
            "error": error,
            "incomplete_details": None if incomplete is None else {"reason": incomplete},
            "model": self._model,
            "output": list(output),
            "usage": usage,
            "service_tier": service_tier or self._request.service_tier or default_tier,
        }
        return Raw(msgspec.json.encode(head | self._asked))


def _echo(request: ResponsesRequest) -> dict[str, object]:
    """What the answer says again of the request, with the values that hold where nothing was said."""
    fields = request.fields

    def said(name: str, default: object = None) -> object:
        raw = fields.get(name)
        return default if raw is None or is_null(raw) else raw

    return {
        "background": False,
        "frequency_penalty": _ZERO,
        "instructions": said("instructions"),
        "max_output_tokens": said("max_output_tokens"),
        "max_tool_calls": said("max_tool_calls"),
        "metadata": said("metadata", _EMPTY),
        "parallel_tool_calls": said("parallel_tool_calls", default=True),
        "presence_penalty": _ZERO,
        "previous_response_id": said("previous_response_id"),
        "prompt_cache_key": said("prompt_cache_key"),
        "reasoning": _filled(fields.get("reasoning", NULL), {"effort": NULL, "summary": NULL}),
        "safety_identifier": said("safety_identifier"),
        "store": request.store,
        "temperature": said("temperature", Raw(b"1.0")),
        "text": _filled(
            fields.get("text", NULL), {"format": Raw(b'{"type":"text"}'), "verbosity": Raw(b'"medium"')}
        ),
        "tool_choice": said("tool_choice", "auto"),
        "tools": _write_tools(fields.get("tools", NULL)),
        "top_logprobs": said("top_logprobs", 0),
        "top_p": said("top_p", Raw(b"1.0")),
        "truncation": "disabled",  # whatever was asked: nobody but OpenAI cuts a long input
        "user": said("user"),
    }


def _filled(raw: Raw, defaults: Fields) -> Fields:
    """Fill what is missing in an object."""
    if is_null(raw):
        return defaults
    fields = msgspec.json.decode(raw, type=Fields)
    return defaults | {name: value for name, value in fields.items() if not is_null(value)}


def _write_tools(raw: Raw) -> list[Raw | Fields]:
    if is_null(raw):
        return []
    return [_write_tool(tool) for tool in msgspec.json.decode(raw, type=list[Raw])]


def _write_tool(raw: Raw) -> Raw | Fields:
    """Write a tool, a function with all its keys."""
    fields = msgspec.json.decode(raw, type=Fields)
    if bytes(fields["type"]) != b'"function"':
        return raw
    absent = {"description": NULL, "parameters": NULL, "strict": _FALSE}
    return _filled(raw, {"type": fields["type"]} | absent)
