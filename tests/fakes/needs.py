"""What a test needs beside Python: it is skipped where that is missing, and fails under RUNAPI_TEST_ALL=1."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).parents[2]
CLIENTS = REPOSITORY / "tests" / "compat"


def nothing_may_be_skipped() -> bool:
    """Whether this run has to prove everything, as the one of `.ci/run` does."""
    return os.environ.get("RUNAPI_TEST_ALL") == "1"


def missing(reason: str) -> NoReturn:
    """Skip the test for this reason, or fail it where nothing may be skipped."""
    if nothing_may_be_skipped():
        pytest.fail(f"RUNAPI_TEST_ALL=1, but {reason}")
    pytest.skip(reason)


def need(program: str, reason: str) -> Path:
    """The path of a program that the test runs."""
    found = shutil.which(program)
    return Path(found) if found else missing(f"{program} is not installed: {reason}")


def node_modules() -> Path:
    """The folder in which the packages of tests/compat/package.json are installed."""
    folder = Path(os.environ.get("RUNAPI_TEST_NODE_MODULES") or CLIENTS / "node_modules")
    return (
        folder
        if folder.is_dir()
        else missing("no node_modules: docs/api/compatibility.md says how to install them")
    )


def node_24() -> Path:
    """The Node 24 that the npm packages brought; OpenClaw runs on no older one."""
    found = next(node_modules().glob("node-linux-*/bin/node"), None)
    return found or missing("node_modules has no Node 24 for this machine")
