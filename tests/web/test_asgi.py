"""Reading a body piece by piece, as the parser hands it over."""

import tracemalloc
from collections.abc import Iterable, Iterator

import pytest

from runapi.core.problems import Problem
from runapi.flows.deadlines import Deadlines
from runapi.web.asgi import Call, Message

MIB = 1 << 20


def call_with(messages: Iterable[Message]) -> Call:
    """A request whose body comes in these messages."""
    coming = iter(messages)

    async def receive() -> Message:
        return next(coming)

    async def send(_message: Message) -> None:
        raise AssertionError("nothing is answered while the body is read")

    return Call({"method": "POST", "path": "/"}, {}, receive, send, "req_0")


def piece(data: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


LAST = piece(b"", more=False)


async def read(messages: Iterable[Message], most_bytes: int = MIB) -> bytes:
    return await call_with(messages).read_body(most_bytes, Deadlines().within(60))


@pytest.mark.parametrize(
    "messages",
    [
        [piece(b"Hello", more=False)],
        [piece(b"Hello", more=True), LAST],
        [piece(b"", more=True), piece(b"Hel", more=True), piece(b"lo", more=False)],
        [*(piece(b"Hello"[at : at + 1], more=True) for at in range(5)), LAST],
        [{"type": "http.request", "body": b"Hello"}],
    ],
    ids=["whole", "whole, then the end", "in pieces", "byte by byte", "without more_body"],
)
async def test_body_is_the_same_however_it_comes(messages: list[Message]):
    assert await read(messages) == b"Hello"


@pytest.mark.parametrize("before", [[], [piece(b"Hel", more=True)]], ids=["at once", "in the middle"])
async def test_body_that_breaks_off_is_a_problem(before: list[Message]):
    with pytest.raises(Problem, match="ended too early"):
        await read([*before, {"type": "http.disconnect"}])


@pytest.mark.parametrize("sizes", [[6], [5, 1], [3, 3]], ids=str)
async def test_limit_holds_across_pieces(sizes: list[int]):
    with pytest.raises(Problem, match="at most 5 bytes"):
        await read([*(piece(b"a" * size, more=True) for size in sizes), LAST], most_bytes=5)


async def test_a_hundred_thousand_tiny_pieces_take_no_more_memory_than_their_bytes():
    def messages() -> Iterator[Message]:
        for number in range(100_000):
            yield piece(b"%02d" % (number % 100), more=True)
        yield LAST

    tracemalloc.start()
    try:
        body = await read(messages())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(body) == 200_000
    assert peak < MIB
