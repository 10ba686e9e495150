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


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """One client. Its file is the first of `locate` that exists, or else the last."""

    name: str
    title: str
    protocol: Protocol
    locate: Locate
    connect: Callable[[str, Wanted], str]
    first_command: str
    needs_key: bool = False  # the file cannot name a variable instead


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
        Client(
            name="openclaw",
            title="OpenClaw",
            protocol=Protocol.CHAT,
            locate=_openclaw_files,
            connect=connect_openclaw,
            first_command='openclaw agent --local --agent main --message "Say hello."',
        ),
        Client(
            name="codex",
            title="Codex",
            protocol=Protocol.RESPONSES,
            locate=_codex_files,
            connect=connect_codex,
            first_command='codex exec --skip-git-repo-check "Say hello."',
        ),
        Client(
            name="claude-code",
            title="Claude Code",
            protocol=Protocol.MESSAGES,
            locate=_claude_code_files,
            connect=connect_claude_code,
            first_command='claude -p "Say hello."',
        ),
        Client(
            name="opencode",
            title="OpenCode",
            protocol=Protocol.RESPONSES,
            locate=_opencode_files,
            connect=connect_opencode,
            first_command='opencode run "Say hello."',
        ),
        Client(
            name="env",
            title="programs that read a .env file",
            protocol=Protocol.CHAT,
            locate=_env_files,
            connect=connect_env,
            first_command="set -a; . ./.env; set +a",
            needs_key=True,
        ),
    )
}
