"""The guides' programs for LangChain and the AI SDK run with the real packages."""

import shlex

from compat.programs import python_of_clients
from fakes.needs import node_24, node_modules

HELLO = "Hello from the RunAPI sandbox"


def run_all(guide, language, ending, command):
    """Run the guide's blocks of a language one after the other, each from nothing."""
    printed = []
    for number, fence in enumerate(one for one in guide.fences if one.language == language):
        script = guide.folder / f"block{number}{ending}"
        script.write_text(fence.code)
        printed.append(guide.run(f"{command} {shlex.quote(str(script))}").stdout)
    return printed


def test_langchain(open_guide):
    asked, more = run_all(open_guide("/langchain"), "python", ".py", str(python_of_clients()))
    assert HELLO in asked
    assert "'total_tokens'" in asked
    assert "multiply {'a': " in more
    assert "name=" in more
    assert HELLO in more


def test_vercel_ai_sdk(open_guide):
    guide = open_guide("/vercel-ai-sdk")
    (guide.folder / "node_modules").symlink_to(node_modules())
    asked, more = run_all(guide, "javascript", ".mjs", str(node_24()))
    assert asked.count(HELLO) == 2
    assert " tokens\n" in asked
    assert "multiply " in more
    assert "country:" in more
