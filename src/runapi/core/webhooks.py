"""The signature of a webhook, as Stripe makes it: HMAC-SHA-256 over the time and the raw body."""

import hmac
import re
from collections.abc import Sequence

TOLERANCE_S = 300
SHORTEST_SECRET_BYTES = 16
MOST_SIGNATURES = 16
_TIME = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


def signature_fault(body: bytes, header: str, secrets: Sequence[bytes], now_s: int) -> str | None:
    """Say what is wrong with the signature of `body`, or None when one of the secrets made it within the tolerance.

    `header` is `t=1700000000,v1=hex` with one or more v1; two secrets are in force while one replaces the other.
    """
    usable = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET_BYTES]
    if not usable:
        return "there is no secret to check it with"
    pairs = [pair.strip().partition("=") for pair in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1" and _SIGNATURE.fullmatch(value)]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not given or len(given) > MOST_SIGNATURES:
        return "its header is malformed"
    right = [hmac.digest(secret, times[0].encode() + b"." + body, "sha256").hex() for secret in usable]
    # Every pair is compared, each in constant time: how long it takes says nothing.
    fits = [hmac.compare_digest(made, sent) for made in right for sent in given]
    if not any(fits):
        return "it does not fit the body"
    if abs(now_s - int(times[0])) > TOLERANCE_S:
        return f"it was made more than {TOLERANCE_S} seconds away from now"
    return None
