"""A conversation goes on from answers that are kept: whole, within its account and mode, and for its time."""

import asyncio
import json

import pytest
from sqlalchemy import text

from fakes.both_engines import ON_BOTH
from runapi.core.keys import Mode, Principal
from runapi.core.problems import Problem
from runapi.core.stored_responses import MOST_BYTES, StoredResponse, unpack
from runapi.flows.stored_responses import MOST_NAMED, StoredResponses
from runapi.store.database import Database
from runapi.store.driver import open_cursor
from runapi.store.stored_rows import stored_statements
from runapi.wire.openai_responses.history import input_items
from runapi.wire.openai_responses.request import ResponsesRequest
from stored.answers import AT_US, DAY_US, call, message, principal, record, request, response, thought

USER = {"type": "message", "role": "user", "content": "Hi"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
MINE = principal()


class Kept:
    """The answers of a database, at a time that tests may change."""

    def __init__(self, database: Database, *, days: int = 30, most_account_bytes: int | None = None) -> None:
        self.database = database
        self.now_us = AT_US
        bound = {} if most_account_bytes is None else {"most_account_bytes": most_account_bytes}
        self.flow = StoredResponses(database, lambda: self.now_us, days=days, **bound)

    async def answer(
        self,
        asked: ResponsesRequest,
        end: bytes,
        owner: Principal = MINE,
        upstream: str | None = "first",
    ) -> StoredResponse | None:
        """Keep what `end` answers, as a settlement does."""
        row = record(owner.account_id, owner.mode, upstream)
        made = await self.flow.to_stored(row, asked, end)
        if made is not None:
            await self.database.run(_write, made)
        return made

    async def asked_upstream(self, asked: ResponsesRequest, owner: Principal = MINE) -> list[object]:
        """The items that an upstream is sent."""
        whole = await self.flow.expand(owner, asked)
        assert whole.previous_response_id is None
        return [json.loads(bytes(item)) for item in input_items(whole)]

    async def refusal(self, asked: ResponsesRequest, owner: Principal = MINE) -> Problem:
        with pytest.raises(Problem) as refused:
            await self.flow.expand(owner, asked)
        return refused.value


def _write(connection, made):
    for sql, values in stored_statements(connection, [made]):
        open_cursor(connection).execute(sql, values)


@pytest.fixture
def kept(database: Database) -> Kept:
    return Kept(database)


# ---- a conversation that goes on -------------------------------------------------------------------------


@ON_BOTH
async def test_next_turn_has_all_that_was_said_before(kept: Kept) -> None:
    await kept.answer(request(), response(thought(), call()))
    second = request(input=[RESULT], previous_response_id="resp_1")
    whole = await kept.flow.expand(MINE, second)
    assert await kept.asked_upstream(second) == [USER, thought(), call(), RESULT]
    await kept.answer(whole, response(message("Rain.", "msg_2"), response_id="resp_2"))
    third = request(input="Thanks", previous_response_id="resp_2")
    said = [USER, thought(), call(), RESULT, message("Rain.", "msg_2"), USER | {"content": "Thanks"}]
    assert await kept.asked_upstream(third) == said


async def test_conversation_stays_whole_when_its_first_answers_are_deleted(kept: Kept) -> None:
    await kept.answer(request(), response(message("Yo")))
    second = await kept.flow.expand(MINE, request(input="Go on", previous_response_id="resp_1"))
    await kept.answer(second, response(message("So", "msg_2"), response_id="resp_2"))
    await kept.flow.delete(MINE, "resp_1")
    said = await kept.asked_upstream(request(input="And?", previous_response_id="resp_2"))
    assert said[:2] == [USER, message("Yo")]
    assert len(said) == 5


async def test_conversation_can_go_on_twice_from_one_answer(kept: Kept) -> None:
    await kept.answer(request(), response(message("Yo")))
    for word in ("left", "right"):
        said = await kept.asked_upstream(request(input=word, previous_response_id="resp_1"))
        assert said == [USER, message("Yo"), USER | {"content": word}]


async def test_request_that_names_nothing_is_left_as_it_is(kept: Kept) -> None:
    asked = request(input=[USER, thought(), call(), RESULT])
    kept.database.close_now()  # and nothing is looked up for it
    conversation = await kept.flow.open(MINE, asked)
    assert conversation.asked is asked
    assert conversation.request is asked


async def test_answer_without_anything_new_to_say_goes_on_too(kept: Kept) -> None:
    await kept.answer(request(), response(message("Yo")))
    said = await kept.asked_upstream(request(input=None, previous_response_id="resp_1"))
    assert said == [USER, message("Yo")]


async def test_conversation_says_which_upstream_can_read_its_reasoning(kept: Kept) -> None:
    await kept.answer(request(), response(thought(), call()), upstream="second")
    by_id = await kept.flow.open(MINE, request(input=[RESULT], previous_response_id="resp_1"))
    by_items = await kept.flow.open(MINE, request(input=[{"type": "item_reference", "id": "rs_1"}, RESULT]))
    assert (by_id.upstream, by_items.upstream) == ("second", "second")


# ---- items that are only named ---------------------------------------------------------------------------


@ON_BOTH
async def test_item_references_become_the_items(kept: Kept) -> None:
    await kept.answer(request(), response(thought(), call()))
    await kept.answer(request(), response(message("Yo", "msg_9"), response_id="resp_2"))
    named = [{"type": "item_reference", "id": name} for name in ("msg_9", "rs_1", "fc_1")]
    said = await kept.asked_upstream(request(input=[*named, RESULT]))
    assert said == [message("Yo", "msg_9"), thought(), call(), RESULT]


async def test_reasoning_that_comes_back_without_its_contents_gets_them_again(kept: Kept) -> None:
    await kept.answer(request(), response(thought(), call()))
    bare = {"type": "reasoning", "id": "rs_1", "summary": []}
    unknown = bare | {"id": "rs_unknown"}
    said = await kept.asked_upstream(request(input=[USER, unknown, bare, call(), RESULT]))
    assert said == [USER, thought(), call(), RESULT]


async def test_too_many_names_are_refused_before_anything_is_looked_for(kept: Kept) -> None:
    named = [{"type": "item_reference", "id": f"msg_{number}"} for number in range(MOST_NAMED + 1)]
    assert (await kept.refusal(request(input=named[1:]))).status == 404
    kept.database.close_now()
    problem = await kept.refusal(request(input=named))
    assert (problem.status, problem.param, problem.code) == (400, "input", "invalid_value")


async def test_named_items_cannot_be_more_than_a_server_can_carry(kept: Kept) -> None:
    for number in range(3):
        long = message("x" * (MOST_BYTES // 2 - 1_000), f"msg_{number}")
        assert await kept.answer(request(), response(long, response_id=f"resp_{number}")) is not None
    named = [{"type": "item_reference", "id": f"msg_{number}"} for number in range(3)]
    assert len(await kept.asked_upstream(request(input=named[:2]))) == 2
    assert (await kept.refusal(request(input=named))).status == 413


async def test_reference_to_anothers_item_is_404(kept: Kept) -> None:
    await kept.answer(request(), response(call()), owner=principal(2))
    await kept.answer(request(), response(call()), owner=principal(1, Mode.TEST))
    problem = await kept.refusal(request(input=[{"type": "item_reference", "id": "fc_1"}]))
    assert (problem.status, problem.param, problem.code) == (404, "input", None)


# ---- what is not there -----------------------------------------------------------------------------------


@ON_BOTH
async def test_answer_of_another_account_or_mode_does_not_exist(kept: Kept) -> None:
    await kept.answer(request(), response(message("Secret")), owner=principal(2))
    await kept.answer(request(), response(message("Secret")), owner=principal(1, Mode.TEST))
    await _is_unknown(kept, MINE, "resp_1")
    assert (await kept.flow.find(principal(2), "resp_1")).account_id == 2


@pytest.mark.parametrize("name", ["", "resp_none", "a b", "\0", "ü", "x" * 5_000])
async def test_unknown_id_is_refused_in_openais_words(kept: Kept, name: str) -> None:
    await _is_unknown(kept, MINE, name)


async def _is_unknown(kept: Kept, owner: Principal, name: str) -> None:
    asked = request(previous_response_id=name)
    for refused in (kept.flow.expand(owner, asked), kept.flow.history(owner, name)):
        with pytest.raises(Problem) as previous:
            await refused
        assert previous.value.message.startswith(f"Previous response with id '{name[:100]}' not found.")
        assert (previous.value.status, previous.value.param) == (400, "previous_response_id")
        assert previous.value.code == "previous_response_not_found"
    for refused in (kept.flow.find(owner, name), kept.flow.delete(owner, name)):
        with pytest.raises(Problem) as missing:
            await refused
        assert missing.value.message.startswith(f"Response with id '{name[:100]}' not found.")
        assert missing.value.status == 404


async def test_history_is_what_was_asked_and_answered(kept: Kept) -> None:
    await kept.answer(request(), response(message("Yo")))
    items = await kept.flow.history(MINE, "resp_1")
    assert [json.loads(bytes(item)) for item in items] == [USER, message("Yo")]


async def test_answer_is_kept_for_its_days_and_not_longer(database: Database) -> None:
    kept = Kept(database, days=2)
    await kept.answer(request(), response(message("Yo")))
    kept.now_us += 2 * DAY_US
    await kept.flow.forget_old()
    assert (await kept.flow.find(MINE, "resp_1")).id == "resp_1"
    kept.now_us += 1
    await _is_unknown(kept, MINE, "resp_1")
    kept.now_us -= 1
    assert (await kept.flow.find(MINE, "resp_1")).id == "resp_1"  # it was there, and only hidden
    kept.now_us += 1
    await kept.flow.forget_old()
    kept.now_us -= 1
    await _is_unknown(kept, MINE, "resp_1")


async def test_database_that_cannot_be_read_is_503(kept: Kept) -> None:
    await kept.database.run(lambda c: c.execute(text("DROP TABLE stored_response")))
    asked = request(previous_response_id="resp_1")
    for refused in (
        kept.flow.expand(MINE, asked),
        kept.flow.find(MINE, "resp_1"),
        kept.flow.delete(MINE, "resp_1"),
    ):
        with pytest.raises(Problem) as problem:
            await refused
        assert (problem.value.status, problem.value.code) == (503, "ledger_unavailable")


# ---- what is kept ----------------------------------------------------------------------------------------


async def test_answer_is_kept_as_its_client_got_it(kept: Kept) -> None:
    end = response(message("Yo"), metadata={"a": "b"})
    made = await kept.answer(request(), end)
    assert made is not None
    assert unpack(made.body) == end
    assert made.item_ids == ("msg_1",)
    assert made.upstream == "first"


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"store": False}, response(message("Yo"))),
        ({}, b'{"object":"response","output":[]}'),
        ({}, response(message("Yo"), response_id="")),
        ({}, response(message("Yo"), response_id="resp 1")),
        ({}, response(message("Yo"), response_id="resp\0")),
        ({}, response(message("Yo"), response_id="r" * 300)),
        ({}, response(message("x" * MOST_BYTES))),
        ({"input": "x" * MOST_BYTES}, response(message("Yo"))),
        ({}, b"event: error\ndata: {}\n\n"),
    ],
    ids=[
        "store false",
        "no id",
        "empty",
        "space",
        "zero byte",
        "long id",
        "long answer",
        "long input",
        "error",
    ],
)
async def test_answer_is_not_kept(kept: Kept, fields: dict[str, object], end: bytes) -> None:
    assert await kept.answer(request(**fields), end) is None


