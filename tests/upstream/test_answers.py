"""What upstreams may send as an answer, byte by byte, and what no answer may be."""

import asyncio

import pytest

from runapi.upstream.client import (
    MOST_HEADER_BYTES,
    MOST_INTERIM_REPLIES,
    BrokenReplyError,
    UnreachableError,
    UpstreamClient,
    read_whole,
)
from upstream.raw_server import CHUNKED, HEADERS, OK, WHOLE, repeating, saying, serving

EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n"


@pytest.fixture
async def client():
    made = UpstreamClient(connect_timeout_s=5)
    yield made
    await made.close()


async def ask(client, *pieces: bytes, then_closes: bool = True):
    async with serving(saying(*pieces, then_closes=then_closes)) as server:
        reply = await client.post(server.address, HEADERS, b"{}")
        try:
            return reply, await read_whole(reply)
        finally:
            reply.close()


def bytes_of(answer: bytes) -> list[bytes]:
    return [answer[at : at + 1] for at in range(len(answer))]


GOOD = {
    "with its length": (WHOLE, b"{}"),
    "in chunks": (CHUNKED + b"2\r\n{}\r\n1;extension=1\r\n \r\n0\r\n\r\n", b"{} "),
    "in chunks with trailers": (CHUNKED + b"2\r\n{}\r\n0\r\nx-request-id: late\r\n\r\n", b"{}"),
    "until the connection ends": (OK + b"\r\n{}", b"{}"),
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
    "of HTTP/1.0 with its length": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "without a reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "with no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "that nothing was modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", b""),
    "with an empty body": (OK + b"Content-Length: 0\r\n\r\n", b""),
    "after interim replies": (EARLY_HINTS * MOST_INTERIM_REPLIES + WHOLE, b"{}"),
}

STATUSES = {"with no content": 204, "that nothing was modified": 304}


@pytest.mark.parametrize("answer", GOOD)
@pytest.mark.parametrize("bytewise", [False, True], ids=["in one piece", "byte by byte"])
async def test_answer_is_read(client, answer, bytewise, monkeypatch):
    sent, body = GOOD[answer]
    if bytewise:
        monkeypatch.setattr("upstream.raw_server.asyncio.sleep", no_sleep)
    reply, read = await ask(client, *(bytes_of(sent) if bytewise else [sent]))
    assert (reply.status, read) == (STATUSES.get(answer, 200), body)
    assert "x-request-id" not in reply.headers
    assert "link" not in reply.headers


SLEEP = asyncio.sleep


async def no_sleep(_seconds: float) -> None:
    await SLEEP(0)


BAD = {
    "two framings": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two framings the other way": OK
    + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "one length twice": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": OK + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": OK + b"Content-Length: +2\r\n\r\n{}",
    "a length below nothing": OK + b"Content-Length: -2\r\n\r\n{}",
    "no length": OK + b"Content-Length:\r\n\r\n{}",
    "a length beyond all numbers": OK + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "another encoding": OK + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "another encoding in chunks": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "something like chunks": OK + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks of chunks": OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n2\r\n{}\r\n0\r\n\r\n",
    "a folded header": OK + b"x-a: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
    "a folded length": OK + b"Content-Length:\r\n 2\r\n\r\n{}",
    "a bare CR": OK + b"x-a: b\rContent-Length: 3\r\nContent-Length: 2\r\n\r\n{}",
    "a bare LF": OK + b"x-a: b\nContent-Length: 2\r\n\r\n{}",
    "a NUL in a value": OK + b"x-a: b\0c\r\nContent-Length: 2\r\n\r\n{}",
    "a NUL in a name": OK + b"x-\0a: b\r\nContent-Length: 2\r\n\r\n{}",
    "a space behind a name": OK + b"Content-Length : 2\r\n\r\n{}",
    "a header without a name": OK + b": b\r\nContent-Length: 2\r\n\r\n{}",
    "a chunk beyond all numbers": CHUNKED + b"fffffffffffffffff\r\n{}",
    "a chunk that never ends": CHUNKED + b"ffffffffffffffff\r\n{}",
    "a chunk below nothing": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk that is no number": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"2\r\n{}{}\r\n0\r\n\r\n",
    "a length behind its chunks": CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
    "trailers without end": CHUNKED + b"2\r\n{}\r\n0\r\nx: " + b"y" * 2_000_000,
    "no end of its chunks": CHUNKED + b"2\r\n{}\r\n",
    "half its length": OK + b"Content-Length: 4\r\n\r\n{}",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "HTTP/0.9": b"<html></html>",
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "a switch of protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n{}",
    "a switch to nothing": b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + WHOLE,
    "status 0": b"HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\n{}",
    "status 99": b"HTTP/1.1 99 OK\r\nContent-Length: 2\r\n\r\n{}",
    "status 1000": b"HTTP/1.1 1000 OK\r\nContent-Length: 2\r\n\r\n{}",
    "too many interim replies": EARLY_HINTS * (MOST_INTERIM_REPLIES + 1) + WHOLE,
    "interim replies without end": EARLY_HINTS * 10_000,
    "a header without end": OK + b"x-a: " + b"y" * 2_000_000,
    "a reason without end": b"HTTP/1.1 200 " + b"y" * 2_000_000,
}


