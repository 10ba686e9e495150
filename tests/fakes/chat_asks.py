"""Chat requests in neutral form and back, in short."""

import json

import pytest

from fakes import specification
from runapi.core.problems import Problem
from runapi.wire.neutral import Asked
from runapi.wire.openai_chat.ask import to_asked, write_asked
from runapi.wire.openai_chat.request import read_chat_request

USER = {"role": "user", "content": "Hi"}


def read(**fields):
    body = {"model": "gpt-5.5", "messages": [USER]} | fields
    return to_asked(read_chat_request(json.dumps(body).encode()))


def written(asked, model="gpt-5.5", output_cap=None):
    return json.loads(write_asked(asked, model, output_cap))


def items_of(*messages):
    return read(messages=list(messages)).items


def say(*items, **more):
    return written(Asked(model="gpt-5.5", items=items, **more))


def refusal_of(**fields):
    with pytest.raises(Problem) as caught:
        read(**fields)
    problem = caught.value
    specification.check_error(problem.body())
    assert problem.status == 400
    return problem.param
