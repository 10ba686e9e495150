"""Tools that run at an upstream and cost by the call, beside the tokens (OpenAI's price list, August 2026).

With some of them the upstream goes round by itself, so that one request reads its input many times.
"""

CHARGED_TOOLS = frozenset(
    (
        "advisor",  # another model, which Anthropic asks
        "code_interpreter",
        "file_search",
        "image_generation",
        "mcp",  # servers that the upstream calls in a loop
        "shell",  # in a container of the upstream's; on the client's own machine it is another tool
        "web_fetch",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    )
)
"""What each call costs is in no price table here, so that they are left out unless the operator bears it."""

_LONGEST_FIRST = tuple(f"{name}_" for name in sorted(CHARGED_TOOLS, key=len, reverse=True))


def charged_name(kind: str) -> str:
    """The name under which a type of tool is sold or not: a version that is newer than this list goes by its tool's."""
    if kind in CHARGED_TOOLS:
        return kind
    return next((name[:-1] for name in _LONGEST_FIRST if kind.startswith(name)), kind)
