"""The golden files of this dialect, and how each is made.

A request: `request.json` is a client's; of it come `asked.json` (neutral) and `upstream.json` (the body for an upstream).
An answer: `upstream.sse` is an upstream's; of it come `events.json` (neutral), `client.sse`, and `reply.json`, which is
the same in one piece.

After a change that is meant, `.venv/bin/python tests/wire/openai_responses/golden.py` writes anew all but the first of each:
read the difference before it is kept.
"""

import json
import sys
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[2]))

from runapi.wire.neutral import Event
from runapi.wire.openai_responses.answer_reader import ResponsesReader
from runapi.wire.openai_responses.answer_writer import ResponsesWriter, write_answer
from runapi.wire.openai_responses.ask import to_asked, write_asked
from runapi.wire.openai_responses.request import read_responses_request

FOLDER = Path(__file__).parents[1] / "golden" / "openai_responses"
UPSTREAM_MODEL = "gpt-5.5-2026-04-23"
COST = "0.000123"
CREATED_S = 1_795_000_000
REQUEST = b'{"model":"gpt-5.5","input":"Hello"}'
MADE_OF = {
    "asked.json": "request.json",
    "upstream.json": "request.json",
    "events.json": "upstream.sse",
    "client.sse": "upstream.sse",
    "reply.json": "upstream.sse",
}


def make(name: str, source: bytes) -> bytes:
    """Make the file of this name of the one that it is made of."""
    match name:
        case "asked.json":
            return _laid_out(msgspec.json.encode(to_asked(read_responses_request(source))))
        case "upstream.json":
            return _laid_out(write_asked(to_asked(read_responses_request(source)), UPSTREAM_MODEL, None))
        case "events.json":
            return _laid_out(msgspec.json.encode(_events(source)))
        case "client.sse":
            events, request = _events(source), read_responses_request(REQUEST)
            writer = ResponsesWriter("gpt-5.5", "resp_0123", CREATED_S, request)
            return writer.write(events) + writer.tail(events[-1], events[-1].usage, COST, CREATED_S + 2)
        case _:
            events, request = _events(source), read_responses_request(REQUEST)
            names = {"model": "gpt-5.5", "id": "resp_0123", "created_s": CREATED_S}
            return _laid_out(write_answer(events, events[-1].usage, COST, **names, request=request))


def files() -> list[Path]:
    """Every file that is made, or is to be made, of another one."""
    return [path.with_name(name) for name, of in MADE_OF.items() for path in sorted(FOLDER.glob(f"*/{of}"))]


def source_of(path: Path) -> bytes:
    return path.with_name(MADE_OF[path.name]).read_bytes()


def _events(source: bytes) -> list[Event]:
    reader = ResponsesReader()
    return reader.feed(source) + reader.feed_end()


def _laid_out(text: bytes) -> bytes:
    return json.dumps(json.loads(text), indent=1, ensure_ascii=False).encode() + b"\n"


if __name__ == "__main__":
    for path in files():
        path.write_bytes(make(path.name, source_of(path)))
