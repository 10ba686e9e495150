"""Reading a body piece by piece, as the parser hands it over."""

import asyncio
import tracemalloc
from collections.abc import Awaitable, Iterable, Iterator, Sequence

import pytest

from runapi.core.problems import Problem
from runapi.flows.deadlines import Deadlines
from runapi.web.call import Call, Header
from runapi.web.request_body import RequestBody

MIB = 1 << 20


class Silent:
    """A connection on which nothing is answered while the body is read."""

    def peer(self) -> str:
        return ""

    def start(self, call: Call, status: int, headers: Sequence[Header]) -> None:
        raise AssertionError

    def send(self, call: Call, data: bytes, *, last: bool) -> Awaitable[None] | None:
        raise AssertionError

    def wants_body(self, call: Call) -> None:
        pass

    def end(self, call: Call) -> None:
        pass


async def read(
    pieces: Iterable[bytes], most_bytes: int = MIB, *, at_once: int = 1, breaks: bool = False
) -> bytes:
    """Read a body that comes in these pieces, so many in one turn of the loop."""
    call = Call(Silent(), "POST", b"/", "1.1", {})
    call.body = body = RequestBody(lambda: None)
    reading = asyncio.ensure_future(call.read_body(most_bytes, Deadlines().within(60)))
    for number, piece in enumerate(pieces):
        if number % at_once == 0:
            await asyncio.sleep(0)
        body.feed(piece)
    if breaks:
        body.fail()
    else:
        body.end()
    return await reading


@pytest.mark.parametrize(
    "pieces",
    [[b"Hello"], [b"", b"Hel", b"lo"], [b"H", b"e", b"l", b"l", b"o"]],
    ids=["whole", "in pieces", "byte by byte"],
)
@pytest.mark.parametrize("at_once", [1, 2, 9])
async def test_body_is_the_same_however_it_comes(pieces: list[bytes], at_once: int):
    assert await read(pieces, at_once=at_once) == b"Hello"


@pytest.mark.parametrize("before", [[], [b"Hel"]], ids=["at once", "in the middle"])
async def test_body_that_breaks_off_is_a_problem(before: list[bytes]):
    with pytest.raises(Problem, match="ended too early"):
        await read(before, breaks=True)


@pytest.mark.parametrize("sizes", [[6], [5, 1], [3, 3]], ids=str)
async def test_limit_holds_across_pieces(sizes: list[int]):
    assert await read([b"a" * 5], 5) == b"a" * 5
    with pytest.raises(Problem, match="too large"):
        await read([b"a" * size for size in sizes], 5)


async def test_a_hundred_thousand_tiny_pieces_take_no_more_memory_than_their_bytes():
    def tiny() -> Iterator[bytes]:
        for number in range(100_000):
            yield bytes([number % 256, 1, 2])

    tracemalloc.start()
    try:
        body = await read(tiny(), at_once=1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(body) == 300_000
    assert peak < 4 * len(body)
