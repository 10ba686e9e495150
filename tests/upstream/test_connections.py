"""When a connection serves the next request, when it is closed, and that nothing is left of it."""

import asyncio
import contextlib
import gc

import pytest

from runapi.upstream.client import BrokenReplyError, UnreachableError, UpstreamClient, read_whole
from runapi.upstream.connection import MOST_UNREAD_BYTES, Connection
from upstream.raw_server import CHUNKED, HEADERS, OK, WHOLE, repeating, saying, serving


@pytest.fixture
async def client():
    made = UpstreamClient(connect_timeout_s=5)
    yield made
    await made.close()


@pytest.fixture(autouse=True)
async def nothing_goes_unnoticed():
    """What asyncio would only log (an error that nobody took, a callback that failed) fails the test."""
    seen: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.append(context))
    yield
    gc.collect()
    assert seen == []


async def whole(client, server, **how):
    return await read_whole(await client.post(server.address, HEADERS, b"{}", **how))


async def begin(client, server):
    return await client.post(server.address, HEADERS, b"{}")


# ---- used again, or not ----------------------------------------------------------------------------------


async def test_newest_idle_connection_is_used_first(client):
    async with serving(repeating) as server:
        await asyncio.gather(*(whole(client, server) for _ in range(3)))
        assert len(server.visits) == 3
        for _ in range(4):
            await whole(client, server)
        assert sorted(visit.requests for visit in server.visits) == [1, 1, 5]


async def test_connections_to_one_origin_are_never_used_for_another(client):
    async with serving(repeating) as one, serving(repeating) as other:
        for server in (one, other, one, other):
            await whole(client, server)
        assert [[visit.requests for visit in server.visits] for server in (one, other)] == [[2], [2]]


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nConnection: x, Close\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        WHOLE + b"garbage",
        WHOLE + WHOLE,
        CHUNKED + b"2\r\n{}\r\n0\r\n\r\n" + WHOLE,
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=[
        "close",
        "close among others",
        "HTTP/1.0",
        "garbage",
        "another",
        "another behind chunks",
        "204",
        "204 chunks",
    ],
)
async def test_connection_is_closed_behind_an_answer_that_was_its_last_or_that_more_follows(client, answer):
    async with serving(saying(answer, then_closes=False)) as server:
        for _ in range(2):
            assert await whole(client, server) in (b"{}", b"")
        assert len(server.visits) == 2
        await server.visits[0].ended.wait()


@pytest.mark.parametrize("extra", [b"x", WHOLE, b"\r\n"])
async def test_idle_connection_that_says_something_is_closed(client, extra):
    async def play(visit):
        await visit.answer(WHOLE, extra)
        await visit.end()

    async with serving(play) as server:
        assert await whole(client, server) == b"{}"
        await server.visits[0].ended.wait()
        assert await whole(client, server) == b"{}"
        assert len(server.visits) == 2


async def test_idle_connection_that_was_closed_is_not_used_again(client):
    async with serving(saying(WHOLE)) as server:
        for _ in range(3):
            await whole(client, server)
            await asyncio.sleep(0.2)
        assert len(server.visits) == 3


async def test_connection_that_closes_instead_of_answering_says_that_it_was_connected(client):
    async def play(visit):
        await visit.answer(WHOLE)
        await visit.request()

    async with serving(play) as server:
        await whole(client, server)
        with pytest.raises(UnreachableError) as raised:
            await whole(client, server)
        assert raised.value.was_connected
        assert len(server.visits) == 1


async def test_connection_that_is_idle_for_too_long_is_closed():
    client = UpstreamClient(connect_timeout_s=5, keep_idle_s=0.2)
    async with serving(repeating) as server:
        await asyncio.gather(*(whole(client, server) for _ in range(3)))
        for _ in range(4):  # one of them is used all the time
            await asyncio.sleep(0.1)
            await whole(client, server)
        assert [visit.ended.is_set() for visit in server.visits].count(False) == 1
        for visit in server.visits:
            await visit.ended.wait()
        assert await whole(client, server) == b"{}"
        assert len(server.visits) == 4
    await client.close()


async def test_client_that_is_closed_closes_every_connection():
    client = UpstreamClient(connect_timeout_s=5)
    async with serving(repeating) as idle, serving(saying(CHUNKED, then_closes=False)) as busy:
        await whole(client, idle)
        reply = await begin(client, busy)
        waiting = asyncio.create_task(reply.read())
        await asyncio.sleep(0.05)
        await client.close()
        await idle.visits[0].ended.wait()
        await busy.visits[0].ended.wait()
        with pytest.raises(BrokenReplyError):
            await waiting


# ---- given up --------------------------------------------------------------------------------------------


async def test_answer_that_is_given_up_closes_its_connection(client):
    async with serving(saying(CHUNKED, b"3\r\none\r\n", then_closes=False)) as server:
        reply = await begin(client, server)
        assert await reply.read() == b"one"
        reply.close()
        reply.close()
        await server.visits[0].ended.wait()
        with pytest.raises(BrokenReplyError):
            await reply.read()


