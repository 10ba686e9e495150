"""Claude Code's `settings.json`. It speaks /v1/messages, and adds the /v1 itself."""

from runapi.wire.client_config.json_edit import put, put_members, remove, value_at
from runapi.wire.client_config.json_value import Json, write_json
from runapi.wire.client_config.wanted import Wanted

KEY_COMMAND = "apiKeyHelper"
_TOKEN = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105 - the name of a variable


def claude_code_config(wanted: Wanted) -> dict[str, Json]:
    """The whole settings of a fresh Claude Code."""
    by_name: dict[str, Json] = {} if wanted.key else {KEY_COMMAND: _key_command(wanted)}
    return {**by_name, "env": _environment(wanted)}


def claude_code_text(wanted: Wanted) -> str:
    """`claude_code_config` as the text of a file."""
    return write_json(claude_code_config(wanted)) + "\n"


def connect_claude_code(old: str, wanted: Wanted) -> str:
    """The new text of the file; everything that is not about us stays.

    Raises:
        ConfigFault: the old text cannot be changed.
    """
    if not old.strip():
        return claude_code_text(wanted)
    if wanted.key:
        helper = value_at(old, (KEY_COMMAND,))
        text = remove(old, (KEY_COMMAND,)) if helper == _key_command(wanted) else old
    else:
        text = put(remove(old, ("env", _TOKEN)), (KEY_COMMAND,), _key_command(wanted))
    return put_members(text, ("env",), _environment(wanted))


def _key_command(wanted: Wanted) -> str:
    return f"printenv {wanted.variable}"


def _environment(wanted: Wanted) -> dict[str, str]:
    small = wanted.offer.cheapest()
    chosen = wanted.offer.get(wanted.model)
    window = {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(chosen.working_tokens)} if chosen else {}
    return {
        "ANTHROPIC_BASE_URL": wanted.offer.site_url,
        **({_TOKEN: wanted.key} if wanted.key else {}),
        "ANTHROPIC_MODEL": wanted.model,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": wanted.model,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": wanted.model,
        "ANTHROPIC_DEFAULT_FABLE_MODEL": wanted.model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": small,
        "CLAUDE_CODE_SUBAGENT_MODEL": wanted.model,
        **window,
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
