"""What can be wrong with a request before anybody reads what it asks: its line, its headers, how its body comes."""

from runapi.core.problems import Problem, ambiguous_key

_CLOSE = (("connection", "close"),)  # where the next request would begin cannot be known for sure


def bad_host() -> Problem:
    return Problem(
        400, "The Host header is missing, repeated or malformed. Send exactly one.", code="invalid_host"
    )


def repeated_header(name: str) -> Problem:
    if name in ("authorization", "x-api-key"):
        return ambiguous_key()
    return Problem(
        400,
        f"The {name} header stands more than once. Send exactly one.",
        code="repeated_header",
        headers=_CLOSE,
    )


def malformed_request() -> Problem:
    return Problem(
        400,
        "This is no well-formed HTTP/1.1 request. Check the URL, the headers and how the body's length is told, or leave "
        "them to an HTTP library.",
        code="malformed_request",
        headers=_CLOSE,
    )


def headers_too_large(limit_bytes: int) -> Problem:
    return Problem(
        431,
        f"The request's headers are too large: at most {limit_bytes} bytes.",
        code="headers_too_large",
        headers=_CLOSE,
    )


def url_too_long(limit_bytes: int) -> Problem:
    return Problem(
        414,
        f"The request's URL is too long: at most {limit_bytes} bytes. Send parameters in the body.",
        code="url_too_long",
        headers=_CLOSE,
    )


def bad_length() -> Problem:
    return Problem(
        400,
        "The Content-Length header is not a whole number.",
        code="invalid_content_length",
        headers=_CLOSE,
    )


def unknown_transfer_coding(coding: str) -> Problem:
    return Problem(
        501,
        f"Transfer-Encoding {coding!r} is not accepted. Send the body with a Content-Length, or chunked.",
        code="unsupported_transfer_coding",
        should_retry=False,
        headers=_CLOSE,
    )


def body_too_large(limit_bytes: int) -> Problem:
    return Problem(
        413,
        f"The request body is too large: at most {limit_bytes} bytes are accepted. Send fewer or smaller messages "
        "and images.",
        code="request_too_large",
        should_retry=False,
    )


def encoded_body(encoding: str) -> Problem:
    return Problem(
        415,
        f"Content-Encoding {encoding!r} is not accepted. Send the JSON as it is.",
        code="unsupported_encoding",
    )


def wrong_content_type(got: str) -> Problem:
    return Problem(
        415,
        f"Content-Type {got!r} is not accepted here. Send application/json.",
        code="unsupported_content_type",
    )


def slow_body() -> Problem:
    return Problem(
        408,
        "The request body did not arrive in time. Send it again.",
        code="request_timeout",
        headers=_CLOSE,
    )


def broken_body() -> Problem:
    return Problem(
        400,
        "The request body ended too early, or its chunks are malformed. Send it again.",
        code="broken_body",
        headers=_CLOSE,
    )
