"""A backend for the clients to talk to, and an upstream that is steered by its prompts as the sandbox is.

With the same words in the prompt, the same test runs against the built-in sandbox and through an upstream.
"""

import json
import re
from collections.abc import Mapping

import msgspec

from fakes import replies
from fakes.received import Request
from fakes.steps import Script

PLAIN_MODEL = "gpt-5.5"
TOOL_MODEL = "gpt-5.2"  # takes tools at any reasoning effort on Chat Completions
DIRECTIVE = re.compile(r"\[\[sandbox:(reply|tool) (.*?)\]\]", re.DOTALL)
USAGE = replies.usage(1200, 40, cached=128, reasoning=16)


class Backend(msgspec.Struct, frozen=True):
    """Where a client is pointed at: the gateway, and the key that chooses sandbox or upstream."""

    name: str
    base_url: str
    key: str


def prompt_for_text(text: str) -> str:
    """A prompt that is answered with `text`."""
    return f"Answer me. [[sandbox:reply {text}]]"


def prompt_for_call(tool: str, arguments: Mapping[str, object]) -> str:
    """A prompt that is answered with one call of `tool`, and after its result with text that quotes the result."""
    return f"Use your tool. [[sandbox:tool {tool} {json.dumps(arguments)}]]"


def steered_answer(request: Request) -> Script:
    """Do what the directive in the prompt says; quote the tool's result once there is one."""
    if request.method != "POST":
        return replies.polite_answer(request)
    body = request.json
    assert isinstance(body, dict)
    streamed, model = bool(body.get("stream")), replies.SNAPSHOTS[body["model"]]
    results = [_text(message) for message in body["messages"] if message["role"] == "tool"]
    kind, told = _directive(body["messages"])
    if kind == "tool" and not results:
        tool, _, arguments = told.partition(" ")
        write = replies.stream_tool_reply if streamed else replies.tool_reply
        return write(tool, arguments, model=model, usage=USAGE)
    text = f"The tool said: {results[-1]}" if results else told
    if streamed:
        return replies.stream_reply(list(text), model=model, usage=USAGE)
    return replies.plain_reply(text, model=model, usage=USAGE)


def _directive(messages: list[dict[str, object]]) -> tuple[str, str]:
    for message in reversed(messages):
        if message["role"] == "user" and (found := DIRECTIVE.search(_text(message))):
            return found[1], found[2]
    raise AssertionError("no prompt tells the upstream what to answer")


def _text(message: Mapping[str, object]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    assert isinstance(content, list)
    return "".join(part.get("text", "") for part in content)
