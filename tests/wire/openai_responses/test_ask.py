"""A Responses request in the neutral form, and the neutral form as a body for an upstream that speaks Responses."""

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import responses_strictness, specification
from runapi.core.problems import Problem
from runapi.wire.neutral import (
    Asked,
    Call,
    CallKind,
    CallResult,
    ChoiceMode,
    File,
    Format,
    FormatKind,
    Image,
    Reasoning,
    Refusal,
    Role,
    Text,
    Tool,
    ToolChoice,
    Turn,
)
from runapi.wire.openai_responses.ask import to_asked, write_asked
from runapi.wire.openai_responses.request import read_responses_request
from wire.openai_responses.asking import CODEX, CUSTOM_TOOL, TOOL, request

RAW_SCHEMA = msgspec.Raw(json.dumps(TOOL["parameters"]).encode())
USER = Turn(Role.USER, (Text("Hello"),), is_plain=True)


def item(**fields):
    """What one item says."""
    (read,) = to_asked(request(input=[fields])).items
    return read


def refusal(**fields):
    read = request(**fields)
    with pytest.raises(Problem) as caught:
        to_asked(read)
    specification.check_error(caught.value.body())
    assert caught.value.status == 400
    return caught.value


def sent(granted=None, **fields):
    """The body for an upstream, which the specification and the upstream's own rules must let pass."""
    asked = Asked(**{"model": "gpt-5.5", "items": (USER,)} | fields)
    body = json.loads(write_asked(asked, "gpt-5.5-2026-04-23", granted))
    specification.check_response_request(body)
    assert responses_strictness.refusal(body, None) is None
    return body


def sent_items(*items):
    return sent(items=items)["input"]


# ---- from the client -------------------------------------------------------------------------------------


def test_text_is_a_turn_of_the_users_behind_the_instructions():
    asked = to_asked(request(instructions="Be brief."))
    assert asked.items == (Turn(Role.SYSTEM, (Text("Be brief."),), is_plain=True), USER)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"role": "user", "content": "Hello"}, USER),
        (
            {"type": "message", "role": "developer", "content": "D", "id": "msg_1"},
            Turn(Role.DEVELOPER, (Text("D"),), is_plain=True),
        ),
        (
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}],
            },
            Turn(Role.USER, (Text("a"), Text("b"))),
        ),
        (
            {
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "phase": "commentary",
                "content": [
                    {"type": "output_text", "text": "a", "annotations": [], "logprobs": []},
                    {"type": "refusal", "refusal": "No."},
                ],
            },
            Turn(Role.ASSISTANT, (Text("a"), Refusal("No."))),
        ),
        (
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "original"},
                    {"type": "input_image", "file_id": "file-1"},
                    {
                        "type": "input_file",
                        "file_data": "data:application/pdf;base64,AA",
                        "filename": "a.pdf",
                    },
                    {"type": "input_file", "file_url": "https://example.com/a.pdf"},
                    {"type": "input_file", "file_id": "file-2"},
                ],
            },
            Turn(
                Role.USER,
                (
                    Image("https://example.com/a.png", detail="original"),
                    Image(file_id="file-1"),
                    File("data:application/pdf;base64,AA", filename="a.pdf"),
                    File(url="https://example.com/a.pdf"),
                    File(file_id="file-2"),
                ),
            ),
        ),
        (
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "id": "fc_1"},
            Call("c", "f", "{}"),
        ),
        (
            {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"},
            Call("c", "f", "x", CallKind.CUSTOM),
        ),
        ({"type": "function_call_output", "call_id": "c", "output": "o"}, CallResult("c", (Text("o"),))),
        (
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_image", "image_url": "u"}],
            },
            CallResult("c", (Image("u"),)),
        ),
        (
            {"type": "custom_tool_call_output", "call_id": "c", "output": "o"},
            CallResult("c", (Text("o"),), CallKind.CUSTOM),
        ),
        (
            {
                "type": "reasoning",
                "id": "rs_1",
                "encrypted_content": "gAAAAA",
                "summary": [{"type": "summary_text", "text": "s"}],
                "content": None,
            },
            Reasoning("rs_1", "gAAAAA", ("s",)),
        ),
        ({"type": "reasoning", "summary": None}, Reasoning(None, None)),
    ],
)
def test_item_is_read(fields, expected):
    assert item(**fields) == expected


