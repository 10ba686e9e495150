"""How hard the model should think: Anthropic's budgets of tokens, and the efforts of the neutral form.

Budgets and efforts do not measure the same; the thresholds are this project's choice (api.md 5.1), made so that an
effort written as a budget is read as the same effort.
"""

LEAST_BUDGET = 1_024
_LOW_BELOW, _MEDIUM_BELOW, _HIGH_BELOW = 4_096, 16_384, 32_768
_BUDGETS = {
    "minimal": LEAST_BUDGET,
    "low": 2_048,
    "medium": 8_192,
    "high": _MEDIUM_BELOW,
    "xhigh": _HIGH_BELOW,
    "max": _HIGH_BELOW,
}
_WITHOUT_WORD = "medium"
"""For a model that is to think as much as it sees fit: of most models here the own default is not to think."""

_ADAPTIVE_EFFORTS = {"minimal": "low"}  # Anthropic's words begin at low


def read_effort(thinking_type: str | None, budget_tokens: int | None, effort: str | None) -> str | None:
    """Read how hard to think; None where the request does not say. An effort that is named wins over a budget.

    Args:
        thinking_type: `thinking.type`, None where there is no `thinking`.
        budget_tokens: its budget, if it is `enabled`.
        effort: `output_config.effort`.
    """
    if thinking_type == "disabled":
        return "none"
    if effort is not None or thinking_type is None:
        return effort
    if budget_tokens is None:
        return _WITHOUT_WORD
    if budget_tokens < _LOW_BELOW:
        return "low"
    if budget_tokens < _MEDIUM_BELOW:
        return "medium"
    return "high" if budget_tokens < _HIGH_BELOW else "xhigh"


def write_budget(effort: str | None, max_tokens: int) -> int | None:
    """The budget for an effort, at most half of `max_tokens` so that an answer has room; None: no thinking."""
    budget = _BUDGETS.get(effort or "none")
    if budget is None or max_tokens < 2 * LEAST_BUDGET:
        return None
    return min(budget, max_tokens // 2)


def write_adaptive_effort(effort: str) -> str:
    """The word for an effort on models that choose their budget themselves."""
    return _ADAPTIVE_EFFORTS.get(effort, effort)
