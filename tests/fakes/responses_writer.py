"""How OpenAI's Responses API writes an answer down: its items, its events, and the object that holds them."""

import base64
from collections.abc import Iterator, Sequence

import msgspec

from fakes.received import Request
from fakes.replies import CREATED, SNAPSHOTS
from fakes.streamed import pieces_of

MODELS = {**SNAPSHOTS, "gpt-5.3-codex": "gpt-5.3-codex"}
RESPONSE_ID = "resp_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b"
ECHOED = {
    "background": False,
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 0.98,
    "truncation": "disabled",
    "user": None,
}
"""What an answer says again of its request, and what it says where the request did not."""


def usage(
    input: int = 19,  # noqa: A002 - the wire's name
    output: int = 10,
    *,
    cached: int = 0,
    reasoning: int = 0,
) -> dict[str, object]:
    """A usage object with all the keys that OpenAI gives."""
    return {
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": input + output,
    }


USAGE = usage()


# ---- sealed thoughts -------------------------------------------------------------------------------------


class Seal(msgspec.Struct, frozen=True):
    """Whose a thought is: a strict upstream takes it back from the same account, for the same model, alone."""

    key: str
    model: str


def write_seal(owner: Seal) -> str:
    return "gAAAAA" + base64.urlsafe_b64encode(msgspec.json.encode(owner)).decode()


def read_seal(text: str) -> Seal | None:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text.removeprefix("gAAAAA")), type=Seal)
    except (ValueError, msgspec.DecodeError):
        return None


# ---- items -----------------------------------------------------------------------------------------------


class Said(msgspec.Struct, frozen=True):
    """A message, in the pieces in which it is streamed."""

    pieces: tuple[str, ...] = ("Hel", "lo.")
    annotations: tuple[dict[str, object], ...] = ()
    phase: str | None = None


class Refused(msgspec.Struct, frozen=True):
    pieces: tuple[str, ...] = ("I can't ", "help with that.")


class Called(msgspec.Struct, frozen=True):
    """A call; `arguments` is JSON text, right or wrong, or the input of a custom tool."""

    name: str
    arguments: str = "{}"
    call_id: str = "call_7XzQm2Kp9LrTn4Wd"
    is_custom: bool = False
    pieces: int = 3


class Thought(msgspec.Struct, frozen=True):
    """A thought. Where the request asks for it the thought is sealed, with the request's key and model."""

    summary: tuple[str, ...] = ()  # in pieces


class Raw(msgspec.Struct, frozen=True):
    """Any other item, as it is."""

    item: dict[str, object]


Item = Said | Refused | Called | Thought | Raw
HELLO = (Said(),)


def text(said: str) -> Said:
    """A message in one piece."""
    return Said((said,))


# ---- the writer ------------------------------------------------------------------------------------------


