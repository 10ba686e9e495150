"""Codex, Claude Code and OpenCode run as their guides say: by the pasted file, and by `runapi connect`."""

import json
import tomllib

import pytest

HELLO = "Hello from the RunAPI sandbox"
GUIDES = {
    "/codex": ("~/.codex/config.toml", "codex exec", "provider: runapi"),
    "/claude-code": ("~/.claude/settings.json", "claude -p", ""),
    "/opencode": ("~/.config/opencode/opencode.json", "opencode run", ""),
}


@pytest.mark.parametrize("path", GUIDES)
def test_pasted_file_works(open_guide, path):
    file, command, seen = GUIDES[path]
    guide = open_guide(path)
    pasted = guide.paste(file)
    assert guide.backend.key not in pasted.read_text()
    ended = guide.run(guide.fence(f"{command} ", "Say hello.").code)
    assert HELLO in ended.stdout
    assert seen in ended.stderr


@pytest.mark.parametrize("path", GUIDES)
def test_command_writes_a_file_that_works_without_a_variable(open_guide, path):
    file, command, _ = GUIDES[path]
    guide = open_guide(path)
    told = guide.run(guide.fence("runapi connect").code)
    assert HELLO in told.stdout
    assert "costs no money" in told.stdout
    assert guide.backend.key not in told.stdout + told.stderr
    written = guide.place(file)
    assert written.stat().st_mode & 0o777 == 0o600
    assert guide.backend.key in written.read_text()
    ended = guide.run(guide.fence(f"{command} ", "Say hello.").code, {"RUNAPI_KEY": ""})
    assert HELLO in ended.stdout


@pytest.mark.parametrize("path", GUIDES)
def test_file_by_hand_is_the_one_that_the_command_writes_without_a_key(open_guide, path):
    file, _, _ = GUIDES[path]
    guide = open_guide(path)
    guide.run(f"{guide.fence('runapi connect').code.strip()} --no-key")
    read = tomllib.loads if file.endswith(".toml") else json.loads
    by_hand, written = read(guide.fence(file).code), read(guide.place(file).read_text())
    if path == "/opencode":  # which the command gives every model
        pasted = by_hand["provider"]["runapi"].pop("models")
        models = written["provider"]["runapi"].pop("models")
        assert {name: models[name] for name in pasted} == pasted
        assert len(models) > len(pasted)
    assert written == by_hand


def test_claude_code_works_by_variables_alone(open_guide):
    guide = open_guide("/claude-code")
    variables = guide.fence("export ANTHROPIC_BASE_URL").code
    ended = guide.run(f"{variables}\n{guide.fence('claude -p', 'Say hello.').code}")
    assert HELLO in ended.stdout


def test_codex_knows_the_models_by_our_catalogue(open_guide):
    guide = open_guide("/codex")
    guide.paste("~/.codex/config.toml")
    ended = guide.run('codex exec --skip-git-repo-check -m gpt-5.3-codex "Say hello."')
    assert HELLO in ended.stdout
    assert "metadata" not in ended.stderr
