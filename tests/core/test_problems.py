"""Every problem can be rendered in OpenAI's shape, and its words mean to clients what it means to us."""

import inspect
import re

import pytest

from fakes.problems import VALUES, Factory, factories
from runapi.core import (
    limit_problems,
    problems,
)
from runapi.core.problems import Problem
from runapi.core.windows import Span

FACTORIES: dict[str, Factory] = {
    # One name may stand in two modules, for one code that is told in two ways.
    "bridge_problems." * function.__module__.endswith("bridge_problems") + function.__name__: function
    for function in factories()
}

# The words by which OpenClaw 2026.9.6 sorts an error, searched anywhere in its message. What is sorted wrongly locks a
# provider for ten minutes, or sends a client into retries that cannot help.
TRIGGERS = {
    "billing": r"insufficient[_ ]quota|insufficient credits|insufficient[_ ]balance|payment required|credit balance|"
    r"plans & billing|spend(ing)? limit|out of budget|available balance|requires more credits|"
    r"used all available credits|402|\bbilling\b|\bquota\b|\bplan\b",
    "rate limit": r"rate[_ ]limit|too many (concurrent )?requests|429|throttl|exceeded your current quota|"
    r"resource_exhausted|quota exceeded|usage limit|\btpm\b|tokens per minute|tokens per day",
    "auth": r"incorrect api key|invalid[_ ]api[_ ]key|unauthorized|forbidden|access denied|expired|401|403|"
    r"api key (has been )?(revoked|deactivated|deleted)|key has been (disabled|revoked)|has been deactivated",
    "overflow": r"context[_ ]length[_ ]exceeded|maximum context length|prompt is too long|"
    r"reduce the length of the messages|exceeds the context window|request_too_large|too many tokens|413",
    "model": r"model .*not found|does not exist|unknown model|invalid model",
}
MEANT = {
    "invalid_key": {"auth"},
    "ambiguous_key": {"auth"},
    "upstream_busy": {"rate limit"},
    "unknown_model": {"model"},
    # A request that was too large by bytes: to shorten the history is what helps.
    "body_too_large": {"overflow"},
    "too_many_strings": {"overflow"},
    "insufficient_credits": {"billing"},
    "account_frozen": {"billing"},
    # "Daily ... Resets at": OpenClaw takes what comes back by itself for a rate limit
    "spend_limit_reached": {"billing"},
    "spend_limit_held": {"rate limit"},
    "too_many_per_minute": {"rate limit"},
    "too_many_at_once": {"rate limit"},
    "too_many_forms": {"rate limit"},
    "key_expired": {"auth"},
}
OF_THE_CALLERS_FUNDS = {"insufficient_credits", "account_frozen", "spend_limit_reached"}
STATUSES = {
    *(400, 401, 402, 404, 405, 408, 409, 410, 413, 414, 415, 422, 429, 431),
    *(500, 501, 502, 503, 504),
}


def made(factory: Factory) -> list[Problem]:
    """The problem, with every optional argument given and, if there are any, with all of them left out."""
    parameters = inspect.signature(factory).parameters.values()
    full = [
        "A sentence." if p.name == "explanation" else VALUES.get(p.annotation, "word") for p in parameters
    ]
    bare = [None if "None" in str(p.annotation) else value for p, value in zip(parameters, full, strict=True)]
    return [factory(*full), factory(*bare)]


def said(problem: Problem) -> set[str]:
    """What OpenClaw would take the problem for, by its message and code."""
    text = f"{problem.message} {problem.code or ''}"
    return {name for name, words in TRIGGERS.items() if re.search(words, text, re.IGNORECASE)}


def test_there_are_factories_to_test():
    assert len(FACTORIES) >= 60
    assert set(MEANT) <= set(FACTORIES)
    assert len({function.__module__ for function in FACTORIES.values()}) >= 7
    assert len(FACTORIES) == len(list(factories()))


@pytest.mark.parametrize("name", FACTORIES)
def test_problem_has_all_four_keys(name):
    for problem in made(FACTORIES[name]):
        error = problem.body()["error"]
        assert list(error) == ["message", "type", "param", "code"]
        assert error["message"]
        assert error["type"]
        assert error["code"] != ""


@pytest.mark.parametrize("name", FACTORIES)
def test_problem_has_a_status_that_clients_know(name):
    for problem in made(FACTORIES[name]):
        assert problem.status in STATUSES
        assert problem.retry_after_s is None or problem.retry_after_s > 0


@pytest.mark.parametrize("name", FACTORIES)
def test_message_is_a_sentence_that_says_what_to_do(name):
    for problem in made(FACTORIES[name]):
        assert re.fullmatch(r"[A-Z].*[.?]", problem.message), problem.message
        assert len(problem.message) < 300


@pytest.mark.parametrize("name", FACTORIES)
def test_message_has_trigger_words_only_where_they_are_meant(name):
    for problem in made(FACTORIES[name]):
        assert said(problem) == MEANT.get(name, set()), problem.message


@pytest.mark.parametrize(("name", "expected"), MEANT.items())
def test_trigger_words_stand_where_they_are_meant(name, expected):
    assert all(said(problem) == expected for problem in made(FACTORIES[name]))


@pytest.mark.parametrize("name", FACTORIES)
def test_caller_is_never_told_that_the_operators_account_is_at_fault(name):
    """402 and 403 lock the provider in OpenClaw for ten minutes, and 401 says that the caller's own key is wrong."""
    for problem in made(FACTORIES[name]):
        assert problem.status != 403
        assert problem.status != 402 or name in OF_THE_CALLERS_FUNDS
        if name.startswith(("upstream", "no_upstream", "stream", "internal", "shutting")):
            assert problem.status >= 500 or name == "upstream_busy"


def test_problem_is_raised_with_its_message():
    with pytest.raises(Problem, match="retired") as caught:
        raise problems.retired_model("gpt-5.3-codex", "gpt-5.5")
    assert caught.value.status == 410
    assert caught.value.code == "model_retired"
    assert "`gpt-5.5`" in caught.value.message


def test_missing_v1_says_which_address_was_meant():
    assert "/v1/chat/completions" in problems.missing_v1("POST", "/chat/completions").message


def test_wrong_method_names_the_right_ones():
    assert ("allow", "GET") in problems.wrong_method("PUT", "GET").headers


def test_402_tells_what_is_needed_what_there_is_and_what_to_do_and_that_no_retry_helps():
    problem = limit_problems.insufficient_credits(12_345_678, 4_000_000, "Ask your provider for credit.")
    assert problem.message == (
        "Insufficient credits: this request needs at least $0.012345678 and $0.004 is available. "
        "Ask your provider for credit."
    )
    assert (problem.status, problem.type, problem.code) == (402, "insufficient_quota", "insufficient_credits")
    assert problem.should_retry is False


def test_spending_limit_that_resets_soon_may_be_waited_for():
    soon = limit_problems.spend_limit_reached(Span.WEEK, 10**9, 1_795_392_000_000_000, 60)
    assert (soon.status, soon.retry_after_s, soon.should_retry) == (429, 60, None)
    assert (
        limit_problems.spend_limit_reached(Span.WEEK, 10**9, 1_795_392_000_000_000, 61).should_retry is False
    )
