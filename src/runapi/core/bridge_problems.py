"""Problems of translation: what a client asked in one dialect and cannot be said in the one its model needs."""

from runapi.core.problems import Problem


def unknown_parameter(param: str) -> Problem:
    """Refuse a field of which nobody can say what it means in another dialect."""
    return Problem(
        400,
        f"Unknown parameter: '{param}'. Leave it out, or check its spelling.",
        param=param,
        code="unknown_parameter",
    )


def wrong_endpoint(model: str, endpoint: str) -> Problem:
    """Refuse a model that is sold, but is none for this endpoint."""
    return Problem(
        404,
        f"The model '{model}' is not served at {endpoint}. GET /v1/models lists the models; the page of each says where "
        "it is served.",
        param="model",
        code="unsupported_endpoint",
    )


def tools_not_spoken(model: str) -> Problem:
    """Refuse kinds of tools that no dialect of the model's upstreams has a word for."""
    return Problem(
        400,
        f"Some of these tools cannot be passed on to {model} by the upstreams that serve it here. Send function tools.",
        param="tools",
        code="unsupported_value",
    )


def chat_is_not_stored() -> Problem:
    """Refuse to give Chat completions back: they are not kept, whatever `store` says."""
    return Problem(
        400,
        "Chat completions are not stored here: keep the answer, or use POST /v1/responses, whose answers can be "
        "retrieved.",
        param="store",
        code="unsupported_value",
    )
