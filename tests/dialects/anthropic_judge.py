"""The types of Anthropic's own SDK as a judge: each `check_...` passes in silence or says what is wrong.

The SDK takes any key and guesses where a type does not fit; here a value must be of the type that it says. Keys are held
against those that its types know, with one addition that is known and wanted: `usage.cost`.
"""

from collections.abc import Mapping
from typing import Any, get_args

from anthropic.types import Message, RawMessageStreamEvent
from pydantic import BaseModel, TypeAdapter

from fakes.anthropic_stream import ErrorType

_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
_ADDED = {"Usage": {"cost"}, "MessageDeltaUsage": {"cost"}}


def check_message(body: object) -> None:
    """A whole answer of POST /v1/messages."""
    _check_keys(Message.model_validate(body), "message")


def check_error(body: Any) -> None:
    """The body of a refusal, and the error event inside a stream."""
    assert set(body) == {"type", "error", "request_id"}, body
    assert body["type"] == "error"
    assert set(body["error"]) == {"type", "message"}
    assert body["error"]["type"] in get_args(ErrorType)
    assert body["error"]["message"]


def check_event(event: Mapping[str, Any]) -> None:
    """One event of a stream."""
    if event["type"] == "error":
        check_error(event)
    elif event["type"] == "ping":
        assert event == {"type": "ping"}
    else:
        _check_keys(_EVENT.validate_python(event), event["type"])


def _check_keys(value: object, place: str) -> None:
    """No key may stand anywhere that the SDK has no name for."""
    if isinstance(value, list):
        for index, one in enumerate(value):
            _check_keys(one, f"{place}[{index}]")
    if not isinstance(value, BaseModel):
        return
    unknown = set(value.model_extra or ()) - _ADDED.get(type(value).__name__, set())
    assert not unknown, f"{place}: the SDK knows no {unknown} in {type(value).__name__}"
    for name in value.model_fields_set:
        _check_keys(getattr(value, name), f"{place}.{name}")
