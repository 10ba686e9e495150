"""The o200k_base encoding, built when this module is imported.

Imported only by `runapi.wire.tokens`, inside a function, on first use: it costs 0.2 s and 50 MB, which a server that
counts nothing need not pay. That it is a module gives what a lock would: two threads build it once.
"""

import binascii
from importlib import resources

import tiktoken

END_OF_TEXT = 199_999
END_OF_PROMPT = 200_018

_LETTER_BEFORE = r"[^\r\n\p{L}\p{N}]?"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_PATTERN = "|".join(
    (
        rf"{_LETTER_BEFORE}{_UPPER}*{_LOWER}+{_CONTRACTION}",
        rf"{_LETTER_BEFORE}{_UPPER}+{_LOWER}*{_CONTRACTION}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""How text falls into pieces before tokens are merged, as OpenAI publishes it with tiktoken (0.14.0)."""


def _build() -> tiktoken.Encoding:
    lines = resources.files("runapi.data").joinpath("o200k_base.tiktoken").read_bytes().splitlines()
    ranks = {binascii.a2b_base64(token): int(rank) for token, rank in (line.split() for line in lines)}
    encoding = tiktoken.Encoding(
        "o200k_base",
        pat_str=_PATTERN,
        mergeable_ranks=ranks,
        special_tokens={"<|endoftext|>": END_OF_TEXT, "<|endofprompt|>": END_OF_PROMPT},
    )
    # The native part has its own copy; Python's, of 30 MB, serves only to pickle an encoding (tiktoken 0.14.0).
    encoding._mergeable_ranks = {}  # noqa: SLF001 - no public way to let it go; counts do not depend on it
    return encoding


ENCODING = _build()
