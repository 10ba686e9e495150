"""A conversation that is kept here goes upstream as items."""

import json

import msgspec
import pytest

from fakes import responses_strictness
from runapi.core.problems import Problem
from runapi.wire.openai_responses.history import (
    echoes_of,
    input_items,
    items_by_id,
    named_items,
    output_items,
    with_history,
)
from runapi.wire.openai_responses.listed_items import as_listed
from runapi.wire.openai_responses.normalise import normalise_responses
from wire.openai_responses import answers
from wire.openai_responses.answers import call, custom_call, message, reasoning
from wire.openai_responses.asking import request
from wire.openai_responses.test_normalise_responses import MODEL


def read(items):
    return [json.loads(bytes(item)) for item in items]


def output(*items):
    return read(output_items(answers.written(answers.response(*items)).encode()))


def test_text_is_an_item_of_the_users():
    assert read(input_items(request(input="Hi"))) == [{"type": "message", "role": "user", "content": "Hi"}]
    assert read(input_items(request(input=..., previous_response_id="resp_1"))) == []


def test_items_are_given_as_they_came():
    items = [{"role": "user", "content": "Hi"}, {"type": "unheard_of", "x": [1.5]}]
    assert read(input_items(request(input=items))) == items


def test_answer_goes_back_without_reasoning_that_nobody_can_read():
    kept = [reasoning(), message("Hi"), call()]
    assert output(*kept) == kept
    assert output(reasoning(encrypted=None), message("Hi")) == [message("Hi")]
    assert output(message("Hi"), reasoning()) == [message("Hi")]


def test_reasoning_that_stands_in_the_answer_itself_is_sent_again():
    open_thought = reasoning(encrypted=None) | {"content": [{"type": "reasoning_text", "text": "So."}]}
    assert output(open_thought, message("Hi")) == [open_thought, message("Hi")]


def test_conversation_goes_on_with_all_its_items():
    first = request(input="Look it up.", instructions="Be brief.")
    earlier = [
        *input_items(first),
        *output_items(answers.written(answers.response(reasoning(), call())).encode()),
    ]
    result = {"type": "function_call_output", "call_id": "call_up0", "output": "rain"}
    second = request(input=[result], previous_response_id="resp_1", instructions="Rhyme.", stream=True)
    joined = with_history(second, earlier)
    assert joined.previous_response_id is None
    assert joined.item_types == {"message", "reasoning", "function_call", "function_call_output"}
    assert read(input_items(joined)) == [*read(earlier), result]
    assert (joined.stream, json.loads(bytes(joined.fields["instructions"]))) == (True, "Rhyme.")


def test_openai_takes_the_joined_items():
    earlier = [*input_items(request(input="Hi")), *map(raw, (message("Hi"), custom_call()))]
    result = {"type": "custom_tool_call_output", "call_id": "call_up1", "output": "ok"}
    joined = with_history(request(input=[result], previous_response_id="resp_1"), earlier)
    body = json.loads(normalise_responses(joined, MODEL).encode("gpt-5.5-2026-04-23"))
    assert responses_strictness.refusal(body, None) is None


def raw(item):
    return msgspec.Raw(json.dumps(item).encode())


# ---- items that are only named ---------------------------------------------------------------------------

REFERENCE = {"type": "item_reference", "id": "fc_up0"}
BARE_REFERENCE = {"id": "msg_up0"}
EMPTY_THOUGHT = {"type": "reasoning", "id": "rs_up0", "summary": []}
RESULT = {"type": "function_call_output", "call_id": "call_up0", "output": "rain"}


def test_items_that_are_only_named_are_found():
    asked = request(
        input=[{"role": "user", "content": "Hi"}, EMPTY_THOUGHT, REFERENCE, BARE_REFERENCE, RESULT]
    )
    assert named_items(asked) == {"rs_up0", "fc_up0", "msg_up0"}


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": "Hi", "id": "msg_1"},
        reasoning(),
        reasoning(encrypted=None) | {"content": [{"type": "reasoning_text", "text": "So."}]},
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAAAA", "id": "rs_1"},
        {"type": "unheard_of", "id": "x_1"},
        {"type": "reasoning", "summary": [], "encrypted_content": 5, "id": "rs_1"},
        call(),
    ],
)
def test_item_that_is_whole_is_not_looked_for(item):
    asked = request(input=[item, {"role": "user", "content": "Hi"}])
    assert named_items(asked) == frozenset()
    assert read(input_items(with_history(asked)))[0] == item


