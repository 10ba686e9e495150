"""Every function of `core` that makes a problem, and the problems that it makes."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator

from runapi import core
from runapi.core.keys import Mode
from runapi.core.problems import Problem
from runapi.core.windows import Span

Factory = Callable[..., Problem]
VALUES: dict[object, object] = {
    int: 500,
    int | None: 500,
    Span: Span.DAY,
    Mode: Mode.LIVE,
    Iterable[str]: ("word", "words"),
}
"""What is given for a parameter of this type; for any other a word."""


def factories() -> Iterator[Factory]:
    for module in pkgutil.iter_modules(core.__path__, "runapi.core."):
        if module.name.endswith("problems"):
            found = importlib.import_module(module.name)
            for name, function in inspect.getmembers(found, inspect.isfunction):
                if function.__module__ == found.__name__ and not name.startswith("_"):
                    yield function


def examples(factory: Factory) -> Iterator[Problem]:
    """The problems that a factory makes, with its own values where it has them."""
    asked = [one for one in inspect.signature(factory).parameters.values() if one.default is one.empty]
    for what in ("requests", "tokens"):  # of which there may be too many in a minute
        given = [what if one.name == "what" else VALUES.get(one.annotation, "word") for one in asked]
        yield factory(*given)
    yield factory(
        *[None if "None" in str(one.annotation) else value for one, value in zip(asked, given, strict=True)]
    )
