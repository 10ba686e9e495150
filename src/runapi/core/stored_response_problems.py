"""What can go wrong with answers of /v1/responses that are kept; a part of the closed list in `problems`.

The first sentences are OpenAI's, on which clients match. What belongs to another account, or to the other mode, is
told exactly as what does not exist.
"""

from runapi.core.problems import Problem, invalid_value

_KEPT = "Answers are kept for some days, in their account and mode, unless their request says store: false."


def unknown_response(response_id: str) -> Problem:
    return Problem(404, f"Response with id '{response_id}' not found. {_KEPT}", should_retry=False)


def unknown_previous_response(response_id: str) -> Problem:
    return Problem(
        400,
        f"Previous response with id '{response_id}' not found. {_KEPT} Send all items of the conversation instead.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def unknown_item(item_id: str) -> Problem:
    return Problem(
        404,
        f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false. Send the item "
        "itself in place of its id, or remove it from your input.",
        param="input",
        should_retry=False,
    )


def too_many_named(most: int) -> Problem:
    return invalid_value(
        "input", f"at most {most} items may be named by their ids alone. Send the others themselves."
    )


def unknown_place(param: str, item_id: str) -> Problem:
    """Refuse to go on behind an item that is not in the list."""
    return invalid_value(
        param, f"there is no item with id '{item_id}' in this list. Use an id from its last page."
    )


def not_in_the_background() -> Problem:
    """Refuse to cancel an answer: who leaves while it is made has cancelled it, and later there is nothing to cancel."""
    return Problem(
        400,
        "Cannot cancel a synchronous response. Answers are made while the client waits: close the connection to stop "
        "one.",
    )


def stored_response_not_streamed() -> Problem:
    return invalid_value("stream", "a stored response is given whole here. Leave 'stream' out.")
