"""A conversation that is kept here goes upstream as items."""

import json

import msgspec

from fakes import responses_strictness
from runapi.wire.openai_responses.history import as_resources, input_items, output_items, with_history
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
    listed = read(as_resources(map(raw, items), "0123"))
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
        {"type": "unheard_of"},
    ]
