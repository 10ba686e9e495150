"""How many rows refused requests may leave: nobody pays for them, and a program that is refused can ask very often."""

from runapi.core.windows import MINUTE_US

MOST_ROWS = 6_000
"""Of a key in a minute: some 2.5 MB. One key can be refused as often in a second."""


class RefusalRows:
    """The rows of refused requests in this minute, by key. Times are microseconds of a monotonic clock."""

    def __init__(self, most: int = MOST_ROWS) -> None:
        """Allow each key `most` rows in a minute."""
        self._most = most
        self._counts: dict[int, int] = {}
        self._ends_us = 0

    def take(self, key_id: int, ticks_us: int) -> int:
        """Count one row; give how many the key is over what it may, which is 0 for a row that may be written."""
        if ticks_us >= self._ends_us:
            self._counts, self._ends_us = {}, ticks_us + MINUTE_US
        count = self._counts[key_id] = self._counts.get(key_id, 0) + 1
        return max(count - self._most, 0)
