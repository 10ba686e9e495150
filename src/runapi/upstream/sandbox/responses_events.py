"""Write the events of a streamed Responses reply, in OpenAI's order (api.md 4.4)."""

from collections.abc import Iterator

import msgspec

from runapi.upstream.sandbox.plans import Event, Pause, Send
from runapi.upstream.sandbox.responses_output import Call, Item, Message, Object, Thought
from runapi.upstream.sandbox.turns import ToolKind


class EventWriter:
    """Writes one stream: its events are numbered from 0, and its deltas come `interval_s` apart."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._number = 0
        self._is_first = True  # of the deltas: nothing is waited for before it

    def write(self, opened: Object, items: list[Item]) -> Iterator[Event]:
        """Write everything but the end."""
        yield self._send("response.created", response=opened)
        yield self._send("response.in_progress", response=opened)
        for at, item in enumerate(items):
            yield self._send("response.output_item.added", output_index=at, item=item.opened())
            match item:
                case Thought():
                    yield from self._thought(item, at)
                case Message():
                    yield from self._message(item, at)
                case Call():
                    yield from self._call(item, at)
            yield self._send("response.output_item.done", output_index=at, item=item.done())

    def end(self, response: Object) -> Send:
        return self._send(f"response.{response['status']}", response=response)

    def _thought(self, item: Thought, at: int) -> Iterator[Event]:
        if not item.pieces:
            return
        place = {"item_id": item.id, "output_index": at, "summary_index": 0}
        text = "".join(item.pieces)
        empty, whole = ({"type": "summary_text", "text": said} for said in ("", text))
        yield self._send("response.reasoning_summary_part.added", **place, part=empty)
        for piece in item.pieces:
            yield self._send("response.reasoning_summary_text.delta", **place, delta=piece)
        yield self._send("response.reasoning_summary_text.done", **place, text=text)
        yield self._send("response.reasoning_summary_part.done", **place, part=whole)

    def _message(self, item: Message, at: int) -> Iterator[Event]:
        place = {"item_id": item.id, "output_index": at, "content_index": 0}
        yield self._send("response.content_part.added", **place, part=item.part(()))
        text = "".join(item.pieces)
        if item.is_refusal:
            yield from self._deltas("response.refusal.delta", place, item.pieces)
            yield self._send("response.refusal.done", **place, refusal=text)
        else:
            for piece in item.pieces:
                yield from self._pause()
                logprobs = _short(item.logprobs((piece,)))
                yield self._send("response.output_text.delta", **place, delta=piece, logprobs=logprobs)
            logprobs = _short(item.logprobs(item.pieces))
            yield self._send("response.output_text.done", **place, text=text, logprobs=logprobs)
        yield self._send("response.content_part.done", **place, part=item.part(item.pieces))

    def _call(self, item: Call, at: int) -> Iterator[Event]:
        place = {"item_id": item.id, "output_index": at}
        if item.call.kind is ToolKind.FUNCTION:
            yield from self._deltas("response.function_call_arguments.delta", place, item.call.pieces)
            done = {"arguments": item.call.arguments, "name": item.call.name}
            yield self._send("response.function_call_arguments.done", **place, **done)
        else:
            yield from self._deltas("response.custom_tool_call_input.delta", place, item.call.pieces)
            yield self._send("response.custom_tool_call_input.done", **place, input=item.call.arguments)

    def _deltas(self, kind: str, place: Object, pieces: tuple[str, ...]) -> Iterator[Event]:
        for piece in pieces:
            yield from self._pause()
            yield self._send(kind, **place, delta=piece)

    def _pause(self) -> Iterator[Event]:
        if self._interval_s and not self._is_first:
            yield Pause(self._interval_s)
        self._is_first = False

    def _send(self, kind: str, **fields: object) -> Send:
        data = msgspec.json.encode({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return Send(b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n")


def _short(logprobs: list[Object]) -> list[Object]:
    """Log probabilities as events have them: without bytes."""
    return [
        {
            "token": one["token"],
            "logprob": one["logprob"],
            "top_logprobs": _without_bytes(one["top_logprobs"]),
        }
        for one in logprobs
    ]


def _without_bytes(tops: object) -> list[Object]:
    return [
        {"token": top["token"], "logprob": top["logprob"]} for top in (tops if isinstance(tops, list) else ())
    ]
