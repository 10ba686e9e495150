"""The row that every request leaves behind."""

from enum import StrEnum

import msgspec

from runapi.core.keys import Mode
from runapi.core.usage import Usage, UsageSource


class Outcome(StrEnum):
    """How a request ended."""

    COMPLETED = "completed"  # the whole answer was received from the upstream
    REFUSED = "refused"  # refused here, before any upstream call
    FAILED = "failed"  # the upstream or we failed
    CANCELLED = "cancelled"  # the client left, and the upstream call was ended with it


class RequestRecord(msgspec.Struct, kw_only=True):
    """One request, from arrival to settled charge. Times are Unix or elapsed microseconds."""

    id: str  # req_ and 32 hexadecimal digits; the x-request-id header
    at_us: int
    account_id: int
    key_id: int
    mode: Mode
    endpoint: str
    model: str
    stream: bool
    status: int = 0  # the HTTP status that the client was sent, or would have been
    outcome: Outcome = Outcome.FAILED
    error_code: str | None = None
    client_left: bool = False
    upstream: str | None = None
    upstream_model: str | None = None
    upstream_request_id: str | None = None
    attempts: int = 0
    first_byte_us: int | None = None
    total_us: int = 0
    output_cap: int | None = None  # the most output tokens a choice that its hold pays for
    usage: Usage = Usage()
    usage_source: UsageSource = UsageSource.NONE
    service_tier: str | None = None
    cost_pico: int = 0
    cost_nano: int = 0  # what the customer is charged
    upstream_cost_nano: int = (
        0  # what the operator is charged, by the official price and the upstream's ratio
    )
    dropped: tuple[str, ...] = ()  # parameters left out because the model refuses them
    upstream_error: str | None = None  # of the last attempt that failed: "401 invalid_api_key"
