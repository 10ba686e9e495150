"""How often an account may do what could be guessing, or costs others something: so many times in any minute."""

from collections import deque

from runapi.core.windows import MINUTE_US

MOST_ACCOUNTS = 10_000


class Tries:
    """The tries of every account in the last minute. Times are microseconds of a monotonic clock."""

    def __init__(self, most: int) -> None:
        """Allow `most` tries in any minute."""
        self.most = most
        self._tries: dict[int, deque[int]] = {}

    def begin(self, account_id: int, ticks_us: int) -> int:
        """Count a try and give 0; or count nothing and give the microseconds until there is room.

        It counts from its beginning, so that tries at the same time cannot get past the limit together.
        """
        tries = self._tries.get(account_id)
        if tries is None:
            if len(self._tries) >= MOST_ACCOUNTS:
                self._tries.pop(next(iter(self._tries)))  # the one that began first
            tries = self._tries[account_id] = deque()
        while tries and tries[0] <= ticks_us - MINUTE_US:
            tries.popleft()
        if len(tries) >= self.most:
            return tries[0] + MINUTE_US - ticks_us
        tries.append(ticks_us)
        return 0

    def forgive(self, account_id: int, ticks_us: int) -> None:
        """Take back the try that began at `ticks_us`: it was no guess."""
        tries = self._tries.get(account_id)
        if tries is not None and ticks_us in tries:
            tries.remove(ticks_us)
        if not tries:
            self._tries.pop(account_id, None)