ENDED_BY_CLOSING = {"a chunk that never ends", "no end of its chunks", "half its length"}


@pytest.mark.parametrize("answer", BAD)
async def test_what_no_answer_may_be_is_an_error(client, answer):
    with pytest.raises(BrokenReplyError):
        await ask(client, BAD[answer], then_closes=answer in ENDED_BY_CLOSING)
    async with serving(repeating) as server:
        assert await read_whole(await client.post(server.address, HEADERS, b"{}")) == b"{}"


@pytest.mark.parametrize("over", [0, 1])
async def test_head_has_a_bound(client, over):
    before = OK + b"Content-Length: 2\r\nx-long: "
    answer = before + b"y" * (MOST_HEADER_BYTES - len(before) - 4 + over) + b"\r\n\r\n{}"
    if over:
        with pytest.raises(BrokenReplyError):
            await ask(client, answer)
    else:
        assert (await ask(client, answer))[1] == b"{}"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nx-a", EARLY_HINTS])
async def test_upstream_that_leaves_before_its_head_has_come_is_unreachable(client, answer):
    with pytest.raises(UnreachableError) as raised:
        await ask(client, answer)
    assert raised.value.was_connected
    assert raised.value.__cause__ is not None


async def test_look_ups_of_headers_ignore_case_and_the_first_of_a_name_counts(client):
    fields = b"X-REQUEST-ID: \t one \t\r\nx-request-id: two\r\nRetry-After:\r\nrequest-id: req_\xff\r\n"
    reply, _ = await ask(client, OK + fields + b"Content-Length: 2\r\n\r\n{}")
    assert reply.headers["X-Request-Id"] == reply.headers.get("x-request-ID") == "one"
    assert (reply.headers["retry-after"], reply.headers["request-id"]) == ("", "req_\xff")
    assert "RETRY-AFTER" in reply.headers
    assert "x-other" not in reply.headers


async def test_limits_are_told_of_a_refusal(client):
    fields = b"X-RateLimit-Reset-Tokens: 6m0s\r\nAnthropic-RateLimit-Input-Tokens-Remaining: 0\r\n"
    refusal = b"HTTP/1.1 429 Too Many Requests\r\n" + fields + b"Content-Length: 2\r\n\r\n{}"
    reply, _ = await ask(client, refusal)
    assert reply.headers["x-ratelimit-reset-tokens"] == "6m0s"
    assert reply.headers["anthropic-ratelimit-input-tokens-remaining"] == "0"


async def test_redirect_is_an_answer_like_any_other(client):
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}"
    reply, body = await ask(client, moved)
    assert (reply.status, body) == (302, b"{}")


@pytest.mark.parametrize(
    ("begin", "pieces"),
    [(OK + b"Content-Length: 9\r\n\r\n", [b"one", b"two"]), (CHUNKED, [b"3\r\none\r\n", b"3\r\ntwo\r\n"])],
    ids=["with a length", "in chunks"],
)
async def test_what_came_of_a_body_that_breaks_off_is_read_before_the_error(client, begin, pieces):
    async with serving(saying(begin, *pieces)) as server:
        reply = await client.post(server.address, HEADERS, b"{}")
        await asyncio.sleep(0.3)  # all of it comes, and the end of the connection
        assert await reply.read() == b"onetwo"
        for _ in range(2):
            with pytest.raises(BrokenReplyError):
                await reply.read()


async def test_body_that_has_come_is_read_once_and_ends_for_ever(client):
    async with serving(saying(OK + b"Content-Length: 6\r\n\r\n", b"one", b"two")) as server:
        reply = await client.post(server.address, HEADERS, b"{}")
        await asyncio.sleep(0.3)
        reply.close()  # it has ended: that is no loss
        assert [await reply.read() for _ in range(3)] == [b"onetwo", b"", b""]


async def test_answer_that_nobody_asked_for_is_none(client):
    async def greet(visit):
        visit.writer.write(WHOLE)
        await visit.end()

    async with serving(greet) as server:
        for _ in range(20):
            try:
                await read_whole(await client.post(server.address, HEADERS, b"{}", afresh=True))
            except BrokenReplyError as error:
                assert str(error) == "unasked"  # noqa: PT017 - it depends on who comes first