def test_everything_else_of_a_request_is_read():
    asked = to_asked(
        request(
            stream=True,
            tools=[TOOL, CUSTOM_TOOL, {"type": "web_search"}],
            parallel_tool_calls=False,
            reasoning={"effort": "high", "generate_summary": "concise"},
            text={
                "verbosity": "low",
                "format": {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": True},
            },
            max_output_tokens=99,
            temperature=0.5,
            top_p=1,
            include=["message.output_text.logprobs"],
            top_logprobs=3,
            service_tier="flex",
            metadata={"a": "b"},
            user="u",
            safety_identifier="s",
            prompt_cache_key="k",
            prompt_cache_retention="24h",
            truncation="auto",
            store=True,
            client_metadata={"x": 1},
        )
    )
    assert asked == Asked(
        model="gpt-5.5",
        items=(USER,),
        stream=True,
        tools=(
            Tool("look_up", description="Looks up the weather.", schema=RAW_SCHEMA, strict=False),
            Tool(
                "apply_patch",
                CallKind.CUSTOM,
                "Edits files.",
                grammar=msgspec.Raw(json.dumps(CUSTOM_TOOL["format"]).encode()),
            ),
            Tool("web_search", hosted=msgspec.Raw(b'{"type": "web_search"}')),
        ),
        parallel_calls=False,
        format=Format(FormatKind.JSON_SCHEMA, "n", None, msgspec.Raw(b'{"a": 1}'), strict=True),
        effort="high",
        summary="concise",
        verbosity="low",
        output_cap=99,
        temperature=0.5,
        top_p=1.0,
        logprobs=True,
        top_logprobs=3,
        service_tier="flex",
        metadata=msgspec.Raw(b'{"a": "b"}'),
        user="u",
        safety_identifier="s",
        cache_key="k",
        cache_retention="24h",
    )


def test_top_logprobs_alone_ask_for_nothing():
    asked = to_asked(request(top_logprobs=3))
    assert (asked.logprobs, asked.top_logprobs) == (False, None)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice(ChoiceMode.AUTO)),
        ("none", ToolChoice(ChoiceMode.NONE)),
        ("required", ToolChoice(ChoiceMode.REQUIRED)),
        ({"type": "function", "name": "f"}, ToolChoice(ChoiceMode.NAMED, ("f",), (CallKind.FUNCTION,))),
        ({"type": "custom", "name": "f"}, ToolChoice(ChoiceMode.NAMED, ("f",), (CallKind.CUSTOM,))),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}],
            },
            ToolChoice(ChoiceMode.ALLOWED_REQUIRED, ("f", "g"), (CallKind.FUNCTION, CallKind.CUSTOM)),
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            ToolChoice(ChoiceMode.ALLOWED_AUTO, ("f",), (CallKind.FUNCTION,)),
        ),
    ],
)
def test_choice_of_tools_is_read_and_written_again(choice, expected):
    assert to_asked(request(tool_choice=choice)).choice == expected
    tools = (Tool("f"), Tool("f", CallKind.CUSTOM), Tool("g", CallKind.CUSTOM))
    assert sent(tools=tools, choice=expected)["tool_choice"] == choice


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"moderation": {"model": "omni"}}, "moderation"),
        ({"input": [{"role": "user", "content": "x"}, {"id": "msg_1"}]}, "input[1].type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input[0].type"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input[0].type"),
        ({"input": [CODEX["input"][3] | {"namespace": "n"}]}, "input[0].namespace"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": ""}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments"),
        ({"input": [{"type": "custom_tool_call", "call_id": "c", "name": "f"}]}, "input[0].input"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": 7}]}, "input[0].output"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"text": "x"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"input": [{"role": "assistant", "content": [{"type": "refusal"}]}]}, "input[0].content[0].refusal"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].image_url",
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].file_data"),
        ({"input": [{"type": "reasoning", "summary": "s"}]}, "input[0].summary"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "strict": "yes"}]}, "tools[0].strict"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "web_search_preview"}}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "none", "tools": []}}, "tool_choice.mode"),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}},
            "tool_choice.tools[0]",
        ),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
    ],
)
def test_what_no_other_dialect_can_say_is_refused_by_its_place(fields, param):
    assert refusal(**fields).param == param


def test_what_asks_for_nothing_is_not_refused():
    assert to_asked(request(context_management=[], moderation=None, reasoning=None, text={})).items == (USER,)


# ---- to the upstream -------------------------------------------------------------------------------------


