"""A request is told the same of its fields whether one pass reads them all or each is read for itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.core.problems import Problem
from runapi.wire.openai_chat.request import _TYPES, read_chat_request
from runapi.wire.openai_chat.shape import read_shape

VALUES = st.sampled_from(
    [
        *(
            "null",
            "true",
            "false",
            '""',
            '"x"',
            '"\\u0061"',
            '"é"',
            "[]",
            "[ ]",
            "[1]",
            '["a"]',
            "{}",
            '{"a":1}',
        ),
        *(
            "0",
            "-0",
            "1",
            "-1",
            "1.0",
            "1.5",
            "2",
            "2.1",
            "-2",
            "-2.1",
            "20",
            "21",
            "128",
            "129",
            "1e2",
            "1e999",
        ),
        *("9007199254740992", "9007199254740993", "9223372036854775807", "9223372036854775808"),
        *("-9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" * 5000),
        *('{"include_usage":true}', '{"include_usage":null}', '{"include_usage":1}'),
        *('[{"type":"function"}]', '[{"type":"web_search"}]', '[{"type":1}]', "[{}]", "[null]"),
        *('[{"role":"user"}]', '[{"role":"user","content":[]}]', '[{"role":"user","content":5}]'),
        *(
            '[{"role":"robot"}]',
            '[{"role":"user","audio":{"id":"a"}}]',
            '[{"role":"assistant","audio":null}]',
        ),
    ]
)
FIELDS = st.lists(
    st.tuples(st.sampled_from([*sorted(_TYPES), "x_unknown", "mod\\u0065l"]), VALUES), max_size=4
)
GOOD = '"model":"m","messages":[{"role":"user","content":"Hi"}]'


def read(body):
    """What is read of a body, or the problem with it."""
    try:
        request = read_chat_request(body.encode())
    except Problem as problem:
        return problem.status, problem.code, problem.param, problem.message
    fields = {name: bytes(raw) for name, raw in request.fields.items() if name != "n"}
    return fields, request.model, request.stream, request.wants_usage, request.effort, read_shape(request)


@given(FIELDS.filter(lambda fields: all(name != "n" for name, _ in fields)))
def test_a_wrong_value_that_another_one_follows_changes_nothing(fields):
    written = "".join(f',"{name}":{value}' for name, value in fields)
    once = read(f'{{"n":null,{GOOD}{written}}}')
    assert read(f'{{"n":"wrong",{GOOD}{written},"n":null}}') == once


@pytest.mark.parametrize("name", sorted(_TYPES.keys() - {"n"}))
@given(value=VALUES)
def test_every_known_field_is_read_alike_in_one_pass_and_for_itself(name, value):
    once = read(f'{{"n":null,{GOOD},"{name}":{value}}}')
    assert read(f'{{"n":[],{GOOD},"{name}":{value},"n":null}}') == once


def test_the_last_value_of_a_key_goes_upstream_and_is_what_we_read():
    request = read_chat_request(
        f'{{"stream":1,"max_tokens":"x",{GOOD},"model":"last","max_tokens":7,"stream":true}}'.encode()
    )
    assert (request.model, request.stream, request.max_tokens) == ("last", True, 7)
    assert {name: bytes(raw) for name, raw in request.fields.items()} == {
        "stream": b"true",
        "max_tokens": b"7",
        "model": b'"last"',
        "messages": b'[{"role":"user","content":"Hi"}]',
    }
