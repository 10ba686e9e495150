"""What is asked of an upstream that speaks Messages, and what cannot be; beside the golden files."""

import itertools
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from runapi.core.problems import Problem
from runapi.wire.anthropic.ask import left_out, to_asked, upstream_headers, write_asked
from runapi.wire.anthropic.read_tools import read_tools
from runapi.wire.anthropic.request import read_messages_request
from runapi.wire.anthropic.schemas import is_strict
from runapi.wire.anthropic.write_ask import DEFAULT_CAP, betas_of
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
    Role,
    Text,
    Tool,
    ToolChoice,
    Turn,
)

HELLO = (Turn(Role.USER, (Text("Hi."),)),)
LOOK = Tool("look", schema=Raw(b'{"type":"object"}'))


def ask(items=HELLO, **fields):
    return Asked(model="claude", items=tuple(items), **fields)


def write(items=HELLO, cap=None, *, is_adaptive=False, **fields):
    return json.loads(write_asked(ask(items, **fields), "up", cap, is_adaptive=is_adaptive))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"format": Format(FormatKind.JSON_OBJECT)}, "response_format"),
        ({"format": Format(FormatKind.JSON_SCHEMA, "n")}, "response_format.json_schema.schema"),
        ({"tools": (LOOK, Tool("web_search", hosted=Raw(b"{}")))}, "tools[1]"),
        ({"tools": (Tool("patch", CallKind.CUSTOM),)}, "tools[0]"),
        ({"items": [Turn(Role.SYSTEM, (Image("https://example.com/a"),))]}, "messages"),
        ({"items": [Turn(Role.USER, (Image("data:image/bmp;base64,AA"),))]}, "messages"),
        ({"items": [Turn(Role.USER, (Image("data:image/png,AA"),))]}, "messages"),
        ({"items": [Turn(Role.USER, (File("data:application/zip;base64,AA"),))]}, "messages"),
        ({"items": [Turn(Role.USER, (File("data:text/plain;base64,/w=="),))]}, "messages"),
        ({"items": [Turn(Role.USER, (File("data:text/plain;base64,A!"),))]}, "messages"),
    ],
)
def test_what_messages_cannot_say_is_refused_by_name(fields, param):
    with pytest.raises(Problem) as raised:
        write(**fields)
    assert (raised.value.status, raised.value.param) == (400, param)


def test_the_lower_cap_holds_and_there_always_is_one():
    assert write(cap=50, output_cap=100)["max_tokens"] == 50
    assert write(cap=100, output_cap=50)["max_tokens"] == 50
    assert write()["max_tokens"] == DEFAULT_CAP


@pytest.mark.parametrize(
    ("choice", "parallel", "written"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(ChoiceMode.AUTO), None, {"type": "auto"}),
        (ToolChoice(ChoiceMode.NONE), False, {"type": "none"}),
        (ToolChoice(ChoiceMode.REQUIRED), False, {"type": "any", "disable_parallel_tool_use": True}),
        (
            ToolChoice(ChoiceMode.NAMED, ("look",), (CallKind.FUNCTION,)),
            None,
            {"type": "tool", "name": "look"},
        ),
        (ToolChoice(ChoiceMode.ALLOWED_REQUIRED, ("look",), (CallKind.FUNCTION,)), None, {"type": "any"}),
        (ToolChoice(ChoiceMode.ALLOWED_AUTO, ("look",), (CallKind.FUNCTION,)), None, {"type": "auto"}),
    ],
)
def test_each_choice_of_tools_has_its_word(choice, parallel, written):
    body = write(tools=(LOOK, Tool("go")), choice=choice, parallel_calls=parallel)
    assert body.get("tool_choice") == written
    is_narrowed = choice is not None and choice.mode.startswith("allowed")
    assert [tool["name"] for tool in body["tools"]] == (["look"] if is_narrowed else ["look", "go"])


def test_a_choice_without_tools_is_not_sent():
    body = write(choice=ToolChoice(ChoiceMode.AUTO), parallel_calls=False)
    assert "tool_choice" not in body
    assert "tools" not in body


