"""What can go wrong with an Idempotency-Key; a part of the closed list in `problems`."""

from runapi.core.idempotency import MOST_KEY_BYTES
from runapi.core.problems import Problem


def bad_idempotency_key() -> Problem:
    return Problem(
        400,
        f"The Idempotency-Key header must be 1 to {MOST_KEY_BYTES} printable ASCII characters. A random UUID is a good "
        "one.",
        param="Idempotency-Key",
        code="invalid_idempotency_key",
        should_retry=False,
    )


def reused_idempotency_key(request_id: str) -> Problem:
    return Problem(
        422,
        f"This Idempotency-Key was sent before with another body or URL (request {request_id}). Use a new key for a "
        "new request.",
        param="Idempotency-Key",
        code="idempotency_key_reused",
        should_retry=False,
    )


def idempotent_request_running(request_id: str) -> Problem:
    """The first one runs where it cannot be joined: in another process, or its answer outgrew what is kept."""
    return Problem(
        409,
        f"The first request with this Idempotency-Key ({request_id}) is still running. Try again in a few seconds.",
        param="Idempotency-Key",
        code="idempotency_request_running",
        should_retry=True,
        retry_after_s=5,
    )


def idempotent_answer_lost(request_id: str) -> Problem:
    return Problem(
        410,
        f"The first request with this Idempotency-Key ({request_id}) was served and charged, but its answer is not "
        "kept: it was too long, or broke off. Send a new key to have it answered again.",
        param="Idempotency-Key",
        code="idempotency_answer_lost",
        should_retry=False,
    )
