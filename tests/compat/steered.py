"""A backend for the clients to talk to, and an upstream that is steered by its prompts as the sandbox is.

With the same words in the prompt, the same test runs against the built-in sandbox and through an upstream.
"""

import json
import re
from collections.abc import Mapping, Sequence

import msgspec

from fakes import replies, responses_replies
from fakes.received import Request
from fakes.responses_replies import Called, Said, Thought
from fakes.steps import Script
from fakes.upstream import ScriptedUpstream

PLAIN_MODEL = "gpt-5.5"
TOOL_MODEL = "gpt-5.2"  # takes tools at any reasoning effort on Chat Completions
DIRECTIVE = re.compile(r"\[\[sandbox:(reply|tool) (.*?)\]\]", re.DOTALL)
USAGE = replies.usage(1200, 40, cached=128, reasoning=16)
RESPONSES_USAGE = responses_replies.usage(1200, 40, cached=128, reasoning=16)
RESULTS = ("function_call_output", "custom_tool_call_output")


class Backend(msgspec.Struct, frozen=True):
    """Where a client is pointed at: the gateway, and the key that chooses sandbox or upstream."""

    name: str
    base_url: str
    key: str
    upstream: ScriptedUpstream | None = None

    @property
    def url(self) -> str:
        """The address without /v1, which Anthropic's clients add themselves."""
        return self.base_url.removesuffix("/v1")


def prompt_for_text(text: str) -> str:
    """A prompt that is answered with `text`."""
    return f"Answer me. [[sandbox:reply {text}]]"


def prompt_for_call(tool: str, *calls: Mapping[str, object]) -> str:
    """A prompt that is answered with calls of `tool`, and after their results with text that quotes a result."""
    return "Use your tool. " + " ".join(f"[[sandbox:tool {tool} {json.dumps(call)}]]" for call in calls)


def steered_answer(request: Request) -> Script:
    """Do what the directive in the prompt says; quote the tool's result once there is one."""
    if request.method != "POST":
        return replies.polite_answer(request)
    if request.path.partition("?")[0].endswith("/responses"):
        return _responses_answer(request)
    return _chat_answer(request)


# ---- Chat Completions ------------------------------------------------------------------------------------


def _chat_answer(request: Request) -> Script:
    body = _body(request)
    streamed, model = bool(body.get("stream")), replies.SNAPSHOTS[body["model"]]
    results = [_text(message["content"]) for message in body["messages"] if message["role"] == "tool"]
    kind, told = _directives(body["messages"])[0]
    if kind == "tool" and not results:
        tool, _, arguments = told.partition(" ")
        write = replies.stream_tool_reply if streamed else replies.tool_reply
        return write(tool, arguments, model=model, usage=USAGE)
    text = f"The tool said: {results[-1]}" if results else told
    if streamed:
        return replies.stream_reply(list(text), model=model, usage=USAGE)
    return replies.plain_reply(text, model=model, usage=USAGE)


# ---- Responses -------------------------------------------------------------------------------------------


def _responses_answer(request: Request) -> Script:
    """As above; the model thinks before all that it says, where the request asks for that."""
    body = _body(request)
    thought = [Thought(("I ", "think."))] if _reasons(body) else []
    said = [*thought, *_said(_items(body), body.get("tools") or ())]
    write = responses_replies.stream_reply if body.get("stream") else responses_replies.plain_reply
    return write(said, usage=RESPONSES_USAGE)


def _items(body: dict) -> list[dict]:
    told = body["input"]
    return told if isinstance(told, list) else [{"role": "user", "content": told}]


def _said(items: list[dict], tools: Sequence[dict]) -> Sequence[Said | Called]:
    results = [_text(item["output"]) for item in items if item.get("type") in RESULTS]
    directives = _directives([item for item in items if "role" in item])
    kind, told = directives[0]
    if kind == "reply" or results:
        text = f"The tool said: {' and '.join(results)}" if results else told
        return [Said(tuple(text[at : at + 8] for at in range(0, len(text), 8)))]
    kinds = {tool.get("name"): tool["type"] for tool in tools}
    return [_called(at, told, kinds) for at, (_, told) in enumerate(directives)]


def _called(at: int, told: str, kinds: Mapping[str, str]) -> Said | Called:
    name, _, arguments = told.partition(" ")
    call_id = f"call_{at}XzQm2Kp9LrTn4Wd"
    match kinds.get(name):
        case None:  # a request beside the turn, as for a title
            return Said((f"There is no tool {name}.",))
        case "custom":
            return Called(name, json.loads(arguments)["input"], call_id, is_custom=True)
        case _:
            return Called(name, arguments, call_id)


def _reasons(body: dict) -> bool:
    effort = (body.get("reasoning") or {}).get("effort")
    return effort not in (None, "none") or body["model"] == "gpt-5.3-codex"


# ---- what both read --------------------------------------------------------------------------------------


def _body(request: Request) -> dict:
    body = request.json
    assert isinstance(body, dict)
    return body


def _directives(messages: Sequence[dict]) -> list[tuple[str, str]]:
    """Each directive's kind and words, from the newest message of the user's that has any."""
    for message in reversed(messages):
        if message["role"] == "user" and (found := DIRECTIVE.findall(_text(message["content"]))):
            return found
    raise AssertionError("no prompt tells the upstream what to answer")


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    assert isinstance(content, list)
    return "".join(part.get("text", "") for part in content)


# ---- what the upstream saw -------------------------------------------------------------------------------


def assert_reasoned(backend: Backend, model: str, effort: str) -> None:
    """The model was asked at this effort, and its sealed thought came back with the tool's result."""
    assert backend.upstream is not None
    answered = [
        body
        for body in map(_body, backend.upstream.calls)
        if body["model"] in (model, responses_replies.MODELS[model])
        and any(item.get("type") in RESULTS for item in _items(body))
    ]
    assert answered, f"no result of a tool came to {model}"
    for body in answered:
        assert body["reasoning"]["effort"] == effort
        kinds = [item.get("type") for item in body["input"]]
        called = next(at for at, kind in enumerate(kinds) if kind in ("function_call", "custom_tool_call"))
        assert kinds[called - 1] == "reasoning", kinds
        assert body["input"][called - 1]["encrypted_content"]
