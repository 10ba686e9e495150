"""One running request and everybody who waits for its answer: what it sends is kept, and told to all.

The request writes into a `Recording`; each client, the first one too, reads from it at its own pace. Nobody has a
copy: all read the same bytes, which are bounded, and the request waits where its readers are slow.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from runapi.core.idempotency import Answer
from runapi.core.problems import Problem
from runapi.flows.client_side import ClientSide, Header

PIECE_BYTES = 64 * 1024
AHEAD_BYTES = 256 * 1024
"""How far the request may run ahead of its readers before it waits."""

REPLAYED: Header = (b"idempotent-replayed", b"true")


class Budget:
    """How many bytes all recordings together may keep."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.used_bytes = 0


class _Reader:
    """One client that follows, and how far it is."""

    __slots__ = ("at", "left", "more")

    def __init__(self) -> None:
        self.at = 0
        self.left = False
        self.more = asyncio.Event()

    def leave(self) -> None:
        self.left = True
        self.more.set()


class Recording:
    """What a request has sent so far; a ClientSide for the request."""

    def __init__(self, budget: Budget, *, most_bytes: int, stall_s: float, stop_when_alone: bool) -> None:
        """Record up to `most_bytes`.

        Args:
            budget: shared by all recordings.
            most_bytes: a longer answer is passed on to who reads it, but not kept.
            stall_s: a reader that takes nothing for so long counts as gone.
            stop_when_alone: tell the request that its client has left when nobody reads any more. Otherwise it is
                told so only when nothing is kept either: until then somebody may come back for the answer.
        """
        self._budget = budget
        self._most_bytes = most_bytes
        self._stall_s = stall_s
        self._stop_when_alone = stop_when_alone
        self._head: tuple[int, tuple[Header, ...]] | None = None
        self._kept = bytearray()
        self._dropped = 0  # bytes before the kept ones, no longer here
        self._readers: set[_Reader] = set()
        self._room = asyncio.Event()
        self._is_alone = False
        self._watchers: list[Callable[[], object]] = []  # who is told when it becomes so
        self._problem: Problem | None = None
        self.whole = True  # every byte so far is kept
        self.ended = False  # the last byte was sent
        self.over = False  # nothing more will come, whether ended or not

    # ---- what the request does: ClientSide ---------------------------------------------------------------

    async def start(self, status: int, headers: Sequence[Header]) -> None:
        self._head = status, tuple(headers)
        self._wake()

    async def send(self, data: bytes, *, last: bool = False) -> None:
        """Keep `data` and tell the readers; wait while they are far behind."""
        if last:
            self._keep(data)
            self.ended = self.over = True
            self._wake()
        elif (waiting := self.begin(data)) is not None:
            await waiting

    def begin(self, data: bytes) -> Awaitable[None] | None:
        self._keep(data)
        self._wake()
        return self._wait_for_readers() if self._are_far_behind() else None

    def on_gone(self, gone: Callable[[], object]) -> Callable[[], object]:
        self._watchers.append(gone)
        if self._is_alone:
            gone()
        return self._watchers.clear

    # ---- what the flow does ------------------------------------------------------------------------------

    def answer(self, rest: bytes, head: tuple[int, Sequence[Header]] | None = None) -> Answer | None:
        """The whole answer, given what is still to be sent; None where it is not kept whole.

        Args:
            rest: the last bytes, which are not sent yet.
            head: status and headers, where they are not sent yet either.
        """
        started = self._head if self._head is not None else head
        if started is None:
            return None
        if not self.whole or len(self._kept) + len(rest) > self._most_bytes:
            return None
        return Answer(started[0], tuple(started[1]), bytes(self._kept) + rest)

    def play(self, answer: Answer) -> None:
        """Be the recording of an answer that was kept."""
        self._head = answer.status, answer.headers
        self._kept += answer.body
        self._budget.used_bytes += len(answer.body)
        self.ended = self.over = True
        self._wake()

    def fail(self, problem: Problem) -> None:
        """Tell the readers this problem, or break off where the answer has begun."""
        self._problem = problem
        self.over = True
        self._wake()

    def close(self) -> None:
        """Give the bytes back to the budget, once nothing more is sent; readers that are still there read on."""
        self._budget.used_bytes -= len(self._kept)

    # ---- what a reader does ------------------------------------------------------------------------------

    async def follow(self, client: ClientSide, *, replayed: bool) -> None:
        """Pass the answer on to a client, from its beginning to its end, or until the client leaves.

        Raises:
            Problem: the request ended in it before anything was sent.
        """
        reader = _Reader()
        self._readers.add(reader)
        unwatch = client.on_gone(reader.leave)
        try:
            async with asyncio.timeout(None) as patience:
                await self._deliver(reader, client, patience, replayed=replayed)
        except TimeoutError:
            pass  # it reads nothing any more: its connection closes without the rest
        finally:
            unwatch()
            self._readers.discard(reader)
            self._note_leaving()

    async def _deliver(
        self, reader: _Reader, client: ClientSide, patience: asyncio.Timeout, *, replayed: bool
    ) -> None:
        now_s = asyncio.get_running_loop().time
        while self._head is None and not self.over:
            await self._wait_for_more(reader)
            if reader.left:
                return
        if self._head is None:
            if self._problem is not None:
                raise again(self._problem)
            return
        status, headers = self._head
        await client.start(status, [*headers, REPLAYED] if replayed else headers)
        while not reader.left:
            piece = self._piece(reader)
            last = self.ended and reader.at == self._dropped + len(self._kept)
            if piece or last:
                patience.reschedule(now_s() + self._stall_s)
                await client.send(piece, last=last)
                patience.reschedule(None)
                self._room.set()
            elif self.over:
                return
            else:
                await self._wait_for_more(reader)
            if last:
                return

    def _piece(self, reader: _Reader) -> bytes:
        """The next bytes for a reader, which count as read from here on."""
        start = reader.at - self._dropped
        piece = bytes(self._kept[start : start + PIECE_BYTES])
        reader.at += len(piece)
        return piece

    async def _wait_for_more(self, reader: _Reader) -> None:
        await reader.more.wait()
        reader.more.clear()

    # ---- memory ------------------------------------------------------------------------------------------

    def _keep(self, data: bytes) -> None:
        self._kept += data
        self._budget.used_bytes += len(data)
        if len(self._kept) > self._most_bytes or self._budget.used_bytes > self._budget.most_bytes:
            self.whole = False
            self._note_leaving()
        if not self.whole:
            self._drop_read()

    def _drop_read(self) -> None:
        """Let go of what everybody has read: it is not kept any more, only passed on."""
        end = self._dropped + len(self._kept)
        read = min((reader.at for reader in self._readers), default=end) - self._dropped
        del self._kept[:read]
        self._dropped += read
        self._budget.used_bytes -= read

    async def _wait_for_readers(self) -> None:
        """Wait while the fastest reader is far behind; where nothing is kept, while the slowest is."""
        try:
            while self._are_far_behind():
                self._room.clear()
                await self._room.wait()
                if not self.whole:
                    self._drop_read()
        except asyncio.CancelledError:
            self.whole = False  # whoever interrupts a writer may not write the rest
            raise

    def _are_far_behind(self) -> bool:
        end = self._dropped + len(self._kept)
        behind = [end - reader.at for reader in self._readers]
        return bool(behind) and (min(behind) if self.whole else max(behind)) > AHEAD_BYTES

    def _note_leaving(self) -> None:
        self._room.set()
        if not self._is_alone and not self._readers and (self._stop_when_alone or not self.whole):
            self._is_alone = True
            if self._watchers:
                self.whole = False  # from here on the request need not write any more
            for gone in self._watchers:
                gone()

    def _wake(self) -> None:
        for reader in self._readers:
            reader.more.set()


def again(problem: Problem) -> Problem:
    """The same problem, to be raised to one more client."""
    return Problem(
        problem.status,
        problem.message,
        type=problem.type,
        param=problem.param,
        code=problem.code,
        should_retry=problem.should_retry,
        retry_after_s=problem.retry_after_s,
        headers=problem.headers,
    )
