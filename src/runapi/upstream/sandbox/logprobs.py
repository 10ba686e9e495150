"""Plausible log probabilities: falling from the chosen token on, and the same for the same token."""

from runapi.core.problems import invalid_value
from runapi.upstream.sandbox.turns import Answer
from runapi.wire.tokens import split_text

_MOST = 50_000
_OTHER_WORDS = "the a and of to in is it that for on as with by at an be this from or"
_OTHER_TOKENS = tuple(f" {word}" for word in _OTHER_WORDS.split())


def check_amount(answers: tuple[Answer, ...], top: int | None) -> None:
    """Refuse more log probabilities than one request may cost; `top` is None where none are wanted.

    Raises:
        Problem: 400.
    """
    each = 0 if top is None else top + 1
    if each * sum(answer.output_tokens - answer.reasoning_tokens for answer in answers) > _MOST:
        raise invalid_value("logprobs", f"the sandbox writes at most {_MOST} of them a request.")


def token_logprobs(text: str, top: int) -> list[dict[str, object]]:
    """Give each token of `text` with its `top` alternatives, as Chat Completions writes them."""
    return [_token(token, top) for token in split_text(text)]


def _token(token: bytes, top: int) -> dict[str, object]:
    first = -(sum(token) % 40 + 1) / 100
    others = [other.encode() for other in _OTHER_TOKENS if other.encode() != token]
    alternatives = [_one(other, first - rank - 1) for rank, other in enumerate(others[: max(0, top - 1)])]
    chosen = _one(token, first)
    return {**chosen, "top_logprobs": [chosen, *alternatives][:top]}


def _one(token: bytes, logprob: float) -> dict[str, object]:
    return {"token": token.decode("utf-8", "backslashreplace"), "logprob": logprob, "bytes": list(token)}
