"""Tell a client that speaks Chat what an upstream that speaks Responses refused: in Chat's names and words."""

import re

from runapi.core.problems import Problem

_PLACES = (
    # as Responses calls it, and as Chat does; the first that fits
    (re.compile(r"\binput\[\d+\][\w.\[\]]*"), "messages"),  # several items may be of one message
    (re.compile(r"\btools\[(\d+)\]\.(name|parameters|description|strict)\b"), r"tools[\1].function.\2"),
    (re.compile(r"\btext\.format\.(name|schema|strict|description)\b"), r"response_format.json_schema.\1"),
    (re.compile(r"\btext\.format\b"), "response_format"),
    (re.compile(r"\btext\.verbosity\b"), "verbosity"),
    (re.compile(r"\breasoning\.effort\b"), "reasoning_effort"),
    (re.compile(r"\bmax_output_tokens\b"), "max_completion_tokens"),
    (re.compile(r"\btool_choice\.name\b"), "tool_choice.function.name"),
)
_QUOTED = re.compile(r"(['`\"])(?:input|tools|text|reasoning|max_output_tokens|tool_choice)\b[\w.\[\]]*\1")
_WORDS = (
    (
        re.compile(r"No tool call found for (?:custom tool|function) call output with call_id .*", re.DOTALL),
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
    ),
    (
        re.compile(r"No tool output found for (?:custom tool|function) call (\S{1,200}?)\.?", re.DOTALL),
        (
            r"An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
            r"The following tool_call_ids did not have response messages: \1"
        ),
    ),
    (
        re.compile(r"Response input messages must contain the word 'json' .*", re.DOTALL),
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
    ),
)


def retell(problem: Problem) -> Problem:
    """Give a refusal of Responses as Chat would have said it; what has the same name in both stays as it is."""
    param = None if problem.param is None else _in_chat(problem.param)
    if param == "input":
        param = "messages"
    message = _reworded(problem.message)
    if (param, message) == (problem.param, problem.message):
        return problem
    return Problem(
        problem.status,
        message,
        type=problem.type,
        param=param,
        code=problem.code,
        should_retry=problem.should_retry,
        retry_after_s=problem.retry_after_s,
        headers=problem.headers,
    )


def _reworded(message: str) -> str:
    for pattern, words in _WORDS:
        found = pattern.fullmatch(message)
        if found is not None:
            return found.expand(words)
    return _QUOTED.sub(_quoted_in_chat, message)


def _quoted_in_chat(found: re.Match[str]) -> str:
    quote = found.group(1)
    place = found.group()[1:-1]
    return f"{quote}{'messages' if place == 'input' else _in_chat(place)}{quote}"


def _in_chat(place: str) -> str:
    for pattern, name in _PLACES:
        if pattern.search(place):
            return pattern.sub(name, place)
    return place
