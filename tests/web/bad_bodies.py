"""Bodies that are refused before anything is called, each with the parameter and code that the client is told."""

import json

import msgspec

from web.exchange import GOOD

MESSAGES = GOOD["messages"]
DEEP = 100_000


class BadBody(msgspec.Struct, frozen=True):
    """One body, and what is said of it."""

    what: str
    body: bytes
    code: str
    param: str | None = None
    status: int = 400

    def __str__(self) -> str:
        return self.what


def with_field(name: str, raw: bytes) -> bytes:
    """A good body and one more field, as raw JSON."""
    return json.dumps(GOOD).encode()[:-1] + b',"%b":%b}' % (name.encode(), raw)


def with_message(raw: bytes) -> bytes:
    return b'{"model":"gpt-5.5","messages":[%b]}' % raw


def with_model(model: str) -> bytes:
    return json.dumps({"model": model, "messages": MESSAGES}).encode()


NOT_JSON = {
    "nothing": b"",
    "white space": b" \r\n",
    "a brace": b"{",
    "a body that was cut": json.dumps(GOOD).encode()[:-3],
    "two objects": b"{}{}",
    "words behind the object": b"{} x",
    "single quotes": b"{'model':'gpt-5.5'}",
    "a comma too many": b'{"model":"gpt-5.5","messages":[],}',
    "a form": b"model=gpt-5.5&messages=Hi",
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
    "Latin-1": with_field("user", b'"\xe9"'),
    "invalid UTF-8 in a message": with_message(b'{"role":"user","content":"\xff"}'),
    "overlong UTF-8": with_message(b'{"role":"user","content":"\xc0\xaf"}'),
    "half a surrogate pair": with_message(b'{"role":"user","content":"\\ud800"}'),
    "half a surrogate pair as the model": b'{"model":"\\ud800","messages":[{"role":"user"}]}',
    "an unknown escape": with_field("x", b'"\\x"'),
    "a raw control character": with_field("x", b'"\x01"'),
    "an unknown field 100,000 deep": with_field("x", b"[" * DEEP + b"]" * DEEP),
    "content 100,000 deep": with_message(b'{"role":"user","content":%b}' % (b"[" * DEEP + b"]" * DEEP)),
    "metadata 100,000 deep": with_field("metadata", b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "a model 100,000 deep": b'{"model":' + b"[" * DEEP,
    **{
        f"temperature {word}": with_field("temperature", word.encode())
        for word in ("NaN", "Infinity", "-Infinity", "0x1", "01", ".5", "1.", "+1", "True")
    },
    "NaN in an unknown field": with_field("x", b"NaN"),
}

NOT_AN_OBJECT = {"null": b"null", "an array": b"[]", "a string": b'"Hi"', "a number": b"12", "true": b"true"}

WRONG_TYPES = {
    "messages": ["Hi", {}, 5, True, [5], [None], [[]], ["Hi"]],
    "model": [5, 5.5, True, [], {}],
    "stream": ["yes", 1, 0, [], {}],
    "stream_options": [True, "x", [], 1],
    "tools": ["x", {}, 1, [1], [None], ["x"]],
    "tool_choice": [1, True, []],
    "max_tokens": ["5", True, 1.5, [], {}],
    "max_completion_tokens": ["5", True, 1.5, [], {}],
    "n": ["1", 1.5, True, []],
    "temperature": ["0.3", True, [], {}],
    "top_p": ["1", True],
    "seed": ["1", 1.5, True],
    "stop": [1, True, {}],
    "logit_bias": [[], 1, "x"],
    "response_format": ["json_object", [], 1],
    "reasoning_effort": [1, True, [], {}],
    "metadata": ["x", []],
    "user": [1, {}],
    "parallel_tool_calls": ["true", 1],
    "service_tier": [1, []],
    "verbosity": [2],
}

OUT_OF_RANGE = {
    "max_tokens": ["-1", "0", "9223372036854775808", "99999999999999999999"],
    "max_completion_tokens": ["-1", "0", "18446744073709551616"],
    "n": ["0", "-1", "129", "1000000"],
    "temperature": ["-0.1", "2.1", "99999999999999999999"],
    "top_p": ["-0.1", "1.1"],
    "top_logprobs": ["-1", "21"],
    "presence_penalty": ["-2.1", "2.1"],
    "frequency_penalty": ["-2.1", "2.1"],
    "seed": ["9223372036854775808"],
}

UNREADABLE_NUMBERS = {
    name: ["1e999", "-1e999", "1" * 5000] for name in ("temperature", "max_tokens", "n", "seed", "top_p")
}

PARTS = (
    BadBody("no model", json.dumps({"messages": MESSAGES}).encode(), "missing_required_parameter", "model"),
    BadBody("model null", with_model(None), "missing_required_parameter", "model"),  # type: ignore[arg-type]
    BadBody("no messages", b'{"model":"gpt-5.5"}', "missing_required_parameter", "messages"),
    BadBody(
        "messages null", b'{"model":"gpt-5.5","messages":null}', "missing_required_parameter", "messages"
    ),
    BadBody("messages empty", with_message(b""), "empty_array", "messages"),
    BadBody(
        "a message without a role",
        with_message(b'{"content":"Hi"}'),
        "missing_required_parameter",
        "messages[0].role",
    ),
    BadBody("an unknown role", with_message(b'{"role":"robot"}'), "invalid_value", "messages[0].role"),
    BadBody("a role of two lines", with_message(b'{"role":"a\\nb"}'), "invalid_value", "messages[0].role"),
    BadBody(
        "a role of 1 MB",
        with_message(b'{"role":"%b"}' % (b"r" * 1_000_000)),
        "invalid_value",
        "messages[0].role",
    ),
    BadBody("a role that is a number", with_message(b'{"role":1}'), "invalid_type", "messages[0].role"),
    BadBody(
        "content that is a number",
        with_message(b'{"role":"user","content":7}'),
        "invalid_type",
        "messages[0].content",
    ),
    BadBody(
        "content that is an object, in the second message",
        with_message(b'{"role":"user","content":"Hi"},{"role":"user","content":{}}'),
        "invalid_type",
        "messages[1].content",
    ),
    BadBody(
        "content of 5,000 digits",
        with_message(b'{"role":"user","content":%b}' % (b"1" * 5000)),
        "invalid_type",
        "messages[0].content",
    ),
    BadBody(
        "a tool without a type", with_field("tools", b"[{}]"), "missing_required_parameter", "tools[0].type"
    ),
    BadBody(
        "a tool whose type is a number", with_field("tools", b'[{"type":1}]'), "invalid_type", "tools[0].type"
    ),
    BadBody(
        "include_usage a number",
        with_field("stream_options", b'{"include_usage":1}'),
        "invalid_type",
        "stream_options.include_usage",
    ),
    BadBody(
        "an unknown effort", with_field("reasoning_effort", b'"hard"'), "invalid_value", "reasoning_effort"
    ),
)

UNKNOWN_MODELS = (
    "nope",
    "",
    "GPT-5.5",
    "gpt-5.5 ",
    "gpt-5.5\0",
    "gpt-5.5%00",
    "../gpt-5.5",
    "openai/gpt-5.5",
    "<script>alert(1)</script>",
    "g" * 10_000,
)

BAD_BODIES = (
    *(BadBody(what, body, "invalid_json") for what, body in NOT_JSON.items()),
    *(BadBody(f"{what} alone", body, "invalid_type") for what, body in NOT_AN_OBJECT.items()),
    *(
        BadBody(
            f"{name} {json.dumps(value)}",
            json.dumps({**GOOD, name: value}).encode(),
            "invalid_type",
            f"{name}[0]" if isinstance(value, list) and value else name,
        )
        for name, values in WRONG_TYPES.items()
        for value in values
    ),
    *(
        BadBody(f"{name} {raw}", with_field(name, raw.encode()), "invalid_value", name)
        for name, values in OUT_OF_RANGE.items()
        for raw in values
    ),
    *(
        BadBody(f"{name} {raw[:9]}", with_field(name, raw.encode()), "invalid_type", name)
        for name, values in UNREADABLE_NUMBERS.items()
        for raw in values
    ),
    *PARTS,
    *(
        BadBody(f"model {model[:20]!r}", with_model(model), "model_not_found", "model", 404)
        for model in UNKNOWN_MODELS
    ),
)
