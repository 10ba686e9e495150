"""The closed list of things that can go wrong for a caller, with the words and numbers they are told.

Shapes and texts follow OpenAI's (api.md 3.4), since clients match on them; every message says what to do next.
OpenClaw and others search messages for words such as "expired", "429", "quota" or "plan" (openclaw.md 4):
they stand only where they are meant.
"""

import msgspec


class Problem(Exception):  # noqa: N818 - the field's word (RFC 9457)
    """One refusal or failure, raised by flows and rendered by the edge in the caller's dialect."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002 - the wire's name
        param: str | None = None,
        code: str | None = None,
        should_retry: bool | None = None,
        retry_after_s: int | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.should_retry = should_retry
        self.retry_after_s = retry_after_s
        self.headers = headers

    def body(self) -> dict[str, dict[str, str | None]]:
        """The error object in OpenAI's shape: always all four keys."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class RateLimit(Problem):
    """A refusal that time alone ends, in OpenAI's words: agents read the pause from them."""

    def __init__(
        self, what: str, retry_after_s: int, otherwise: str = "", *, counted: str = "requests"
    ) -> None:
        super().__init__(
            429,
            f"Rate limit reached for {what}. Please try again in {retry_after_s}s{otherwise}.",
            type=counted,
            code="rate_limit_exceeded",
            retry_after_s=retry_after_s,
        )


class ErrorBody(msgspec.Struct):
    """The four keys of an upstream's error, each of which it may have left out."""

    message: str | None = None
    type: str | None = None
    param: str | None = None
    code: str | int | None = None


# ---- the key ---------------------------------------------------------------------------------------------


def missing_key() -> Problem:
    return Problem(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
        "auth (i.e. Authorization: Bearer YOUR_KEY), or in an x-api-key header.",
        should_retry=False,
    )


def invalid_key(shown: str) -> Problem:
    return Problem(
        401,
        f"Incorrect API key provided: {shown}. Check that the whole key was copied, or make a new one.",
        code="invalid_api_key",
        should_retry=False,
    )


def ambiguous_key() -> Problem:
    return Problem(
        401,
        "The request carries more than one API key. Send one Authorization header, or one x-api-key header.",
        code="invalid_api_key",
        should_retry=False,
    )


# ---- the address -----------------------------------------------------------------------------------------


def unknown_url(method: str, path: str) -> Problem:
    return Problem(
        404, f"Unknown request URL: {method} {path}. Please check the URL for typos.", code="unknown_url"
    )


def missing_v1(method: str, path: str) -> Problem:
    return Problem(
        404,
        f"Unknown request URL: {method} {path}. The base URL must end in /v1: did you mean /v1{path}?",
        code="unknown_url",
    )


def wrong_method(method: str, allowed: str) -> Problem:
    return Problem(
        405,
        f"Not allowed to {method} this URL. Use {allowed}.",
        code="method_not_supported",
        headers=(("allow", allowed),),
    )


# ---- the body --------------------------------------------------------------------------------------------


def bad_json() -> Problem:
    return Problem(
        400,
        "We could not parse the JSON body of your request. This API expects a JSON payload in UTF-8: check for "
        "a missing brace, a trailing comma or a truncated body.",
        code="invalid_json",
    )


def not_an_object(got: str) -> Problem:
    return Problem(400, f"Invalid body: expected a JSON object, but got {got} instead.", code="invalid_type")


def missing_parameter(param: str) -> Problem:
    return Problem(
        400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def invalid_type(param: str, expected: str, got: str) -> Problem:
    return Problem(
        400,
        f"Invalid type for '{param}': expected {expected}, but got {got} instead.",
        param=param,
        code="invalid_type",
    )


def invalid_value(param: str, explanation: str) -> Problem:
    return Problem(400, f"Invalid value for '{param}': {explanation}", param=param, code="invalid_value")


def empty_array(param: str) -> Problem:
    return Problem(
        400,
        f"Invalid '{param}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        param=param,
        code="empty_array",
    )


def unsupported_parameter(param: str, model: str) -> Problem:
    return Problem(
        400,
        f"Unsupported parameter: '{param}' is not supported with {model} at this reasoning effort. Leave it out.",
        param=param,
        code="unsupported_parameter",
    )


# ---- the model -------------------------------------------------------------------------------------------


def unknown_model(model: str) -> Problem:
    return Problem(
        404,
        f"The model `{model}` does not exist or you do not have access to it. GET /v1/models lists the models.",
        param="model",
        code="model_not_found",
        should_retry=False,
    )


def retired_model(model: str, successor: str | None) -> Problem:
    next_step = f"Use `{successor}` instead." if successor else "GET /v1/models lists the models there are."
    return Problem(
        410,
        f"The model `{model}` has been retired. {next_step}",
        param="model",
        code="model_retired",
        should_retry=False,
    )


# ---- the upstream ----------------------------------------------------------------------------------------


def no_upstream(model: str) -> Problem:
    return Problem(
        503,
        f"The model `{model}` has no upstream at the moment. Try again shortly, or use another model.",
        type="service_unavailable_error",
        code="no_upstream",
        retry_after_s=30,
    )


def upstream_unavailable() -> Problem:
    return Problem(
        502,
        "The service behind this model could not be reached. Nothing was charged; try again shortly.",
        type="server_error",
        code="upstream_unavailable",
    )


def upstream_refused_us() -> Problem:
    """The upstream refused the operator's own key or account: never the caller's fault."""
    return Problem(
        503,
        "The service behind this model is temporarily unavailable. Nothing was charged; try again shortly.",
        type="service_unavailable_error",
        code="upstream_unavailable",
    )


def upstream_bad_reply() -> Problem:
    return Problem(
        502,
        "The service behind this model sent an answer that could not be read. Nothing was charged; try again.",
        type="server_error",
        code="upstream_bad_reply",
    )


def answer_too_long(most_bytes: int) -> Problem:
    """Refuse to pass on what is too long for one piece; asked again it would be too long again."""
    return Problem(
        400,
        f"The answer is longer than {most_bytes >> 20} MiB, and was not charged. Ask for a stream, or for less of it.",
        code="answer_too_long",
    )


def upstream_timeout() -> Problem:
    return Problem(
        504,
        "The service behind this model did not answer in time. Nothing was charged; try again.",
        type="server_error",
        code="upstream_timeout",
    )


def upstream_busy(retry_after_s: int) -> Problem:
    return RateLimit("this model: too many requests at once", retry_after_s)


def upstream_failed(status: int) -> Problem:
    return Problem(
        status,
        "The service behind this model had an error. Nothing was charged; try again shortly.",
        type="server_error",
        code="upstream_error",
    )


def stream_failed(code: str = "upstream_error") -> Problem:
    """Sent inside a stream whose status has left already."""
    return Problem(
        502,
        "The answer was cut off: the service behind this model failed while answering. Send the request again.",
        type="server_error",
        code=code,
    )


# ---- ourselves -------------------------------------------------------------------------------------------


def shutting_down() -> Problem:
    return Problem(
        503,
        "The server is restarting. Try again in a few seconds.",
        type="service_unavailable_error",
        code="server_shutdown",
        retry_after_s=5,
    )


def internal_error() -> Problem:
    return Problem(
        500,
        "The server had an error while processing your request. Nothing was charged; try again, and tell us the "
        "x-request-id if it stays.",
        type="server_error",
        code="internal_error",
    )
