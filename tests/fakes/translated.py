"""Translated streams for the tests: any client over any upstream, or over events by hand."""

import json

from fakes.answers import chunks_of
from fakes.feeding import bytes_fed
from runapi.core.bridge import Dialect
from runapi.core.usage import Usage
from runapi.wire.dialects import UPSTREAM_SIDES, Naming, new_writer, read_request, shows_reasoning
from runapi.wire.openai_chat.answer_writer import ChatWriter
from runapi.wire.translate import TranslatedStream

COUNTED = Usage(input=7, output=2)
COST = "0.000123"
NAMING = Naming("gpt-5.5", "req_0123456789abcdef", 1741569952)
REQUESTS = {
    Dialect.CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
    Dialect.RESPONSES: {"input": "Hi"},
    Dialect.ANTHROPIC: {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100},
}


def client(dialect, **more):
    body = json.dumps({"model": "gpt-5.5", "stream": True} | REQUESTS[dialect] | more).encode()
    return read_request(dialect, body)


def stream_for(dialect, upstream=Dialect.CHAT, **more):
    request = client(dialect)
    writer = new_writer(request, NAMING)
    return TranslatedStream(
        UPSTREAM_SIDES[upstream].new_reader, writer, shows_reasoning=shows_reasoning(request), **more
    )


def relay(stream, data, cuts=()):
    out = bytes_fed(stream, data, cuts)
    return out + stream.tail(COST, COUNTED) if stream.ended else out


class Scripted:
    """A reader that gives these events, one list for each feed, and then ends or breaks."""

    def __init__(self, *lists, fault=None):
        self.lists = list(lists)
        self.ending = fault
        self.ended = False
        self.fault = None

    def feed(self, _data):
        events = self.lists.pop(0)
        if not self.lists:
            self.ended, self.fault = self.ending is None, self.ending
        return events

    def feed_end(self):
        return self.feed(b"")


def scripted(*lists, fault=None, **more):
    """A translated Chat stream over these events."""
    reader = Scripted(*lists, fault=fault)
    return TranslatedStream(lambda: reader, ChatWriter("gpt-5.5", "chatcmpl-1", 1), **more)


def texts_of(data):
    return "".join(
        chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks_of(data) if chunk["choices"]
    )