def test_upstream_is_told_to_keep_nothing_and_to_seal_its_reasoning():
    assert sent() == {
        "model": "gpt-5.5-2026-04-23",
        "input": [{"type": "message", "role": "user", "content": "Hello"}],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    asked = Asked(model="m", items=(USER,))
    assert "include" not in json.loads(write_asked(asked, "m", None, keeps_reasoning=False))


@pytest.mark.parametrize(
    ("asked", "granted", "expected"),
    [(None, None, None), (100, None, 100), (100, 50, 50), (None, 50, 50), (8, None, 16), (100, 3, 16)],
)
def test_cap_is_the_granted_one_and_never_less_than_the_upstream_takes(asked, granted, expected):
    assert sent(granted, output_cap=asked).get("max_output_tokens") == expected


def test_all_that_a_request_can_say_is_said():
    body = sent(
        stream=True,
        tools=(Tool("f", schema=RAW_SCHEMA, description="d"),),
        parallel_calls=False,
        effort="none",
        summary="auto",
        verbosity="high",
        temperature=0.5,
        top_p=0.9,
        logprobs=True,
        top_logprobs=2,
        service_tier="flex",
        metadata=msgspec.Raw(b'{"a":"b"}'),
        user="u",
        safety_identifier="s",
        cache_key="k",
        cache_retention="24h",
    )
    assert body | {"input": [], "model": ""} == {
        "model": "",
        "input": [],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "tools": [
            {
                "type": "function",
                "name": "f",
                "description": "d",
                "parameters": TOOL["parameters"],
                "strict": False,
            }
        ],
        "parallel_tool_calls": False,
        "text": {"verbosity": "high"},
        "reasoning": {"effort": "none", "summary": "auto"},
        "temperature": 0.5,
        "top_p": 0.9,
        "top_logprobs": 2,
        "service_tier": "flex",
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
    }


def test_stop_sequences_stay_here():
    assert "stop" not in sent(stop=("END",))


@pytest.mark.parametrize(("strict", "expected"), [(None, False), (False, False), (True, True)])
def test_strictness_is_always_said_for_left_out_it_means_the_opposite(strict, expected):
    schema = msgspec.Raw(b'{"type":"object","properties":{},"required":[],"additionalProperties":false}')
    body = sent(
        tools=(Tool("f", schema=schema, strict=strict),),
        format=Format(FormatKind.JSON_SCHEMA, "n", schema=schema, strict=strict),
    )
    assert body["tools"][0]["strict"] is expected
    assert body["text"]["format"]["strict"] is expected


def test_tool_without_arguments_has_an_empty_schema():
    (tool,) = sent(tools=(Tool("f"),))["tools"]
    assert tool["parameters"] == {"type": "object", "properties": {}}


def test_custom_tool_keeps_its_grammar():
    grammar = msgspec.Raw(json.dumps(CUSTOM_TOOL["format"]).encode())
    assert sent(tools=(Tool("apply_patch", CallKind.CUSTOM, "Edits files.", grammar=grammar),))["tools"] == [
        CUSTOM_TOOL
    ]
    assert sent(tools=(Tool("t", CallKind.CUSTOM),))["tools"] == [{"type": "custom", "name": "t"}]


def test_hosted_tool_goes_on_as_it_is_if_the_upstream_can_have_it():
    hosted = {"type": "web_search", "search_context_size": "low", "new": [1]}
    assert sent(tools=(Tool(hosted=msgspec.Raw(json.dumps(hosted).encode())),))["tools"] == [hosted]
    foreign = Tool(hosted=msgspec.Raw(b'{"type":"web_search_20250305","name":"web_search"}'))
    with pytest.raises(Problem, match="web_search_20250305") as caught:
        sent(tools=(foreign,))
    assert (caught.value.status, caught.value.param) == (400, "tools[0]")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (Format(FormatKind.TEXT), {"type": "text"}),
        (Format(FormatKind.JSON_OBJECT), {"type": "json_object"}),
        (
            Format(FormatKind.JSON_SCHEMA, "n", "d", msgspec.Raw(b"{}")),
            {"type": "json_schema", "name": "n", "description": "d", "schema": {}, "strict": False},
        ),
        (
            Format(FormatKind.JSON_SCHEMA),
            {"type": "json_schema", "name": "answer", "schema": {}, "strict": False},
        ),
    ],
)
def test_format_of_the_answer(form, expected):
    items = (Turn(Role.SYSTEM, (Text("Answer in JSON."),), is_plain=True), USER)
    assert sent(items=items, format=form)["text"] == {"format": expected}


@pytest.mark.parametrize("mode", [ChoiceMode.AUTO, ChoiceMode.NONE])
def test_choice_among_no_tools_is_not_made(mode):
    body = sent(choice=ToolChoice(mode), parallel_calls=True)
    assert body.keys().isdisjoint({"tools", "tool_choice", "parallel_tool_calls"})


