"""Records for tests of the store."""

from runapi.core.keys import Mode
from runapi.core.records import RequestRecord


def record(number: int, *, account_id: int = 1, at_us: int | None = None) -> RequestRecord:
    """A record whose id and time follow from `number`."""
    return RequestRecord(
        id=f"req_{number:032x}",
        at_us=1_700_000_000_000_000 + number if at_us is None else at_us,
        account_id=account_id,
        key_id=1,
        mode=Mode.LIVE,
        endpoint="/v1/chat/completions",
        model="gpt-5.5",
        stream=True,
    )
