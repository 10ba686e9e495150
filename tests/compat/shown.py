"""What the tests of this folder show, in words: which client does what, in which protocol, with which model.

A test that bears `shows(...)` is a row of docs/api/compatibility.md, which write_page.py makes of them all.
"""

from enum import StrEnum
from typing import NamedTuple

import pytest

SIX = ("gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.3-codex", "gpt-5.2")


class Client(StrEnum):
    """The clients, in the page's order and words."""

    OPENAI_PYTHON = "openai for Python"
    OPENAI_NODE = "openai for Node"
    ANTHROPIC_PYTHON = "anthropic for Python"
    OPENCLAW = "OpenClaw"
    CODEX = "Codex CLI"
    CLAUDE_CODE = "Claude Code"
    OPENCODE = "OpenCode"
    OPENAI_AGENTS = "OpenAI Agents SDK"
    LANGCHAIN = "LangChain"
    PYDANTIC_AI = "Pydantic AI"
    AI_SDK = "Vercel AI SDK"


class Protocol(StrEnum):
    CHAT = "Chat Completions"
    RESPONSES = "Responses"
    MESSAGES = "Messages"


class Feature(StrEnum):
    PLAIN = "plain turn"
    STREAM = "streamed"
    TOOL = "tool turn"
    REASONING = "reasoning with tools"
    STRUCTURED = "structured output"


class Cell(NamedTuple):
    """One thing that one test shows."""

    client: Client
    protocol: Protocol
    model: str
    feature: Feature


def each_of_six(client: Client, protocol: Protocol, *features: Feature) -> pytest.MarkDecorator:
    """Run a test with each model; what it shows it shows with that model."""
    return pytest.mark.parametrize(
        "model", [pytest.param(model, marks=shows(client, protocol, model, *features)) for model in SIX]
    )


def shows(
    client: Client, protocol: Protocol, models: str | tuple[str, ...], *features: Feature
) -> pytest.MarkDecorator:
    """Mark a test as what shows these features; without any, all of them."""
    listed = (models,) if isinstance(models, str) else models
    cells = [
        Cell(client, protocol, model, feature) for model in listed for feature in features or tuple(Feature)
    ]
    return pytest.mark.shows(*cells)
