"""What can go wrong when a customer tops up; a part of the closed list in `problems`."""

from runapi.core.problems import Problem


def bad_amount(explanation: str) -> Problem:
    return Problem(
        400,
        f"Invalid value for 'amount_usd': {explanation}.",
        param="amount_usd",
        code="invalid_value",
        should_retry=False,
    )


def payment_unavailable() -> Problem:
    return Problem(
        503,
        "The payment page cannot be opened at the moment. Nothing was charged; try again in a minute.",
        type="service_unavailable_error",
        code="payment_unavailable",
        retry_after_s=60,
    )


def bad_redeem_code() -> Problem:
    """One answer for a mistyped, unknown, used, revoked and ended code: it tells nobody which codes there are."""
    return Problem(
        400,
        "This code cannot be redeemed: it was mistyped, used already, or has ended. Compare it with the one you were "
        "given: RC- and six groups of four characters.",
        param="code",
        code="invalid_redeem_code",
        should_retry=False,
    )
