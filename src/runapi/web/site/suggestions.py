"""Pages whose paths are like one that does not exist."""

from collections.abc import Sequence
from functools import lru_cache

from runapi.web.site.content import Page

MOST = 5
LEAST_LIKENESS = 0.25
_LONGEST = 100
_PIECE = 3


def suggest(path: str, pages: Sequence[Page]) -> list[Page]:
    """The pages that were most likely meant, the likeliest first; none where nothing is alike."""
    asked = _pieces(path)
    rated = [(_likeness(asked, _pieces(page.path)), page) for page in pages if page.path]
    near = [(likeness, page) for likeness, page in rated if likeness >= LEAST_LIKENESS]
    return [page for _, page in sorted(near, key=lambda pair: (-pair[0], pair[1].path))[:MOST]]


@lru_cache(maxsize=1000)
def _pieces(path: str) -> frozenset[str]:
    """Every three letters that stand together, and each word's beginning."""
    text = f" {path[:_LONGEST].lower().replace('/', ' ').replace('-', ' ')} "
    return frozenset(text[start : start + _PIECE] for start in range(len(text) - _PIECE + 1))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0
