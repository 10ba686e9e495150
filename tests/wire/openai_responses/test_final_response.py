"""The response object that is kept is the one that the client got at the end."""

import json

import pytest

from runapi.core.usage import Usage
from runapi.wire.neutral import End, EndReason, TextDelta
from runapi.wire.openai_responses.answer_writer import ResponsesWriter
from runapi.wire.openai_responses.final_response import read_final_response
from runapi.wire.openai_responses.stream import ResponsesStream
from wire.openai_responses import answers
from wire.openai_responses.answers import call, message, reasoning
from wire.openai_responses.asking import request


def written(obj):
    return json.dumps(obj).encode()


def event(kind, number, **fields):
    body = {"type": kind, "sequence_number": number, **fields}
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), written(body))


def test_whole_answer_is_kept_as_it_is():
    body = answers.written(answers.response(reasoning(), message("Hi"), call())).encode()
    final = read_final_response(body)
    assert final is not None
    assert final.body == body
    assert final.id == json.loads(body)["id"]
    assert final.item_ids == ("rs_up0", "msg_up0", "fc_up0")


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
def test_streams_last_event_has_the_answer(kind):
    response = answers.response(message("Hi"))
    end = event("response.output_item.done", 7, item=message("Hi")) + event(kind, 8, response=response)
    final = read_final_response(end)
    assert final is not None
    assert (json.loads(final.body), final.item_ids) == (response, ("msg_up0",))


@pytest.mark.parametrize(
    "end",
    [
        b"",
        b"{",
        b"[]",
        b'{"output":[]}',
        b'{"id":5,"output":[]}',
        b'{"id":"resp_1","output":5}',
        event("response.failed", 3, response=answers.response()),
        event("response.in_progress", 3, response=answers.response()),
        b"data: [DONE]\n\n",
        b": comment\n\n",
    ],
)
def test_what_has_no_end_or_no_id_is_not_kept(end):
    assert read_final_response(end) is None


def test_half_a_character_is_mended():
    body = b'{"id":"resp_1","output":[{"id":"msg_1","type":"message","content":"\\ud83d!"}]}'
    end = b'event: response.completed\ndata: {"type":"response.completed","response":%b}\n\n' % body
    for given in (body, end):
        final = read_final_response(given)
        assert final is not None
        assert json.loads(final.body.decode())["output"][0]["content"] == "�!"
        assert (final.id, final.item_ids) == ("resp_1", ("msg_1",))


def test_item_with_an_id_of_another_type_has_none():
    final = read_final_response(b'{"id":"resp_1","output":[{"id":5},{},{"id":"msg_1"}]}')
    assert final is not None
    assert final.item_ids == ("msg_1",)


def test_translated_streams_end_is_what_its_client_got():
    writer = ResponsesWriter("gpt-5.5", "resp_00ff", answers.CREATED_S, request(stream=True))
    writer.write([TextDelta("Hi")])
    end = writer.tail(End(EndReason.STOP), Usage(input=3, output=1), "0.25")
    final = read_final_response(end)
    assert final is not None
    assert final.body == writer.response
    assert (final.id, json.loads(final.body)["usage"]["cost"]) == ("resp_00ff", 0.25)


# ---- a stream that is passed on --------------------------------------------------------------------------


def passed_on(*items, output):
    """The end of a stream whose last event has this output, after these items."""
    stream = ResponsesStream(model="gpt-5.5", request=request(stream=True), echoes={"store": b"true"})
    response = answers.response(*items)
    number = 0
    stream.feed(
        event("response.created", number, response=response | {"output": [], "status": "in_progress"})
    )
    for index, item in reversed(list(enumerate(items))):  # whichever is finished first
        number += 1
        stream.feed(event("response.output_item.done", number, output_index=index, item=item))
    stream.feed(event("response.completed", number + 1, response=response | {"output": output}))
    assert stream.ended
    return stream.tail("0.5", Usage())


@pytest.mark.parametrize("output", [[], None])
def test_items_that_a_server_leaves_out_of_its_last_event_are_put_in(output):
    items = [reasoning(), message("Hi"), call()]
    final = read_final_response(passed_on(*items, output=output))
    assert final is not None
    assert json.loads(final.body)["output"] == items
    assert json.loads(final.body)["usage"]["cost"] == 0.5


def test_items_of_the_last_event_are_left_as_they_are():
    other = message("Other", item_id="msg_other")
    final = read_final_response(passed_on(message("Hi"), output=[other]))
    assert final is not None
    assert json.loads(final.body)["output"] == [other]
    assert json.loads(final.body)["store"] is True