def test_system_words_are_a_developers_and_stay_where_they_are():
    written = sent_items(
        Turn(Role.SYSTEM, (Text("first"),), is_plain=True), USER, Turn(Role.DEVELOPER, (Text("later"),))
    )
    assert [(message["role"], message["content"]) for message in written] == [
        ("developer", "first"),
        ("user", "Hello"),
        ("developer", [{"type": "input_text", "text": "later"}]),
    ]


def test_name_of_a_user_goes_in_front_of_the_words():
    plain, parts, empty = sent_items(
        Turn(Role.USER, (Text("Hi"),), name="ann", is_plain=True),
        Turn(Role.USER, (Text("a"), Text("b")), name="bob"),
        Turn(Role.USER, (), name="cat"),
    )
    assert plain["content"] == "ann: Hi"
    assert [part["text"] for part in parts["content"]] == ["bob:", "a", "b"]
    assert empty["content"] == "cat"


def test_name_of_an_assistant_is_left_out_lest_it_write_it_itself():
    (said,) = sent_items(Turn(Role.ASSISTANT, (Text("Hi"),), name="bot", is_plain=True))
    assert said == {"type": "message", "role": "assistant", "content": "Hi"}


def test_what_an_assistant_said_and_refused():
    asked = Asked(model="m", items=(Turn(Role.ASSISTANT, (Text("a"), Refusal("No."))),))
    (said,) = json.loads(write_asked(asked, "m", None))["input"]
    assert said["content"] == [
        {"type": "output_text", "text": "a", "annotations": []},
        {"type": "refusal", "refusal": "No."},
    ]
    with pytest.raises(Problem):
        sent_items(Turn(Role.ASSISTANT, (Image("u"),)))


def test_pictures_and_documents():
    (message,) = sent_items(
        Turn(
            Role.USER,
            (
                Image("data:image/png;base64,AA", detail="low"),
                Image("https://example.com/a.png"),
                Image(file_id="file-1"),
                File("data:application/pdf;base64,AA", filename="a.pdf"),
                File("data:text/plain;base64,AA"),
                File("data:application/pdf;base64,AA"),
                File(url="https://example.com/a.pdf"),
                File(file_id="file-2"),
            ),
        )
    )
    assert message["content"] == [
        {"type": "input_image", "detail": "low", "image_url": "data:image/png;base64,AA"},
        {"type": "input_image", "detail": "auto", "image_url": "https://example.com/a.png"},
        {"type": "input_image", "detail": "auto", "file_id": "file-1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
        {"type": "input_file", "filename": "document.txt", "file_data": "data:text/plain;base64,AA"},
        {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,AA"},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "input_file", "file_id": "file-2"},
    ]


def test_result_is_of_the_kind_that_its_call_has():
    written = sent_items(
        USER,
        Call("c1", "f", "{}"),
        Call("c2", "g", "text", CallKind.CUSTOM),
        CallResult("c1", (Text("one"),), CallKind.CUSTOM),
        CallResult("c2", (Text("two"), Image("https://example.com/a.png"))),
    )
    assert written[1:] == [
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "text"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c2",
            "output": [
                {"type": "input_text", "text": "two"},
                {"type": "input_image", "detail": "auto", "image_url": "https://example.com/a.png"},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("parts", "is_error", "expected"),
    [
        ((), False, ""),
        ((Text(""),), False, ""),
        ((), True, "The tool failed."),
        ((Text(""),), True, "The tool failed."),
        ((Text("No such file."),), True, "No such file."),
    ],
)
def test_tool_that_failed_without_a_word_is_not_taken_for_a_success(parts, is_error, expected):
    *_, result = sent_items(USER, Call("c", "f", "{}"), CallResult("c", parts, is_error=is_error))
    assert result["output"] == expected


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5, unique=True))
def test_any_call_id_is_made_one_that_the_upstream_takes_and_stays_one_and_the_same(ids):
    calls = [Call(call_id, "f", "{}") for call_id in ids]
    written = sent_items(USER, *calls, *[CallResult(call_id, (Text("x"),)) for call_id in ids])
    called = [one["call_id"] for one in written if one["type"] == "function_call"]
    assert called == [one["call_id"] for one in written if one["type"] == "function_call_output"]
    assert len(set(called)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", call_id) for call_id in called)
    for call_id, sent_id in zip(ids, called, strict=True):
        assert sent_id == call_id or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", call_id)


THOUGHT = Reasoning("rs_1", "gAAAAA", ("s",))


def test_reasoning_goes_back_in_front_of_its_call():
    asked = Asked(model="m", items=(USER, THOUGHT, Call("c", "f", "{}"), CallResult("c", (Text("x"),))))
    written = json.loads(write_asked(asked, "m", None))["input"]
    assert [one["type"] for one in written] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert written[1] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "s"}],
        "encrypted_content": "gAAAAA",
    }


