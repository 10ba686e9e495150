"""The page of errors lists every problem that a client can be told, and no other, in every locale."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from runapi import core
from runapi.core import problems
from runapi.core.keys import Mode
from runapi.core.problems import Problem
from runapi.core.windows import Span
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.refusals import unsupported
from site_content.fences import CONTENT

PAGES = sorted(CONTENT.glob("*/docs/errors.md"))
ROW = re.compile(r"^\| `(\w+)` \| ([0-9][0-9, ]*) \|", re.MULTILINE)
"""The code, which is `null` where there is none, and the status, or several."""

PASSED_ON = {(status, "server_error", "upstream_error") for status in (502, 503)}  # the upstream's own status
TYPES = {
    "invalid_request_error": {*range(400, 432), 501} - {402, 429},
    "insufficient_quota": {402},
    "requests": {429},
    "tokens": {429},
    "server_error": {500, 502, 503, 504},
    "service_unavailable_error": {503},
}
"""What the page says of the types."""


def factories() -> Iterator[Callable[..., Problem]]:
    """Every function that makes a problem."""
    for module in pkgutil.iter_modules(core.__path__, "runapi.core."):
        if module.name.endswith("problems"):
            found = importlib.import_module(module.name)
            for name, function in inspect.getmembers(found, inspect.isfunction):
                if function.__module__ == found.__name__ and not name.startswith("_"):
                    yield function
    yield unsupported


def examples(factory: Callable[..., Problem]) -> Iterator[Problem]:
    """The problems that a factory makes, with its own values where it has them."""
    values: dict[object, object] = {
        int: 500,
        int | None: 500,
        Span: Span.DAY,
        Mode: Mode.LIVE,
        Iterable[str]: ("word",),
    }
    asked = [one for one in inspect.signature(factory).parameters.values() if one.default is one.empty]
    for what in ("requests", "tokens"):  # of which there may be too many in a minute
        given = [what if one.name == "what" else values.get(one.annotation, "word") for one in asked]
        yield factory(*given)
    yield factory(
        *[None if "None" in str(one.annotation) else value for one, value in zip(asked, given, strict=True)]
    )


def told() -> set[tuple[int, str, str]]:
    """The status, type and code of every problem there is."""
    made = [problem for factory in factories() for problem in examples(factory)]
    made += [problems.stream_failed(fault) for fault in StreamFault]
    return {(problem.status, problem.type, problem.code or "null") for problem in made} | PASSED_ON


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parents[1].name)
def test_every_problem_has_its_row_and_no_other_has(page: Path):
    rows = {
        (int(status), code)
        for code, statuses in ROW.findall(page.read_text("utf-8"))
        for status in re.findall(r"\d+", statuses)
    }
    assert rows == {(status, code) for status, _, code in told()}


def test_types_follow_from_the_status_as_the_page_says():
    assert {(status, kind) for status, kind, _ in told() if status not in TYPES[kind]} == set()
    assert {kind for _, kind, _ in told()} == set(TYPES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parents[1].name)
def test_page_names_every_type(page: Path):
    text = page.read_text("utf-8")
    assert [kind for kind in TYPES if f"`{kind}`" not in text] == []