def test_text_names_nothing():
    assert named_items(request(input="item_reference")) == frozenset()


def test_named_items_take_their_own_places():
    stored = answers.written(answers.response(reasoning(), call(), message("Hi"))).encode()
    named = items_by_id(stored, {"rs_up0", "fc_up0", "msg_up0", "msg_none"})
    asked = request(input=[BARE_REFERENCE, EMPTY_THOUGHT, REFERENCE, RESULT])
    assert read(input_items(with_history(asked, named=named))) == [message("Hi"), reasoning(), call(), RESULT]


def test_named_item_stays_as_it_was_written():
    written = b'{ "id":"x_1" , "type":"unheard_of","big": 12345678901234567890123, "x":[1.50] }'
    named = items_by_id(b'{"output":[%b]}' % written, {"x_1"})
    joined = with_history(request(input=[{"type": "item_reference", "id": "x_1"}]), named=named)
    assert written in bytes(joined.fields["input"])


def test_earlier_item_stays_as_it_was_written():
    written = b'{ "type":"unheard_of","big": 12345678901234567890123, "x":[1.50] }'
    joined = with_history(request(input="Hi", previous_response_id="resp_1"), [msgspec.Raw(written)])
    assert bytes(joined.fields["input"]).startswith(b"[" + written)


def test_reference_to_what_is_not_kept_is_404_in_openais_words():
    with pytest.raises(Problem) as refused:
        with_history(request(input=[REFERENCE, RESULT]))
    assert (refused.value.status, refused.value.param) == (404, "input")
    assert refused.value.message.startswith(
        "Item with id 'fc_up0' not found. Items are not persisted when `store` is set to false."
    )


def test_reasoning_of_which_nobody_knows_more_is_left_out():
    asked = request(input=[EMPTY_THOUGHT, call(), RESULT])
    assert read(input_items(with_history(asked))) == [call(), RESULT]
    unreadable = {"rs_up0": raw(reasoning(encrypted=None))}
    assert read(input_items(with_history(asked, named=unreadable))) == [call(), RESULT]


# ---- what the answer says again --------------------------------------------------------------------------


def test_answer_says_again_what_the_client_asked_and_not_what_went_upstream():
    asked = request(previous_response_id="resp_1", max_output_tokens=500, prompt_cache_key="mine")
    assert echoes_of(asked) == {
        "store": b"true",
        "previous_response_id": b'"resp_1"',
        "max_output_tokens": b"500",
        "prompt_cache_key": b'"mine"',
        "safety_identifier": b"null",
        "user": b"null",
    }
    assert echoes_of(request(store=False))["store"] == b"false"


# ---- as they are listed ----------------------------------------------------------------------------------


def as_resources(items, base):
    return [item.raw for item in as_listed(map(raw, items), base)]


def test_listed_items_have_ids_contents_and_states():
    items = [
        {"role": "user", "content": "Hi"},
        {
            "type": "message",
            "id": "msg_own",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Yo"}],
        },
        {
            "role": "user",
            "content": [{"type": "input_image", "image_url": "u"}, {"type": "input_text", "text": "x"}],
        },
        call(),
        {"type": "function_call_output", "call_id": "call_up0", "output": "rain"},
        {"type": "unheard_of"},
    ]
    listed = read(as_resources(items, "0123"))
    assert listed == [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "Hi"}],
            "type": "message",
            "id": "msg_012300",
            "status": "completed",
        },
        items[1]
        | {
            "content": [{"annotations": [], "logprobs": [], "type": "output_text", "text": "Yo"}],
            "status": "completed",
        },
        {
            "role": "user",
            "content": [
                {"detail": "auto", "type": "input_image", "image_url": "u"},
                {"type": "input_text", "text": "x"},
            ],
            "type": "message",
            "id": "msg_012302",
            "status": "completed",
        },
        call(),
        items[4] | {"id": "fco_012304", "status": "completed"},
        {"type": "unheard_of", "id": "item_012305"},
    ]
    assert [item.id for item in as_listed(map(raw, items), "0123")] == [item["id"] for item in listed]


@pytest.mark.parametrize("content", [None, [], ["bare"], 5])
def test_content_of_any_shape_can_be_listed(content):
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": content}
    listed = read(as_resources([item], "01"))
    assert listed == [item | {"status": "completed", "content": content if content == ["bare"] else []}]