def test_a_tool_always_says_that_its_input_is_an_object():
    tools = (
        Tool("a"),
        Tool("b", schema=Raw(b'{"properties":{}}')),
        Tool("c", schema=Raw(b'{"type":"object","x":1}')),
    )
    assert [tool["input_schema"] for tool in write(tools=tools)["tools"]] == [
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "x": 1},
    ]


def test_a_model_that_must_call_a_tool_does_not_think_first():
    for mode in (ChoiceMode.REQUIRED, ChoiceMode.NAMED, ChoiceMode.ALLOWED_REQUIRED):
        choice = ToolChoice(mode, ("look",), (CallKind.FUNCTION,))
        for is_adaptive in (False, True):
            body = write(tools=(LOOK,), choice=choice, effort="high", is_adaptive=is_adaptive)
            assert "thinking" not in body


def test_adaptive_models_get_an_effort_and_others_a_budget():
    adaptive, budgeted = write(effort="minimal", is_adaptive=True), write(effort="minimal")
    assert (adaptive["thinking"], adaptive["output_config"]) == ({"type": "adaptive"}, {"effort": "low"})
    assert budgeted["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert "output_config" not in budgeted
    for effort in (None, "none"):
        assert "thinking" not in write(effort=effort, is_adaptive=True)


def test_an_adaptive_model_thinks_on_without_its_earlier_thoughts():
    items = [*HELLO, Call("c", "look", "{}"), CallResult("c", (Text("Blue."),))]
    assert "thinking" in write(items, tools=(LOOK,), effort="high", is_adaptive=True)
    assert "thinking" not in write(items, tools=(LOOK,), effort="high")


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"temperature": 0.3}, {"temperature": 0.3}),
        ({"temperature": 1.9}, {"temperature": 1.0}),
        ({"temperature": 0.3, "top_p": 0.5}, {"temperature": 0.3}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"temperature": 0.3, "top_p": 0.5, "effort": "high"}, {}),
    ],
)
def test_sampling_is_sent_as_far_as_anthropic_takes_it(fields, sent):
    body = write(**fields)
    assert {name: body[name] for name in ("temperature", "top_p") if name in body} == sent


def test_what_is_left_out_is_told():
    assert left_out(ask()) == ()
    assert left_out(ask(temperature=0.5, service_tier="default", effort="none")) == ()
    assert left_out(ask(temperature=1, effort="high", service_tier="auto")) == ()
    told = ask(
        verbosity="low",
        metadata=Raw(b"{}"),
        cache_retention="24h",
        service_tier="priority",
        temperature=1.5,
        top_p=0.5,
    )
    assert left_out(told) == (
        "verbosity",
        "metadata",
        "prompt_cache_retention",
        "service_tier",
        "temperature",
        "top_p",
    )


def test_headers_name_the_version_and_the_betas_in_use():
    assert upstream_headers("sk") == {"x-api-key": "sk", "anthropic-version": "2023-06-01"}
    assert upstream_headers("sk", version="2024-01-01", betas=["a", "b"]) == {
        "x-api-key": "sk",
        "anthropic-version": "2024-01-01",
        "anthropic-beta": "a,b",
    }
    assert betas_of(ask()) == ()
    assert betas_of(ask([Turn(Role.USER, (Image(file_id="f"),))])) == ("files-api-2025-04-14",)
    assert betas_of(ask([CallResult("c", (File(file_id="f"),))])) == ("files-api-2025-04-14",)


ROLES = st.sampled_from([Role.USER, Role.ASSISTANT, Role.SYSTEM, Role.DEVELOPER])
ITEMS = st.lists(
    st.one_of(
        st.builds(
            Turn,
            ROLES,
            st.lists(st.builds(Text, st.sampled_from(["a", "b ", " ", ""])), max_size=2).map(tuple),
        ),
        st.builds(
            Call, st.sampled_from(["c.1", "c2"]), st.just("look"), st.sampled_from(["{}", "", '{"a":1}'])
        ),
        st.builds(CallResult, st.sampled_from(["c.1", "c2"]), st.just((Text("Blue."),))),
    ),
    max_size=8,
)


