"""Tools that run at an upstream and cost by the call, beside the tokens (OpenAI's price list, August 2026)."""

CHARGED_TOOLS = frozenset(
    (
        "code_interpreter",
        "file_search",
        "image_generation",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    )
)
"""What each call costs is in no price table here, so that they are left out unless the operator bears it."""
