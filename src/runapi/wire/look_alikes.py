"""Fields that look like a known one to some upstreams, and not to us: they are refused before anything is measured.

Many servers that speak as OpenAI does are written in Go, whose JSON reader takes MODEL, and even an `s` of another
script, for `model`, and of several such fields the last. So a request could be held and charged by one field and be
served by another.
"""

from collections.abc import Iterable

from runapi.core.bridge_problems import unknown_parameter

_LONGEST_SHOWN = 100
_DECIDE = frozenset(
    # what is served, how much of it, at which rates, and for whom; in all dialects
    (
        *(
            "audio",
            "background",
            "best_of",
            "cache_control",
            "container",
            "conversation",
            "dimensions",
            "echo",
            "fallbacks",
        ),
        *(
            "functions",
            "include",
            "inference_geo",
            "input",
            "instructions",
            "logprobs",
            "max_completion_tokens",
        ),
        *(
            "max_cost",
            "max_output_tokens",
            "max_tokens",
            "max_tool_calls",
            "mcp_servers",
            "messages",
            "metadata",
        ),
        *("modalities", "model", "n", "output_config", "prediction", "previous_response_id", "prompt"),
        *("prompt_cache_key", "reasoning", "reasoning_effort", "safety_identifier", "service_tier", "speed"),
        *("stop", "stop_sequences", "store", "stream", "stream_options", "suffix", "system", "thinking"),
        *("tool_choice", "tools", "top_logprobs", "user", "web_search_options"),
    )
)


def refuse_look_alikes(names: Iterable[str]) -> None:
    """Refuse fields that are written otherwise than a known one and read the same.

    Raises:
        Problem: 400, naming the first of them.
    """
    found = next((name for name in names if name not in _DECIDE and name.casefold() in _DECIDE), None)
    if found is not None:
        raise unknown_parameter(found[:_LONGEST_SHOWN])


def is_plain(name: str) -> bool:
    """Whether every reader takes a name for the same: of a few names at once, joined, too."""
    return name.islower() and name.isascii()
