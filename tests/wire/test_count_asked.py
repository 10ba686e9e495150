"""A request in the neutral form counts as the Chat request that says the same."""

import json

import pytest

from runapi.wire.count_asked import count_asked
from runapi.wire.image_tokens import Detail
from runapi.wire.neutral import (
    Asked,
    Call,
    CallKind,
    CallResult,
    File,
    Image,
    Reasoning,
    Refusal,
    Role,
    Text,
    Tool,
    Turn,
)
from runapi.wire.openai_chat.ask import to_asked
from runapi.wire.openai_chat.request import read_chat_request
from runapi.wire.tokens import PER_FILE, count_chat_input

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at":"sky"}'}}
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAgAAAAIACAIAAAB7GkOt"
SCHEMA = {
    "type": "object",
    "properties": {
        "at": {"type": "string", "description": "Where.", "enum": ["sky", "sea"]},
        "how": {"type": "object", "properties": {"long": {"type": "number"}}},
    },
}
FUNCTION = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": SCHEMA}}
GRAMMAR = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}}
CUSTOM = {"type": "custom", "custom": {"name": "patch", "description": "Patch.", "format": GRAMMAR}}


def chat(messages, tools=()):
    body = {"model": "m", "messages": messages} | ({"tools": list(tools)} if tools else {})
    return to_asked(read_chat_request(json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("messages", "tools"),
    [
        ([{"role": "user", "content": "Hello, world."}], ()),
        (
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Größe?", "name": "bob"},
            ],
            (),
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a b"}, {"type": "text", "text": " c"}]}],
            (),
        ),
        (
            [
                {"role": "user", "content": "Look."},
                {"role": "assistant", "content": "I look.", "tool_calls": [CALL, CALL | {"id": "c2"}]},
                {"role": "tool", "tool_call_id": "c1", "content": "Blue."},
                {"role": "tool", "tool_call_id": "c2", "content": "Grey."},
                {"role": "assistant", "content": None, "tool_calls": [CALL | {"id": "c3"}]},
                {"role": "tool", "tool_call_id": "c3", "content": "Green."},
            ],
            (FUNCTION, CUSTOM),
        ),
        (
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}],
            (FUNCTION,),
        ),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}],
                }
            ],
            (),
        ),
    ],
)
def test_a_chat_request_counts_the_same_in_either_form(messages, tools):
    assert count_asked(chat(messages, tools)) == count_chat_input(messages, tools)


def count(*items, **fields):
    return count_asked(Asked(model="m", items=items, **fields))


def test_every_item_counts():
    nothing = count()
    text = Text("Hello there, my friend.")
    for item in (
        Turn(Role.USER, (text,)),
        Turn(Role.ASSISTANT, (Refusal("I will not."),)),
        CallResult("c", (text,)),
    ):
        assert count(item) > nothing + 3
    assert (
        count(Call("c", "patch", "*** Begin Patch", CallKind.CUSTOM))
        > count(Call("c", "patch", ""))
        > nothing
    )


def test_images_and_files_count_by_their_own_rules():
    image = Turn(Role.USER, (Image(PNG, detail="auto"),))
    assert (
        count(Turn(Role.USER, (File(data="data:application/pdf;base64,AA"),))) - count(Turn(Role.USER, ()))
        == PER_FILE
    )
    asked = Asked(model="m", items=(Turn(Role.USER, (Image("https://example.com/a.png"),)), image))
    assert count_asked(asked, auto_detail=Detail.LOW) <= count_asked(asked)


def test_what_is_encrypted_or_runs_at_the_upstream_counts_nothing():
    assert count(Reasoning("rs_1", "gAAAA" * 100, ("Hm.",))) == count()
    assert count(tools=(Tool("web_search", hosted=b"{}"),)) == count()
