"""Read the query of a URL strictly: where money is shown, a misspelled parameter must not be ignored."""

import re
from collections.abc import Collection, Sequence
from datetime import date
from urllib.parse import parse_qsl

from runapi.core import problems
from runapi.core.account_problems import bad_query, repeated_parameter, unknown_parameter
from runapi.web.call import Call

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_LONGEST_SHOWN = 60


class Query:
    """The parameters of one URL, each of which may stand once."""

    def __init__(self, call: Call, known: Sequence[str] = (), *, ignores_others: bool = False) -> None:
        """Read the query of `call`.

        Args:
            call: the request.
            known: the parameters that mean something here.
            ignores_others: let others pass, where OpenAI's clients may send more than is known.

        Raises:
            Problem: 400, it cannot be read, or holds a parameter twice or one that is not `known`.
        """
        self._values: dict[str, str] = {}
        for name, value in _pairs(call.query):
            shown = name[:_LONGEST_SHOWN]
            if name not in known:
                if ignores_others:
                    continue
                raise unknown_parameter(shown, known)
            if name in self._values:
                raise repeated_parameter(shown)
            self._values[name] = value

    def read_text(self, name: str) -> str | None:
        return self._values.get(name)

    def read_whole(self, name: str, least: int, most: int, default: int) -> int:
        """Read a whole number.

        Raises:
            Problem: 400, it is none, or out of bounds.
        """
        text = self._values.get(name)
        if text is None:
            return default
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise problems.invalid_value(name, f"expected a whole number from {least} to {most}.")
        return int(text)

    def read_day(self, name: str, default: date) -> date:
        """Read a day.

        Raises:
            Problem: 400, it is none.
        """
        text = self._values.get(name)
        if text is None:
            return default
        try:
            if _DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass  # such as 2026-02-30
        raise problems.invalid_value(name, "expected a day in UTC, as YYYY-MM-DD, such as 2026-11-22.")

    def read_words(self, name: str, known: Collection[str]) -> tuple[str, ...]:
        """Read words with commas between them, each at most once; none where the parameter is left out.

        Raises:
            Problem: 400, there is another word among them, or one twice.
        """
        text = self._values.get(name)
        words = () if text is None else tuple(text.split(","))
        if not set(words) <= set(known) or len(set(words)) < len(words):
            raise problems.invalid_value(
                name, f"expected any of {', '.join(known)}, each at most once, with commas between them."
            )
        return words


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    if not raw:
        return []
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:  # of the decoding too
        raise bad_query() from None
