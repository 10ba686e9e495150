"""What an upstream refused in the words of Responses, told to a client that speaks Chat."""

import pytest

from runapi.core.problems import Problem
from runapi.wire.openai_chat.retell import retell


def told(param: str | None, message: str) -> tuple[str | None, str]:
    problem = Problem(400, message, param=param, code="invalid_value", retry_after_s=3)
    retold = retell(problem)
    assert (retold.status, retold.type, retold.code, retold.retry_after_s) == (
        400,
        problem.type,
        problem.code,
        3,
    )
    return retold.param, retold.message


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("tools[0].name", "tools[0].function.name"),
        ("tools[12].parameters", "tools[12].function.parameters"),
        ("tools[0].type", "tools[0].type"),
        ("tools", "tools"),
        ("text.verbosity", "verbosity"),
        ("text.format", "response_format"),
        ("text.format.type", "response_format.type"),
        ("text.format.schema", "response_format.json_schema.schema"),
        ("reasoning.effort", "reasoning_effort"),
        ("max_output_tokens", "max_completion_tokens"),
        ("input", "messages"),
        ("input[3].content[0].image_url", "messages"),
        ("tool_choice.name", "tool_choice.function.name"),
        ("temperature", "temperature"),
    ],
)
def test_place_is_named_as_the_client_named_it(theirs, ours):
    assert told(theirs, f"Invalid value for '{theirs}'.") == (ours, f"Invalid value for '{ours}'.")
    assert told(None, f"`{theirs}` is odd.") == (None, f"`{ours}` is odd.")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (
            "No tool call found for function call output with call_id call_1.",
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
        ),
        (
            "No tool output found for function call call_1.",
            ("An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
            "The following tool_call_ids did not have response messages: call_1"),
        ),
        (
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.",
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
        ),
        ("Your input exceeds the context window of this model.", "Your input exceeds the context window of this model."),
        ("Write 'input' in text.", "Write 'messages' in text."),
    ],
)  # fmt: skip
def test_words_are_those_of_chat(theirs, ours):
    assert told("input", theirs) == ("messages", ours)


def test_what_is_the_same_in_both_is_passed_on_as_it_is():
    problem = Problem(400, "The text of the tools is long.", param="user", should_retry=False)
    assert retell(problem) is problem