@ON_BOTH
async def test_item_id_that_no_database_takes_is_left_out(kept: Kept) -> None:
    made = await kept.answer(request(), response(message("Yo", "msg\0"), message("Yo", "msg_1")))
    assert made is not None
    assert made.item_ids == ("msg_1",)


async def test_large_answers_are_kept_too(kept: Kept) -> None:
    long = "lorem ipsum " * 50_000
    await kept.answer(request(input=long), response(message(long)))
    said = await kept.asked_upstream(request(input="x", previous_response_id="resp_1"))
    assert said[:2] == [USER | {"content": long}, message(long)]


async def test_operator_may_have_nothing_kept(database: Database) -> None:
    kept = Kept(database, days=0)
    conversation = await kept.flow.open(MINE, request(store=True))
    assert conversation.asked.store is False
    assert json.loads(bytes(conversation.asked.fields["store"])) is False
    assert await kept.answer(request(), response(message("Yo"))) is None
    problem = await kept.refusal(request(previous_response_id="resp_1"))
    assert problem.code == "previous_response_not_found"


async def test_oldest_answers_make_way_as_an_account_goes_on(database: Database) -> None:
    kept = Kept(database, most_account_bytes=20_000)
    other = principal(2)
    await kept.answer(request(), response(message("Yo")), owner=other)
    for number in range(60):
        kept.now_us += 1
        await kept.answer(request(), response(message("x" * 100), response_id=f"resp_{number}"))
    await kept.flow.forget_old()
    sizes = await database.run(
        lambda c: dict(
            c.execute(
                text("SELECT account_id, SUM(size_bytes) FROM stored_response GROUP BY account_id")
            ).all()
        )
    )
    assert 15_000 < sizes[1] <= 20_000
    assert (await kept.flow.find(MINE, "resp_59")).id == "resp_59"
    await _is_unknown(kept, MINE, "resp_0")
    assert (await kept.flow.find(other, "resp_1")).account_id == 2


async def test_room_is_made_without_waiting_for_the_hour(database: Database) -> None:
    kept = Kept(database, most_account_bytes=20_000)
    for number in range(200):
        kept.now_us += 1
        await kept.answer(request(), response(message("x" * 100), response_id=f"resp_{number}"))
    total = await database.run(
        lambda c: c.execute(text("SELECT SUM(size_bytes) FROM stored_response")).scalar_one()
    )
    assert total < 20_000 + 2 * 20_000 / 16 + 1_000


async def test_answers_that_end_together_are_all_kept(kept: Kept) -> None:
    ends = [
        response(message("x" * 100_000, f"msg_{number}"), response_id=f"resp_{number}") for number in range(9)
    ]
    await asyncio.gather(*[kept.answer(request(), end) for end in ends])
    for number in range(9):
        assert (await kept.flow.find(MINE, f"resp_{number}")).item_ids == ()
