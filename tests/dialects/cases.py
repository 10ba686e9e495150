"""The cases through which most tests of this folder run: every protocol, every kind of server, whole and streamed."""

from collections.abc import Sequence
from typing import Any

import pytest

from dialects.town import CHAT, CLAUDE, MESSAGES, RESPONSES
from fakes import responses_replies
from fakes.responses_writer import Item
from fakes.steps import Script
from money.shop import BOTH

__all__ = ["BOTH", "PATHS", "SERVERS", "answer", "model_at"]
PATHS = pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES], ids=["chat", "responses", "messages"])
SERVERS = pytest.mark.parametrize("server", ["chat_only", "responses_only", "messages_only"])


def model_at(server: str) -> str:
    return CLAUDE if server == "messages_only" else "gpt-5.5"


def answer(items: Sequence[Item], stream: bool, **more: Any) -> Script:  # noqa: FBT001 - as tests are told
    """What a server of Responses answers, as the gateway wants it."""
    return (responses_replies.stream_reply if stream else responses_replies.plain_reply)(items, **more)