class Writer:
    """Writes the answer to one request."""

    def __init__(
        self,
        request: Request,
        items: Sequence[Item],
        model: str | None = None,
        *,
        incomplete: str | None = None,
    ) -> None:
        """Make a writer; `incomplete` is the reason why the answer ends early, inside its last item."""
        self._incomplete = incomplete
        self._asked = request.asked
        self._items = items
        self._key = request.headers.get("authorization", "").removeprefix("Bearer ") or request.headers.get(
            "api-key", ""
        )
        name = str(self._asked.get("model"))
        self._model = model or MODELS.get(name, name)
        options = self._asked.get("stream_options")
        self._is_padded = not isinstance(options, dict) or options.get("include_obfuscation", True)

    def ended(self, usage: dict[str, object] | None) -> dict[str, object]:
        """The response with all that it says."""
        return self.response("completed" if self._incomplete is None else "incomplete", usage)

    def response(self, status: str, usage: dict[str, object] | None) -> dict[str, object]:
        asked = self._asked
        reasoning, said = asked.get("reasoning") or {}, asked.get("text") or {}
        is_open = status == "in_progress"
        return {
            "id": RESPONSE_ID,
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "completed_at": CREATED + 2 if status == "completed" else None,
            "error": None,
            "incomplete_details": {"reason": self._incomplete} if status == "incomplete" else None,
            "model": self._model,
            "output": [] if is_open else [self._item(at, item) for at, item in enumerate(self._items)],
            "previous_response_id": None,
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "service_tier": "auto" if is_open else "default",
            "text": {
                "format": said.get("format", {"type": "text"}),
                "verbosity": said.get("verbosity", "medium"),
            },
            "usage": usage,
            **{key: value if asked.get(key) is None else asked[key] for key, value in ECHOED.items()},
        }

    def events(self) -> list[dict[str, object]]:
        """All but the end; their numbers are added when they are played."""
        opened = self.response("in_progress", None)
        told: list[dict[str, object]] = [
            {"type": "response.created", "response": opened},
            {"type": "response.in_progress", "response": opened},
        ]
        for at, item in enumerate(self._items):
            done = self._item(at, item)
            place = {"item_id": done.get("id"), "output_index": at}
            added = {"output_index": at, "item": self._opened(done)}
            told.append({"type": "response.output_item.added", **added})
            told += self._inside(item, done, place)
            told.append({"type": "response.output_item.done", "output_index": at, "item": done})
        return told

    def _inside(self, item: Item, done: dict, place: dict[str, object]) -> Iterator[dict[str, object]]:
        match item:
            case Said() | Refused():
                yield from self._message(item, done["content"][0], place)
            case Called():
                name = "custom_tool_call_input" if item.is_custom else "function_call_arguments"
                yield from self._deltas(
                    f"response.{name}.delta", place, pieces_of(item.arguments, item.pieces)
                )
                whole = (
                    {"input": item.arguments}
                    if item.is_custom
                    else {"arguments": item.arguments, "name": item.name}
                )
                yield {"type": f"response.{name}.done", **place, **whole}
            case Thought() if item.summary:
                yield from self._summary(item, place)

    def _message(
        self, item: Said | Refused, part: dict, place: dict[str, object]
    ) -> Iterator[dict[str, object]]:
        place = {**place, "content_index": 0}
        key = "refusal" if isinstance(item, Refused) else "text"
        name = "refusal" if isinstance(item, Refused) else "output_text"
        logprobs = {} if isinstance(item, Refused) else {"logprobs": []}
        empty = {**part, key: ""} | ({} if isinstance(item, Refused) else {"annotations": []})
        yield {"type": "response.content_part.added", **place, "part": empty}
        yield from self._deltas(f"response.{name}.delta", {**place, **logprobs}, item.pieces)
        for at, annotation in enumerate(part.get("annotations", ())):
            told = {"annotation_index": at, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **place, **told}
        yield {"type": f"response.{name}.done", **place, **logprobs, key: part[key]}
        yield {"type": "response.content_part.done", **place, "part": part}

    def _summary(self, item: Thought, place: dict[str, object]) -> Iterator[dict[str, object]]:
        place = {**place, "summary_index": 0}
        whole = "".join(item.summary)
        name = "response.reasoning_summary"
        yield {"type": f"{name}_part.added", **place, "part": {"type": "summary_text", "text": ""}}
        yield from self._deltas(f"{name}_text.delta", place, item.summary)
        yield {"type": f"{name}_text.done", **place, "text": whole}
        yield {"type": f"{name}_part.done", **place, "part": {"type": "summary_text", "text": whole}}

    def _deltas(
        self, kind: str, place: dict[str, object], pieces: Sequence[str]
    ) -> Iterator[dict[str, object]]:
        padding = {"obfuscation": "Xq3vB9"} if self._is_padded else {}
        for piece in pieces:
            yield {"type": kind, **place, "delta": piece, **padding}

    def _opened(self, done: dict[str, object]) -> dict[str, object]:
        empty = {"content": [], "summary": [], "arguments": "", "input": "", "status": "in_progress"}
        return {key: empty.get(key, value) for key, value in done.items()}

    def _item(self, at: int, item: Item) -> dict[str, object]:
        is_last = at == len(self._items) - 1
        status = "incomplete" if self._incomplete is not None and is_last else "completed"
        match item:
            case Said(pieces=pieces, annotations=annotations, phase=phase):
                part = {
                    "type": "output_text",
                    "annotations": list(annotations),
                    "logprobs": [],
                    "text": "".join(pieces),
                }
                made = {
                    "id": f"msg_{at:048}",
                    "type": "message",
                    "status": status,
                    "content": [part],
                    "role": "assistant",
                }
                return made if phase is None else made | {"phase": phase}
            case Refused(pieces=pieces):
                part = {"type": "refusal", "refusal": "".join(pieces)}
                return {
                    "id": f"msg_{at:048}",
                    "type": "message",
                    "status": status,
                    "content": [part],
                    "role": "assistant",
                }
            case Called():
                kind, key, prefix = (
                    ("custom_tool_call", "input", "ctc")
                    if item.is_custom
                    else ("function_call", "arguments", "fc")
                )
                said = {key: item.arguments, "call_id": item.call_id, "name": item.name}
                return {"id": f"{prefix}_{at:048}", "type": kind, "status": status, **said}
            case Thought():
                return self._thought(at, item)
            case Raw(item=raw):
                return raw

    def _thought(self, at: int, item: Thought) -> dict[str, object]:
        summary = [{"type": "summary_text", "text": "".join(item.summary)}] if item.summary else []
        made = {"id": f"rs_{at:048}", "type": "reasoning", "summary": summary}
        if "reasoning.encrypted_content" not in (self._asked.get("include") or ()):
            return made
        return made | {"encrypted_content": write_seal(Seal(self._key, str(self._asked.get("model"))))}
