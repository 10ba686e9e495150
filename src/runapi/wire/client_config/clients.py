"""The clients that we can configure: where each keeps its file, how it changes, and what it then calls."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import PurePath

import msgspec

from runapi.wire.client_config.claude_code import connect_claude_code
from runapi.wire.client_config.codex import connect_codex
from runapi.wire.client_config.dotenv import connect_env
from runapi.wire.client_config.openclaw import connect_openclaw
from runapi.wire.client_config.opencode import connect_opencode
from runapi.wire.client_config.wanted import Wanted

Environment = Mapping[str, str]
Locate = Callable[[Environment, PurePath], tuple[PurePath, ...]]


class Protocol(StrEnum):
    """What a client calls under /v1."""

    CHAT = "/chat/completions"
    RESPONSES = "/responses"
    MESSAGES = "/messages"


class Client(msgspec.Struct, frozen=True):
    """One client. Its file is the first of `locate` that exists, or else the last."""

    name: str
    title: str
    protocol: Protocol
    locate: Locate
    connect: Callable[[str, Wanted], str]
    needs_key: bool = False  # the file cannot name a variable instead

    @property
    def first_command(self) -> str:
        """What to type to see it work."""
        return _FIRST_COMMANDS[self.name]


_FIRST_COMMANDS = {
    "openclaw": 'openclaw agent --local --agent main --message "Say hello."',
    "codex": 'codex exec --skip-git-repo-check "Say hello."',
    "claude-code": 'claude -p "Say hello."',
    "opencode": 'opencode run "Say hello."',
    "env": "set -a; . ./.env; set +a",
}


def _openclaw_files(environment: Environment, home: PurePath) -> tuple[PurePath, ...]:
    if path := environment.get("OPENCLAW_CONFIG_PATH", "").strip():
        return (_expand(path, home),)
    if folder := environment.get("OPENCLAW_STATE_DIR", "").strip():
        return (_expand(folder, home) / "openclaw.json",)
    own_home = environment.get("OPENCLAW_HOME", "").strip()
    return ((_expand(own_home, home) if own_home else home) / ".openclaw" / "openclaw.json",)


def _codex_files(environment: Environment, home: PurePath) -> tuple[PurePath, ...]:
    return (_folder(environment, "CODEX_HOME", home / ".codex") / "config.toml",)


def _claude_code_files(environment: Environment, home: PurePath) -> tuple[PurePath, ...]:
    return (_folder(environment, "CLAUDE_CONFIG_DIR", home / ".claude") / "settings.json",)


def _opencode_files(environment: Environment, home: PurePath) -> tuple[PurePath, ...]:
    if path := environment.get("OPENCODE_CONFIG"):
        return (PurePath(path),)
    folder = _folder(environment, "XDG_CONFIG_HOME", home / ".config") / "opencode"
    return folder / "opencode.jsonc", folder / "opencode.json"


def _env_files(_environment: Environment, _home: PurePath) -> tuple[PurePath, ...]:
    return (PurePath(".env"),)


def _folder(environment: Environment, variable: str, default: PurePath) -> PurePath:
    return PurePath(environment[variable]) if environment.get(variable) else default


def _expand(path: str, home: PurePath) -> PurePath:
    return home / path[2:] if path.startswith("~/") else PurePath(path)


CLIENTS = {
    client.name: client
    for client in (
        Client("openclaw", "OpenClaw", Protocol.CHAT, _openclaw_files, connect_openclaw),
        Client("codex", "Codex", Protocol.RESPONSES, _codex_files, connect_codex),
        Client("claude-code", "Claude Code", Protocol.MESSAGES, _claude_code_files, connect_claude_code),
        Client("opencode", "OpenCode", Protocol.RESPONSES, _opencode_files, connect_opencode),
        Client(
            "env", "programs that read a .env file", Protocol.CHAT, _env_files, connect_env, needs_key=True
        ),
    )
}
