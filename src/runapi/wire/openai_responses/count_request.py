"""The body of POST /v1/responses/input_tokens: that of a request for an answer, but for the model."""

import msgspec
from msgspec import Raw

from runapi.core.problems import Problem
from runapi.wire.openai_chat.request import read_fields
from runapi.wire.openai_responses.request import ResponsesRequest, read_responses_request

_NO_MODEL = Raw(b'""')


def read_input_tokens_request(body: bytes) -> ResponsesRequest:
    """Read it; without a model its name is empty.

    Raises:
        Problem: 400, naming the parameter and what was expected.
    """
    try:
        return read_responses_request(body)
    except Problem as problem:
        if (problem.param, problem.code) != ("model", "missing_required_parameter"):
            raise
    fields = read_fields(body)
    fields["model"] = _NO_MODEL
    return read_responses_request(msgspec.json.encode(fields))
