"""The site's guides as a reader uses them: a file pasted where it belongs, a command into a shell."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from compat import quiet
from compat.programs import PATHS, Ended, node_program, node_variables, run_client
from compat.steered import Backend
from fakes import http
from fakes.needs import node_24, node_modules
from site_content.fences import Fence, read_fences

KEY_VARIABLE = "RUNAPI_KEY"


class Guide:
    """One guide, and its reader's home folder."""

    def __init__(self, path: str, backend: Backend, home: Path) -> None:
        self.backend = backend
        self.home = home
        self.folder = home / "work"
        self.folder.mkdir(parents=True, exist_ok=True)
        answer = http.request(backend.url, "GET", f"{path}.md")
        assert answer.status == 200, answer.body
        self.fences = read_fences(answer.body.decode())

    def fence(self, *words: str, language: str = "") -> Fence:
        """The only block with all these words in it, or in the name of its file."""
        found = [
            fence
            for fence in self.fences
            if all(word in fence.code or word in fence.file for word in words)
            and language in ("", fence.language)
        ]
        assert len(found) == 1, f"{words} stand in {len(found)} blocks"
        return found[0]

    def paste(self, file: str) -> Path:
        """Put the block of this file in its place."""
        path = self.place(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.fence(file).code)
        return path

    def place(self, file: str) -> Path:
        """Where a file is in this home."""
        return self.home / file.removeprefix("~/") if file.startswith("~/") else self.folder / file

    def run(self, code: str, more: Mapping[str, str] | None = None) -> Ended:
        """Run a block in a shell that has the programs, and the key in its variable."""
        programs = [self._shims(), Path(sys.executable).parent, node_24().parent, node_modules() / ".bin"]
        environment = {
            "PATH": ":".join([*map(str, programs), PATHS]),
            KEY_VARIABLE: self.backend.key,
            "RUNAPI_HOME": str(self.home / "no-server-here"),
            **node_variables(),
            **quiet.OPENCODE,
            **quiet.ROOT_MAY,
            **(more or {}),
        }
        script = f"cd {self.folder}\n{code}"
        return run_client(
            ["bash", "-euo", "pipefail", "-c", script], self.backend, self.home, environment=environment
        )

    def _shims(self) -> Path:
        """A folder with the programs that only npm's install scripts would make work, and Codex without its chatter."""
        folder = self.home / "programs"
        folder.mkdir(exist_ok=True)
        quiet.make_opencode_folder(self.home)
        claude = node_program("@anthropic-ai/claude-code-linux-{cpu}/claude")
        opencode = node_program("opencode-linux-{cpu}/bin/opencode")
        codex = node_program("@openai/codex-linux-{cpu}/vendor/*/bin/codex")
        _write_shim(folder / "claude", f'exec {claude} "$@"')
        _write_shim(folder / "opencode", f'exec {opencode} "$@"')
        _write_shim(
            folder / "codex", f'first=$1; shift; exec {codex} "$first" {shlex.join(quiet.CODEX)} "$@"'
        )
        return folder


def _write_shim(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
