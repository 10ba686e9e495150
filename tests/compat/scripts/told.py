"""What a script of this folder is told to do, and how it tells what it saw: no part of any client.

The task is JSON in the variable TASK: {"turns": [{"base_url", "key", "protocol", "model"}], "prompts": {...}}; what is printed is a
list of {"protocol", "model", "feature", "said", "pieces", "ran"}.
"""

import json
import os

TASK = json.loads(os.environ["TASK"])
TURNS: list[dict[str, str]] = TASK["turns"]
PROMPTS: dict[str, str] = TASK["prompts"]
seen: list[dict[str, object]] = []
ran: list[list[int]] = []


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    ran.append([a, b])
    return a * b


def see(turn: dict[str, str], feature: str, said: object, pieces: int = 0) -> None:
    """Note what came of one feature of a turn, with the calls of the tool since the last note."""
    seen.append({**turn, "feature": feature, "said": said, "pieces": pieces, "ran": list(ran)})
    ran.clear()


def tell() -> None:
    print(json.dumps(seen))
