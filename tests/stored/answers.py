"""Answers to be kept, and whose they are."""

import json

from runapi.core.keys import DisconnectPolicy, Mode, ParameterPolicy, Principal
from runapi.core.records import RequestRecord
from runapi.core.stored_responses import StoredResponse, pack
from runapi.wire.openai_responses.request import ResponsesRequest, read_responses_request

AT_US = 1_700_000_000_000_000
DAY_US = 24 * 3600 * 1_000_000


def principal(account_id: int = 1, mode: Mode = Mode.LIVE) -> Principal:
    """Who asks."""
    return Principal(
        key_id=account_id,
        account_id=account_id,
        mode=mode,
        prefix=f"rk-{mode}-{account_id}",
        on_disconnect=DisconnectPolicy.DRAIN,
        on_refused_parameter=ParameterPolicy.DROP,
    )


def stored(
    response_id: str = "resp_1",
    *,
    account_id: int = 1,
    mode: Mode = Mode.LIVE,
    at_us: int = AT_US,
    item_ids: tuple[str, ...] = ("msg_1",),
    body: bytes = b"{}",
    items: bytes = b"[]",
    upstream: str | None = "first",
) -> StoredResponse:
    """An answer as it is kept."""
    return StoredResponse(
        account_id=account_id,
        mode=mode,
        id=response_id,
        at_us=at_us,
        upstream=upstream,
        item_ids=item_ids,
        body=pack(body),
        items=pack(items),
    )


def record(account_id: int = 1, mode: Mode = Mode.LIVE, upstream: str | None = "first") -> RequestRecord:
    """The row of the request that was answered."""
    return RequestRecord(
        id="req_1",
        at_us=AT_US,
        account_id=account_id,
        key_id=account_id,
        mode=mode,
        endpoint="/v1/responses",
        model="gpt-5.5",
        stream=False,
        upstream=upstream,
    )


def request(**fields: object) -> ResponsesRequest:
    """A request for an answer."""
    return read_responses_request(json.dumps({"model": "gpt-5.5", "input": "Hi"} | fields).encode())


def message(text: str, item_id: str = "msg_1") -> dict[str, object]:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {
        "id": item_id,
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": content,
    }


def thought(item_id: str = "rs_1", encrypted: str | None = "gAAAA") -> dict[str, object]:
    return {"id": item_id, "type": "reasoning", "summary": [], "encrypted_content": encrypted}


def call(item_id: str = "fc_1", call_id: str = "call_1") -> dict[str, object]:
    return {
        "id": item_id,
        "type": "function_call",
        "status": "completed",
        "name": "look_up",
        "arguments": "{}",
        "call_id": call_id,
    }


def response(*output: dict[str, object], response_id: str = "resp_1", **fields: object) -> bytes:
    """A whole answer as its client gets it."""
    return json.dumps(
        {"id": response_id, "object": "response", "status": "completed", "output": list(output)} | fields
    ).encode()
