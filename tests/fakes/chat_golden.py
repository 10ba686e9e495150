"""The golden files of Chat: what each request and each answer becomes on its way, for people to read and compare.

`python tests/fakes/chat_golden.py` writes them anew from their `request.json` and `upstream.sse`; read the difference
before it is committed.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from fakes.feeding import events_fed
from runapi.core.usage import Usage
from runapi.wire.neutral import End
from runapi.wire.openai_chat.answer_reader import ChatReader
from runapi.wire.openai_chat.answer_writer import ChatWriter, write_answer
from runapi.wire.openai_chat.ask import to_asked, write_asked
from runapi.wire.openai_chat.request import read_chat_request

FOLDER = Path(__file__).parents[1] / "wire" / "golden" / "openai_chat"
NAME = {"id": "chatcmpl-0123456789abcdef", "created_s": 1795392000}


def cases(source: str) -> list[str]:
    """The cases that have such a file."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{source}"))


def files_of_request(case: str) -> Iterator[tuple[str, str]]:
    """What `request.json` becomes: neutral, and for an upstream that speaks Chat."""
    request = (FOLDER / case / "request.json").read_bytes()
    asked = to_asked(read_chat_request(request))
    yield "asked.json", _pretty(msgspec.json.encode(asked))
    yield "upstream.json", _pretty(write_asked(asked, "gpt-5.5-2026-04-23", 4096))


def files_of_answer(case: str) -> Iterator[tuple[str, str]]:
    """What `upstream.sse` becomes: events, and for a client that speaks Chat, streamed and whole."""
    reader = ChatReader()
    events = events_fed(reader, (FOLDER / case / "upstream.sse").read_bytes())
    yield "events.json", "".join(f"{msgspec.json.encode(event).decode()}\n" for event in events)
    if not isinstance(events[-1], End):
        return
    end, usage = events[-1], events[-1].usage or Usage(input=7, output=2)
    writer = ChatWriter("gpt-5.5", NAME["id"], NAME["created_s"], wants_usage=True)
    yield "client.sse", (writer.write(events) + writer.tail(end, usage, "0.000123")).decode()
    yield "client.json", _pretty(write_answer(events, usage, "0.000123", model="gpt-5.5", **NAME))


def _pretty(data: bytes) -> str:
    return json.dumps(json.loads(data), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for case in cases("request.json"):
        for name, text in files_of_request(case):
            (FOLDER / case / name).write_text(text, "utf-8")
    for case in cases("upstream.sse"):
        for name, text in files_of_answer(case):
            (FOLDER / case / name).write_text(text, "utf-8")
