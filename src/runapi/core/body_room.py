"""How much of large request bodies an account may have here at the same time before it has paid for any of it."""

from runapi.core.problems import Problem, RateLimit

MIB = 1024 * 1024
MOST_BYTES = 256 * MIB
_RETRY_AFTER_S = 1


class BodyRoom:
    """The bytes of the large bodies that are being read, by account."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Give each account room for so much; one body has room however large it is."""
        self._most_bytes = most_bytes
        self._taken: dict[int, int] = {}

    def take(self, account_id: int, size: int) -> Problem | None:
        """Set room aside for a body, to be given back; or say why there is none."""
        taken = self._taken.get(account_id, 0)
        if taken and taken + size > self._most_bytes:
            what = f"this account: {self._most_bytes // MIB} MiB of request bodies at the same time"
            return RateLimit(what, _RETRY_AFTER_S)
        self._taken[account_id] = taken + size
        return None

    def give_back(self, account_id: int, size: int) -> None:
        """Give the room of a body back, once it is not kept any more, or is paid for."""
        left = self._taken.pop(account_id, 0) - size
        if left > 0:
            self._taken[account_id] = left