@pytest.mark.parametrize(
    "items",
    [
        (USER, THOUGHT),
        (USER, THOUGHT, USER),
        (USER, THOUGHT, THOUGHT, Turn(Role.DEVELOPER, (Text("d"),))),
        (USER, THOUGHT, Turn(Role.ASSISTANT, ()), USER),
        (USER, Call("c", "f", "{}"), THOUGHT, CallResult("c", (Text("x"),))),
        (USER, Reasoning("rs_1", None), Turn(Role.ASSISTANT, (Text("a"),))),
    ],
)
def test_reasoning_that_the_upstream_would_refuse_is_left_out(items):
    assert all(one["type"] != "reasoning" for one in sent_items(*items))


def test_reasoning_stays_before_an_empty_turn_that_is_not_written():
    items = (USER, THOUGHT, Turn(Role.ASSISTANT, ()), Call("c", "f", "{}"), CallResult("c", ()))
    written = json.loads(write_asked(Asked(model="m", items=items), "m", None))["input"]
    assert [one["type"] for one in written][1:3] == ["reasoning", "function_call"]


# ---- round trips -----------------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
PARTS = st.one_of(
    st.builds(Text, WORDS),
    st.builds(Image, WORDS, detail=st.sampled_from(["low", "high", "auto", "original"])),
    st.builds(File, WORDS, filename=NAMES),
)
TURNS = st.one_of(
    st.builds(Turn, st.sampled_from([Role.USER, Role.DEVELOPER]), st.lists(PARTS, min_size=1).map(tuple)),
    st.builds(
        Turn,
        st.sampled_from([Role.USER, Role.DEVELOPER, Role.ASSISTANT]),
        st.tuples(st.builds(Text, WORDS)),
        is_plain=st.just(True),
    ),
    st.builds(
        Turn,
        st.just(Role.ASSISTANT),
        st.lists(st.builds(Text, WORDS) | st.builds(Refusal, WORDS), min_size=2).map(tuple),
    ),
)


@st.composite
def calls(draw):
    kind, call_id = draw(st.sampled_from(CallKind)), draw(st.from_regex(r"call_[a-z0-9]{6}", fullmatch=True))
    sealed = draw(st.booleans())
    parts = draw(st.one_of(st.tuples(st.builds(Text, WORDS)), st.lists(PARTS, min_size=2).map(tuple)))
    thought = [Reasoning("rs_1", "sealed", tuple(draw(st.lists(WORDS, max_size=2))))] if sealed else []
    return [*thought, Call(call_id, draw(NAMES), draw(WORDS), kind), CallResult(call_id, parts, kind)]


TOOLS = st.one_of(
    st.builds(Tool, NAMES, st.just(CallKind.FUNCTION), st.none() | WORDS, st.just(RAW_SCHEMA), st.booleans()),
    st.builds(Tool, NAMES, st.just(CallKind.CUSTOM), st.none() | WORDS),
)
ASKED = st.builds(
    Asked,
    model=st.just("gpt-5.5"),
    items=st.lists(st.one_of(TURNS.map(lambda turn: [turn]), calls()), min_size=1, max_size=6).map(
        lambda lots: tuple(one for lot in lots for one in lot)
    ),
    stream=st.booleans(),
    tools=st.lists(TOOLS, min_size=1, max_size=3).map(tuple),
    choice=st.none() | st.builds(ToolChoice, st.just(ChoiceMode.REQUIRED)),
    parallel_calls=st.none() | st.booleans(),
    format=st.none()
    | st.builds(Format, st.just(FormatKind.JSON_OBJECT))
    | st.builds(Format, st.just(FormatKind.JSON_SCHEMA), NAMES, WORDS, st.just(RAW_SCHEMA), st.booleans()),
    effort=st.none() | st.sampled_from(["none", "high"]),
    summary=st.none() | st.just("auto"),
    verbosity=st.none() | st.just("low"),
    output_cap=st.none() | st.integers(16, 2**40),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    logprobs=st.booleans(),
    service_tier=st.none() | NAMES,
    metadata=st.none() | st.just(msgspec.Raw(b'{"a":"b"}')),
    user=st.none() | WORDS,
    safety_identifier=st.none() | WORDS,
    cache_key=st.none() | WORDS,
    cache_retention=st.none() | st.just("24h"),
)


@given(ASKED)
def test_what_is_written_is_read_again(asked):
    again = to_asked(read_responses_request(write_asked(asked, asked.model, None)))
    assert msgspec.json.encode(again) == msgspec.json.encode(asked)
