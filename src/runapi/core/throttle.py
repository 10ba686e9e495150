"""Answer a key that is refused again and again from memory, without work: some agents retry once a second for hours.

Only refusals that follow from the key's own state are kept (no funds, a limit reached), never those of one request. A
refusal is never repeated past the moment at which it would end by itself, and one success forgets everything.
"""

from runapi.core.problems import Problem

REFUSALS_UNTIL_REST = 5
FORGET_AFTER_US = 30_000_000  # refusals further apart than this are no storm
FIRST_REST_US = 1_000_000
LONGEST_REST_US = 8_000_000
MOST_KEYS = 10_000


class _Storm:
    """The refusals of one key, one after another."""

    __slots__ = ("account_id", "count", "last_us", "problem", "until_us")

    def __init__(self, account_id: int) -> None:
        self.account_id = account_id
        self.count = 0
        self.last_us = 0
        self.until_us = 0  # up to then `problem` is the answer
        self.problem: Problem | None = None


class Throttle:
    """What each key was last refused for, if it was refused often. Times are microseconds of a monotonic clock."""

    def __init__(self) -> None:
        self._storms: dict[int, _Storm] = {}

    def repeat(self, key_id: int, ticks_us: int) -> Problem | None:
        """The answer from memory, if this key is to get one; costs one look-up."""
        storm = self._storms.get(key_id)
        if storm is None or storm.problem is None or ticks_us >= storm.until_us:
            return None
        return _anew(storm.problem)

    def note_refusal(
        self, key_id: int, account_id: int, problem: Problem, ticks_us: int, lasts_us: int | None = None
    ) -> None:
        """Note a refusal that was worked out.

        Args:
            key_id: whose it was.
            account_id: who pays for that key.
            problem: what it was told.
            ticks_us: the monotonic clock.
            lasts_us: after this time the answer may be another by itself; None: only something done about it helps.
        """
        storm = self._storms.get(key_id)
        if storm is None:
            if len(self._storms) >= MOST_KEYS:
                self._storms.pop(next(iter(self._storms)))  # the one that began first
            storm = self._storms[key_id] = _Storm(account_id)
        if ticks_us - storm.last_us > FORGET_AFTER_US:
            storm.count = 0
        storm.count += 1
        storm.last_us = ticks_us
        over = storm.count - REFUSALS_UNTIL_REST
        if over >= 0:
            rest_us = min(FIRST_REST_US << min(over, 8), LONGEST_REST_US)
            storm.until_us = ticks_us + (rest_us if lasts_us is None else min(rest_us, lasts_us))
            storm.problem = _anew(problem)

    def forget_key(self, key_id: int) -> None:
        """Begin anew: the key was admitted, or its limits were changed."""
        if self._storms:
            self._storms.pop(key_id, None)

    def forget_all(self) -> None:
        """Begin anew with every key: limits or balances were changed, whoever's."""
        self._storms.clear()

    def forget_account(self, account_id: int) -> None:
        """Begin anew with all keys of an account: it was topped up."""
        for key_id in [key_id for key_id, storm in self._storms.items() if storm.account_id == account_id]:
            del self._storms[key_id]


def _anew(problem: Problem) -> Problem:
    """A problem of its own to raise: one that is raised twice keeps the tracebacks, and so the bodies, of both."""
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