async def test_answer_that_has_ended_is_given_up_without_a_loss_to_the_next(client):
    async with serving(repeating) as server:
        first = await begin(client, server)
        await read_whole(first)
        second = await begin(client, server)
        first.close()
        assert await read_whole(second) == b"{}"
        first.close()
        assert await whole(client, server) == b"{}"
        assert len(server.visits) == 1


async def test_call_that_is_cancelled_closes_its_connection(client):
    async def play(visit):
        await visit.request()
        await visit.end()

    async with serving(play) as server:
        calling = asyncio.create_task(begin(client, server))
        while not server.visits or not server.visits[0].requests:
            await asyncio.sleep(0.01)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await server.visits[0].ended.wait()


async def test_call_that_is_cancelled_when_its_answer_has_come_takes_nothing_from_the_next(client):
    async with serving(repeating) as server:
        for _ in range(5):
            cancelled = asyncio.create_task(begin(client, server))
            while not client._connections._idle.get(server.address.origin):
                await asyncio.sleep(0)
            cancelled.cancel()
            after = await asyncio.gather(whole(client, server), cancelled, return_exceptions=True)
            assert after[0] == b"{}"
        assert len(server.visits) == 1


async def test_reading_that_is_cancelled_loses_nothing(client):
    async def play(visit):
        await visit.answer(CHUNKED)
        await asyncio.sleep(0.2)
        visit.writer.write(b"3\r\none\r\n0\r\n\r\n")
        await visit.end()

    async with serving(play) as server:
        reply = await begin(client, server)
        offered = []
        reply.tap(lambda data: offered.append(data) or True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reply.read(), 0.05)
        await asyncio.sleep(0.3)
        assert [await reply.read(), await reply.read()] == [b"one", b""]
        assert offered == []  # nobody waited


async def test_tap_may_give_the_answer_up(client):
    async with serving(saying(CHUNKED, b"3\r\none\r\n3\r\ntwo\r\n", then_closes=False)) as server:
        reply = await begin(client, server)
        offered = []

        def take(data: bytes) -> bool:
            offered.append(data)
            reply.close()
            return True

        reply.tap(take)
        with pytest.raises(BrokenReplyError):
            await reply.read()
        assert offered == [b"one"]
        await server.visits[0].ended.wait()


# ---- back-pressure ---------------------------------------------------------------------------------------


async def test_upstream_waits_for_a_reader_who_is_slow(client):
    sent = 0
    size = 64 * 1024

    async def pour(visit):
        nonlocal sent
        await visit.answer(OK + b"Content-Length: %d\r\n\r\n" % (size * 400))
        for _ in range(400):
            visit.writer.write(b"x" * size)
            await visit.writer.drain()
            sent += size
        await repeating(visit)

    async with serving(pour) as server:
        reply = await begin(client, server)
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.3)
        assert sent < size * 400
        assert len(first := await reply.read()) <= MOST_UNREAD_BYTES + 256 * 1024
        assert len(first) + len(await read_whole(reply, most_bytes=size * 400)) == size * 400
        assert await whole(client, server) == b"{}"
        assert len(server.visits) == 1


async def test_connection_whose_answer_ended_while_nobody_read_serves_the_next_request(client):
    size = MOST_UNREAD_BYTES * 3 // 2

    async def play(visit):
        await visit.answer(OK + b"Content-Length: %d\r\n\r\n" % size + b"x" * (size - 1), b"x")
        await repeating(visit)

    async with serving(play) as server:
        slow = await begin(client, server)
        await asyncio.sleep(0.3)
        assert len(await read_whole(slow)) == size
        await asyncio.sleep(0.1)
        assert await whole(client, server) == b"{}"
        assert len(server.visits) == 1


# ---- nothing is left -------------------------------------------------------------------------------------


def open_or_waiting() -> int:
    return sum(type(thing) is Connection for thing in gc.get_objects())


@pytest.mark.parametrize("end", ["reused", "closed", "given up", "odd", "broken"])
async def test_nothing_of_a_connection_waits_for_the_garbage_collector(end):
    plays = {
        "reused": repeating,
        "closed": saying(OK + b"\r\n{}"),
        "given up": saying(CHUNKED, b"1\r\nx\r\n", then_closes=False),
        "odd": saying(CHUNKED, b"zz\r\n", then_closes=False),
        "broken": saying(CHUNKED, b"1\r\nx\r\n"),
    }
    gc.collect()
    before = open_or_waiting()
    gc.disable()
    try:
        client = UpstreamClient(connect_timeout_s=5)
        async with serving(plays[end]) as server:
            reply = await begin(client, server)
            with contextlib.suppress(BrokenReplyError):
                await reply.read()
                if end != "given up":
                    await reply.read()
            reply.close()
            del reply
            await client.close()
            await asyncio.sleep(0.1)
            assert open_or_waiting() == before
    finally:
        gc.enable()
