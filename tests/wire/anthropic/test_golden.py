"""Requests and answers translated, as files: what goes in, what it means, what comes out.

A folder of `golden/anthropic` holds some of:
    request.json   a client's request              -> asked.json
    asked.json     in the neutral form             -> upstream.json, for an upstream that speaks Messages
    upstream.txt   what an upstream streamed       -> events.json
    events.json    in the neutral form             -> stream.txt and message.json, for a client that sees thinking
"""

import json
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from runapi.core.usage import Usage
from runapi.wire.anthropic.answer_reader import AnthropicReader
from runapi.wire.anthropic.answer_writer import AnthropicWriter, write_answer
from runapi.wire.anthropic.ask import to_asked, write_asked
from runapi.wire.anthropic.request import Thinking, read_messages_request
from runapi.wire.neutral import Asked, End, Event
from wire.anthropic.strict_types import accumulate, read_events, read_message

GOLDEN = Path(__file__).parents[1] / "golden" / "anthropic"
CREATED_S = 1_800_000_000
COST = "0.000123"
KEPT = ("id", "encrypted", "parts")  # fields without a default
RAW = ("schema", "raw_usage")  # JSON of the client's or the upstream's


def cases(*names):
    """The folders that hold all of these files."""
    return sorted(path.name for path in GOLDEN.iterdir() if all((path / name).exists() for name in names))


def given(case, name):
    return (GOLDEN / case / name).read_bytes()


def plain(value):
    """A struct as JSON has it, without what is left at its default."""
    match value:
        case dict():
            return {
                name: part if name in RAW else plain(part)
                for name, part in value.items()
                if name in KEPT or not (part is None or part == [])
            }
        case list():
            return [plain(part) for part in value]
        case _:
            return value


def raw(value):
    return None if value is None else Raw(json.dumps(value).encode())


def to_struct(asked):
    """What stands in an asked.json; msgspec itself reads no field that may be raw or null."""
    schemas = [tool.pop("schema", None) for tool in asked.get("tools", [])]
    form = asked.get("format", {})
    schema = form.pop("schema", None)
    read = msgspec.convert(asked, Asked)
    tools = [replace(tool, schema=raw(one)) for tool, one in zip(read.tools, schemas, strict=True)]
    form = read.format and replace(read.format, schema=raw(schema))
    return replace(read, tools=tuple(tools), format=form)


def to_events(events):
    events[-1].pop("raw_usage", None)  # which no writer of this dialect looks at
    return msgspec.convert(events, list[Event])


def as_json(struct):
    return plain(json.loads(msgspec.json.encode(struct)))


@pytest.mark.parametrize("case", cases("request.json"))
def test_a_clients_request_means(case):
    asked = to_asked(read_messages_request(given(case, "request.json")))
    assert as_json(asked) == plain(json.loads(given(case, "asked.json")))


@pytest.mark.parametrize("case", cases("asked.json", "upstream.json"))
def test_what_is_asked_is_written_for_the_upstream(case):
    asked = to_struct(json.loads(given(case, "asked.json")))
    assert json.loads(write_asked(asked, "claude-up", 30_000)) == json.loads(given(case, "upstream.json"))


@pytest.mark.parametrize("case", cases("upstream.txt"))
def test_what_an_upstream_streams_means(case):
    reader = AnthropicReader(CREATED_S)
    events = reader.feed(given(case, "upstream.txt")) + reader.feed_end()
    assert as_json(events) == plain(json.loads(given(case, "events.json")))


@pytest.mark.parametrize("case", cases("events.json", "stream.txt"))
def test_an_answer_is_written_for_the_client(case):
    events = to_events(json.loads(given(case, "events.json")))
    end = events[-1]
    assert isinstance(end, End)
    usage = end.usage or Usage()
    writer = AnthropicWriter("gpt-5.5", "req_1", CREATED_S, thinking=Thinking.SHOWN)
    stream = writer.write(events) + writer.tail(end, usage, COST)
    assert stream == given(case, "stream.txt")
    message = write_answer(events, usage, COST, model="gpt-5.5", request_id="req_1", thinking=Thinking.SHOWN)
    assert json.loads(message) == json.loads(given(case, "message.json"))
    assert accumulate(read_events(stream)) == read_message(message)
