"""The messages of a Chat request as neutral items, and back."""

import json

import pytest

from fakes import specification
from fakes.chat_asks import USER, items_of, read, refusal_of, say
from runapi.core.problems import Problem
from runapi.wire.neutral import (
    Asked,
    Call,
    CallKind,
    CallResult,
    ChoiceMode,
    File,
    Image,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolChoice,
    Turn,
)
from runapi.wire.openai_chat.ask import asks_for_functions, write_asked
from runapi.wire.openai_chat.request import read_chat_request


def test_calls_become_items_behind_what_was_said_and_join_it_again():
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "x"}},
    ]
    items = items_of(
        USER,
        {"role": "assistant", "content": "One moment.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "b", "content": "done"},
    )
    assert items[1:] == (
        Turn(Role.ASSISTANT, (Text("One moment."),), is_plain=True),
        Call("a", "f", "{}"),
        Call("b", "g", "x", CallKind.CUSTOM),
        CallResult("b", (Text("done"),), CallKind.CUSTOM),
    )
    answer = say(*items)["messages"][1]
    assert answer == {"role": "assistant", "content": "One moment.", "tool_calls": calls}


@pytest.mark.parametrize("content", [None, "", [{"type": "text", "text": ""}]])
def test_nothing_said_beside_calls_is_no_turn(content):
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    items = items_of({"role": "assistant", "content": content, "tool_calls": [call]})
    assert items == (Call("a", "f", "{}"),)
    assert say(*items)["messages"] == [{"role": "assistant", "content": None, "tool_calls": [call]}]


def test_an_assistant_that_said_nothing_at_all_stays_in_the_conversation():
    assert items_of(USER, {"role": "assistant", "content": None}, USER)[1] == Turn(
        Role.ASSISTANT, (Text(""),), is_plain=True
    )


def test_reasoning_does_not_part_calls_and_is_left_out():
    message = say(
        Reasoning("rs_1", "secret"), Call("a", "f", "{}"), Reasoning("rs_2", "secret"), Call("b", "g", "{}")
    )["messages"]
    assert [call["id"] for call in message[0]["tool_calls"]] == ["a", "b"]
    assert b"secret" not in write_asked(Asked(model="m", items=(Reasoning("rs_1", "secret"),)), "m", None)


def test_what_is_said_between_a_call_and_its_result_stands_in_front_of_the_call():
    messages = say(
        Call("a", "f", "{}"),
        Turn(Role.ASSISTANT, (Text("Calling."),), is_plain=True),
        CallResult("a", (Text("1"),)),
    )["messages"]
    assert [message["role"] for message in messages] == ["assistant", "tool"]
    assert messages[0]["content"] == "Calling."


def test_a_tools_picture_reaches_the_model_behind_all_results():
    messages = say(
        Call("a", "f", "{}"),
        Call("b", "f", "{}"),
        CallResult("a", (Text("see"), Image("https://example.org/a.png"))),
        CallResult("b", (Text("2"),)),
        Turn(Role.USER, (Text("And?"),), is_plain=True),
    )["messages"]
    assert [message["role"] for message in messages] == ["assistant", "tool", "tool", "user", "user"]
    assert messages[1]["content"] == "see"
    assert messages[3]["content"] == [
        {"type": "text", "text": "Attached to the result of a:"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    ]
    for message in messages:
        specification.check_request({"model": "gpt-5.5", "messages": [message]})


def test_older_function_calls_are_calls_with_ids_of_our_own():
    items = items_of(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "2"},
    )
    first, one, second, two = items[1:]
    assert (first.id, second.id) == (one.call_id, two.call_id)
    assert first.id != second.id


def test_older_functions_are_tools_called_one_at_a_time():
    asked = read(functions=[{"name": "f", "parameters": {"type": "object"}}], function_call={"name": "f"})
    assert [tool.name for tool in asked.tools] == ["f"]
    assert asked.choice == ToolChoice(ChoiceMode.NAMED, ("f",), (CallKind.FUNCTION,))
    assert asked.parallel_calls is False


@pytest.mark.parametrize(
    ("fields", "older"), [({"functions": []}, True), ({}, False), ({"functions": [], "tools": []}, False)]
)
def test_who_asks_with_functions_reads_function_calls(fields, older):
    request = read_chat_request(json.dumps({"model": "m", "messages": [USER]} | fields).encode())
    assert asks_for_functions(request.fields) is older


def test_all_parts_are_read():
    content = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": "https://example.org/b.png"},
        {"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    (turn,) = items_of({"role": "user", "content": content, "name": "me"})
    assert turn == Turn(
        Role.USER,
        (
            Text("a"),
            Image("https://example.org/a.png", detail="low"),
            Image("https://example.org/b.png"),
            File("data:application/pdf;base64,AAAA", filename="a.pdf"),
            File(file_id="file-1"),
        ),
        "me",
    )


def test_a_refusal_is_said_back_to_the_model():
    (turn,) = items_of({"role": "assistant", "content": None, "refusal": "No."})
    assert turn == Turn(Role.ASSISTANT, (Refusal("No."),), is_plain=True)


def test_what_agents_add_to_an_assistants_message_goes_no_further():
    added = {"reasoning_content": "hm", "reasoning_details": [{}], "phase": "final", "annotations": []}
    (turn,) = items_of({"role": "assistant", "content": "a"} | added)
    assert say(turn)["messages"] == [{"role": "assistant", "content": "a"}]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
            "messages[0].content[0].type",
        ),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages[0].content[0].image_url"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
            "messages[0].content[0].image_url.url",
        ),
        ({"role": "user", "content": [{"type": "file"}]}, "messages[0].content[0].file"),
        (
            {"role": "user", "content": [{"type": "file", "file": {}}]},
            "messages[0].content[0].file.file_data",
        ),
        ({"role": "user", "content": [7]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{}]}, "messages[0].content[0].type"),
        ({"role": "assistant", "content": [{"type": "refusal"}]}, "messages[0].content[0].refusal"),
        ({"role": "assistant", "audio": {"id": "audio_1"}}, "messages[0].audio"),
        ({"role": "assistant", "tool_calls": [{"id": "a"}]}, "messages[0].tool_calls[0].function"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}, "messages[0].tool_calls[0].id"),
        ({"role": "tool", "content": "1"}, "messages[0].tool_call_id"),
        ({"role": "function", "name": "f", "content": "1"}, "messages[0].name"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_by_its_place(message, param):
    assert refusal_of(messages=[message]) == param


@pytest.mark.parametrize(
    "part", [Image(file_id="file-1"), File(url="https://example.org/a.pdf")], ids=["image", "file"]
)
def test_a_part_that_chat_has_no_word_for_is_refused(part):
    with pytest.raises(Problem) as caught:
        say(Turn(Role.USER, (part,)))
    assert (caught.value.status, caught.value.param) == (400, "messages")


def test_a_picture_of_the_assistants_is_refused():
    with pytest.raises(Problem):
        say(Turn(Role.ASSISTANT, (Image("https://example.org/a.png"),)))


def test_a_detail_that_chat_does_not_know_is_left_to_the_model():
    message = say(Turn(Role.USER, (Image("https://example.org/a.png", detail="original"),)))["messages"][0]
    assert message["content"][0]["image_url"]["detail"] == "auto"
