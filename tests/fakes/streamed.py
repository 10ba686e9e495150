"""How the scripts write what is streamed: texts in pieces, and events that bear their names."""

import json
from collections.abc import Mapping, Sequence

from fakes import steps
from fakes.steps import Script


def pieces_of(text: str, count: int) -> list[str]:
    """Cut a text into at most so many pieces of the same length."""
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]


def named_event(value: Mapping[str, object]) -> bytes:
    """The bytes of one event: its name, its JSON, a blank line."""
    data = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return f"event: {value['type']}\ndata: {data}\n\n".encode()


def play_events(
    events: Sequence[Mapping[str, object]],
    fields: Mapping[str, str],
    *,
    between: Script = (),
    cut_after: int | None = None,
    cut: steps.Step | None = None,
) -> Script:
    """Stream these events, with `between` before each delta of the content.

    With `cut_after` only so many events are sent, and then `cut` happens: by default the connection is closed.
    """
    played: list[steps.Step] = [steps.headers(200, steps.EVENT_STREAM | fields)]
    for told in events[:cut_after]:
        is_delta = str(told["type"]).endswith((".delta", "block_delta"))
        played += [*(between if is_delta else ()), steps.body(named_event(told))]
    if cut_after is not None:
        played.append(steps.fin() if cut is None else cut)
    return played
