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


def tools_need_effort_none(model: str) -> Problem:
    """Refuse function tools beside reasoning where only Chat Completions can be reached (api.md 2.3)."""
    return Problem(
        400,
        f"Function tools with reasoning are not supported for {model} by the upstreams that serve it here. Set "
        "reasoning_effort to 'none', or send no tools.",
        param="reasoning_effort",
        code="unsupported_value",
    )


def tools_not_spoken(model: str) -> Problem:
    """Refuse kinds of tools that no dialect of the model's upstreams has a word for."""
    return Problem(
        400,
        f"Some of these tools cannot be passed on to {model} by the upstreams that serve it here. Send function tools.",
        param="tools",
        code="unsupported_value",
    )