@given(items=ITEMS)
def test_messages_keep_anthropics_rules_whatever_is_asked(items):
    messages = write(items, tools=(LOOK,))["messages"]
    assert messages[0]["role"] == "user"
    assert all(a["role"] != b["role"] for a, b in itertools.pairwise(messages))
    for message in messages:
        assert message["content"]
        kinds = [block["type"] for block in message["content"]]
        assert (
            kinds == sorted(kinds, key=lambda kind: kind != "tool_result") or message["role"] == "assistant"
        )
        for block in message["content"]:
            assert block["type"] != "text" or block["text"].strip()
    last = messages[-1]["content"][-1]
    assert messages[-1]["role"] == "user" or last["type"] != "text" or last["text"] == last["text"].rstrip()


@given(items=ITEMS)
def test_nothing_that_was_said_is_lost(items):
    body = write(items, tools=(LOOK,))
    said = json.dumps(body, sort_keys=True)
    calls = sum(isinstance(item, Call) for item in items)
    results = sum(isinstance(item, CallResult) for item in items)
    texts = [
        part.text for item in items if isinstance(item, Turn) for part in item.parts if part.text.strip()
    ]
    assert said.count('"tool_use"') == calls
    assert said.count('"tool_result"') == results
    found = [block["text"] for block in body.get("system", [])]
    found += [b["text"] for m in body["messages"] for b in m["content"] if b["type"] == "text"]
    assert sorted(text.strip() for text in texts) == sorted(
        text.strip() for text in found if not text.startswith("(")
    )


TURNS = st.one_of(
    st.just({"role": "user", "content": "Hello."}),
    st.just({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
    st.just(
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": True}],
        }
    ),
    st.just({"role": "assistant", "content": [{"type": "text", "text": "c"}]}),
    st.just(
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {"a": [1]}}],
        }
    ),
)


@given(turns=st.lists(TURNS, min_size=1, max_size=6), stops=st.lists(st.text("ab", min_size=1), max_size=2))
def test_a_request_that_was_written_is_read_as_the_same_request(turns, stops):
    body = {
        "model": "m",
        "max_tokens": 9_000,
        "messages": turns,
        "stop_sequences": stops,
        "system": "Be brief.",
        "tools": [{"name": "look", "description": "Look.", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "temperature": 0.5,
        "metadata": {"user_id": "u"},
        "stream": True,
    }
    once = write_asked(to_asked(read_messages_request(msgspec.json.encode(body))), "m", None)
    twice = write_asked(to_asked(read_messages_request(once)), "m", None)
    assert json.loads(twice) == json.loads(once)


STRICT = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("change", "strict"),
    [
        ({}, True),
        ({"properties": {}, "required": []}, True),
        ({"additionalProperties": True}, False),
        ({"required": []}, False),
        ({"required": "a"}, False),
        ({"properties": {"a": {}}}, False),
        ({"properties": {"a": {"anyOf": [{"type": "null"}, STRICT]}}}, True),
        ({"properties": {"a": {"anyOf": [{"type": "object"}]}}}, False),
        ({"properties": {"a": {"type": ["object", "null"]}}}, False),
        ({"properties": {"a": {"type": "array", "items": {"type": "object"}}}}, False),
        ({"properties": {"a": {"type": "string", "default": "x"}}}, False),
        ({"oneOf": []}, False),
        ({"type": "array"}, False),
    ],
)
def test_a_schema_is_strict_where_openai_can_hold_a_model_to_it(change, strict):
    schema = Raw(json.dumps(STRICT | change).encode())
    assert is_strict(schema) is strict
    tool = {"name": "f", "input_schema": {"type": "object"} | STRICT | change, "strict": True}
    if change.get("type") != "array":
        [read] = read_tools(Raw(json.dumps([tool]).encode()))
        assert read.strict is strict


def test_a_schema_nested_without_end_is_not_strict():
    deep = b'{"type":"object","x":' * 200 + b"1" + b"}" * 200
    assert not is_strict(Raw(deep))
    assert not is_strict(Raw(b'{"a":' * 5_000 + b"1" + b"}" * 5_000))
