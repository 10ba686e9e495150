"""What keeps the clients from looking anything up for their own sake: newer versions, lists of models, telemetry."""

import json
from pathlib import Path

OPENCODE = {
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_SHARE": "1",
}
CODEX = ("--disable", "plugins", "-c", "analytics.enabled=false", "-c", "check_for_update_on_startup=false")
ROOT_MAY = {"IS_SANDBOX": "1"}
"""Else Claude Code refuses to run tools unasked for root."""
_PLUGIN_IS_THERE = {"packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}}


def make_opencode_folder(home: Path) -> Path:
    """Make OpenCode's folder with a lock file: else it fetches a package that only plugins need."""
    folder = home / ".config" / "opencode"
    (folder / "node_modules").mkdir(parents=True, exist_ok=True)
    (folder / "package-lock.json").write_text(json.dumps(_PLUGIN_IS_THERE))
    return folder
