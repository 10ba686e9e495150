"""Programs that run blocks of code one after the other, as a reader pastes them into one window."""

import json
import os
import selectors
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

WITHIN_S = 60
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Ran:
    """What became of a block: what it printed, and what was wrong; an empty fault is none."""

    printed: str
    fault: str


class Worker:
    """A program that is given one line for each block, and answers with one."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            text=True,
            bufsize=1,
        )

    def ask(self, line: str) -> str:
        """Send a line and wait for the answer; empty where the program has died or takes too long."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        if process.poll() is not None:
            return ""
        process.stdin.write(line + "\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(WITHIN_S):
                process.kill()
                return ""
        return process.stdout.readline()

    def last_words(self) -> str:
        """What a program that has died said of it."""
        self._process.kill()
        return self._process.communicate()[1][-2000:]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


class Shell(Worker):
    """One bash for all blocks of a page: what one sets, the next has. A command that fails is a fault."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(["bash", "--norc"], environment)
        self._folder = folder
        self._number = 0
        self.ask(f"cd {shlex.quote(str(folder))}; set -uE -o pipefail; echo ready")

    def run(self, code: str) -> Ran:
        """Run a block."""
        self._number += 1
        script, printed, said = (
            self._folder / f".block-{self._number}{ending}" for ending in (".sh", ".out", ".err")
        )
        script.write_text(code)
        ran = self.ask(
            f"FAILED=0; trap 'FAILED=$?' ERR; . {shlex.quote(str(script))} "
            f">{shlex.quote(str(printed))} 2>{shlex.quote(str(said))} </dev/null; trap - ERR; echo $FAILED"
        )
        out = printed.read_text("utf-8", "replace") if printed.exists() else ""
        err = said.read_text("utf-8", "replace") if said.exists() else ""
        return Ran(out, "" if ran.strip() == "0" else f"bash ended with {ran.strip() or 'nothing'}: {err}")


class Interpreter(Worker):
    """One Python or Node for many blocks, each of which begins with nothing."""

    def __init__(self, command: list[str], ending: str, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(command, environment)
        self._folder = folder
        self._ending = ending
        self._number = 0

    def run(self, code: str, working_folder: Path) -> Ran:
        """Run a block in a folder."""
        self._number += 1
        script = self._folder / f"block-{self._number}{self._ending}"
        script.write_text(code)
        answer = self.ask(json.dumps({"script": str(script), "folder": str(working_folder)}))
        if not answer:
            return Ran("", f"the interpreter died, or took more than {WITHIN_S} s: {self.last_words()}")
        ran = json.loads(answer)
        return Ran(ran["printed"], ran["fault"])


def open_python(folder: Path, environment: Mapping[str, str]) -> Interpreter:
    """This Python, which has the real SDKs."""
    return Interpreter([sys.executable, str(_HERE / "python_worker.py")], ".py", folder, environment)


def open_node(node: Path, packages: Path, folder: Path, environment: Mapping[str, str]) -> Interpreter:
    """A Node that finds the real SDK: ES modules look for packages beside the script."""
    folder.joinpath("node_modules").symlink_to(packages)
    return Interpreter([str(node), str(_HERE / "node_worker.mjs")], ".mjs", folder, environment)


def reader(home: Path, key: str, base_url: str) -> dict[str, str]:
    """The environment of somebody who has read the quickstart, and installed the program."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        "HOME": str(home),
        "PATH": programs,
        "RUNAPI_KEY": key,
        "RUNAPI_BASE_URL": base_url,
        "LANG": "C.UTF-8",
    }
