"""What can go wrong when a program asks about its own account; a part of the closed list in `problems`.

What belongs to another account, or to the other mode, is told exactly as what does not exist.
"""

from collections.abc import Iterable

from runapi.core.keys import Mode
from runapi.core.problems import Problem, invalid_value


def unknown_request(request_id: str, param: str = "id") -> Problem:
    return Problem(
        404,
        f"There is no request `{request_id}` that this key can see. Check the id, and whether it was made with a live "
        "or a test key; GET /v1/requests lists the newest.",
        param=param,
        code="request_not_found",
        should_retry=False,
    )


def no_receipt(request_id: str) -> Problem:
    return Problem(
        404,
        f"The request `{request_id}` has no receipt: only requests that were answered have one. "
        "GET /v1/requests/ID says what became of it.",
        param="id",
        code="receipt_not_found",
        should_retry=False,
    )


def unknown_top_up(order_id: str) -> Problem:
    return Problem(
        404,
        f"There is no top-up `{order_id}` that this key can see. Check the id, and whether it was opened with a live "
        "or a test key.",
        param="id",
        code="topup_not_found",
        should_retry=False,
    )


def unknown_parameter(param: str, known: Iterable[str]) -> Problem:
    """Refuse a parameter that means nothing here: misspelled, it would be ignored without a word."""
    names = ", ".join(f"'{name}'" for name in known)
    return Problem(
        400,
        f"Unknown parameter: '{param}'. " + (f"Known here: {names}." if names else "There are none here."),
        param=param,
        code="unknown_parameter",
    )


def repeated_parameter(param: str) -> Problem:
    return Problem(
        400,
        f"The parameter '{param}' stands more than once. Send it once.",
        param=param,
        code="repeated_parameter",
    )


def bad_query() -> Problem:
    return Problem(
        400,
        "The query of the URL could not be read: write name=value pairs, joined by & and percent-encoded in UTF-8.",
        code="invalid_query",
    )


def too_many_rows(most: int) -> Problem:
    return invalid_value(
        "group_by", f"this report would have more than {most} rows. Ask for fewer days or groups."
    )


def too_many_codes(most: int, retry_after_s: int) -> Problem:
    """Refuse an account that tries code after code, before it is looked whether this one is right."""
    return Problem(
        429,
        f"At most {most} codes that cannot be redeemed may be tried in a minute. Please try again in {retry_after_s}s.",
        type="requests",
        code="too_many_codes",
        should_retry=False,
        retry_after_s=retry_after_s,
    )


def too_many_forms(most: int, retry_after_s: int) -> Problem:
    """Refuse an address that sends the site's form again and again, without a page of its own."""
    return Problem(
        429,
        f"At most {most} prices may be asked for in a minute. Please try again in {retry_after_s}s.",
        type="requests",
        code="rate_limit_exceeded",
        retry_after_s=retry_after_s,
    )


def code_of_other_mode(mode: Mode) -> Problem:
    return Problem(
        400,
        f"This code is worth {mode} credit and was not redeemed. Redeem it with a {mode} key.",
        param="code",
        code="wrong_mode",
        should_retry=False,
    )


def payment_of_other_mode(mode: Mode) -> Problem:
    return Problem(
        400,
        f"Payments of this service fill {mode} balances. Open the top-up with a {mode} key.",
        code="wrong_mode",
        should_retry=False,
    )


def no_payments() -> Problem:
    return Problem(
        503,
        "This service takes no payments online. Redeem a code with POST /v1/redeem, or ask the operator for credit.",
        type="service_unavailable_error",
        code="payment_unavailable",
        should_retry=False,
    )
