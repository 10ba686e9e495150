"""The text of docs/api/compatibility.md: what was shown, as tables, and why the rest was not."""

import re
from collections.abc import Collection, Mapping

from compat.shown import SIX, Cell, Client, Feature, Protocol

PACKAGES = {
    Client.OPENAI_PYTHON: ("pypi:openai",),
    Client.OPENAI_NODE: ("npm:openai",),
    Client.ANTHROPIC_PYTHON: ("pypi:anthropic",),
    Client.OPENCLAW: ("npm:openclaw",),
    Client.CODEX: ("npm:@openai/codex",),
    Client.CLAUDE_CODE: ("npm:@anthropic-ai/claude-code",),
    Client.OPENCODE: ("npm:opencode-ai",),
    Client.OPENAI_AGENTS: ("pypi:openai-agents",),
    Client.LANGCHAIN: ("pypi:langchain-openai",),
    Client.PYDANTIC_AI: ("pypi:pydantic-ai-slim",),
    Client.AI_SDK: ("npm:ai", "npm:@ai-sdk/openai", "npm:@ai-sdk/openai-compatible"),
}
NOTES = {
    Client.OPENAI_PYTHON: "Helpers too: `.stream()`, `.parse()`, `previous_response_id`, retrieval and deletion of responses.",
    Client.OPENAI_NODE: "Helpers too: `.stream()`, `.parse()` with Zod, `runTools`, `previous_response_id`.",
    Client.ANTHROPIC_PYTHON: "Helpers too: `.stream()`, `.parse()`, the tool runner, `count_tokens`.",
    Client.OPENCLAW: "As `runapi connect openclaw` configures it, and with `openai-responses` in the place of "
    "`openai-completions`. On Chat Completions it shows what was charged; on Responses it reckons by the prices in its configuration.",
    Client.CODEX: "As `runapi connect codex` configures it. It speaks Responses alone, and reads our catalogue: so it knows each "
    "model's efforts, and applies patches by a tool of its own.",
    Client.CLAUDE_CODE: "As `runapi connect claude-code` configures it. It speaks Messages alone, and asks for structured output by a tool "
    "of its own.",
    Client.OPENCODE: "As `runapi connect opencode` configures it, and with `@ai-sdk/openai-compatible` in the place of "
    "`@ai-sdk/openai`.",
    Client.OPENAI_AGENTS: "`OpenAIResponsesModel` and `OpenAIChatCompletionsModel`.",
    Client.LANGCHAIN: "`ChatOpenAI`, with and without `use_responses_api`.",
    Client.PYDANTIC_AI: "`OpenAIResponsesModel` and `OpenAIChatModel`.",
    Client.AI_SDK: "`@ai-sdk/openai` and `@ai-sdk/openai-compatible`.",
}
REASONS = {
    (Client.OPENCLAW, Feature.STRUCTURED): "its turns ask for none",
    (Client.OPENCODE, Feature.STRUCTURED): "it asks for none",
}
"""Why a client shows a feature with no model at all."""

PASS = "pass"
_VERSION = re.compile(r"Version [^\n]*\.\n")

_HEAD = """\
# Compatibility

<!-- tests/compat/write_page.py writes this file after a run in which all of it passed; a test compares the two. -->

Each run of `.ci/run` points these programs, unmodified, at a running server. A turn goes to the sandbox (a test key), or to an upstream
that serves `/responses` alone and refuses, in OpenAI's words, what OpenAI refuses; every turn with a tool goes there. So Chat
Completions and Messages are translated for it, and nothing is sent that OpenAI would turn away.

| column | what passed |
|---|---|
| plain turn | a question, and the answer that the model gave |
| streamed | the same, in pieces |
| tool turn | the program ran its tool, a shell command or functions, and the last answer quotes the tool's result |
| reasoning with tools | the effort that the program asks for reached the model with its tools, and the model's sealed reasoning came back with the result |
| structured output | the answer to a JSON schema, parsed |

All but the two Python SDKs run in a network of their own that has nothing but loopback, with updates and telemetry turned off as their makers
document. A test fails where a program looks up any name or tries any other address.
"""

_TAIL = """
## Run them yourself

The two Python SDKs come with `make test`. The rest needs 2.1 GB:

```
mkdir -p ~/.cache/runapi-test-clients && cp tests/compat/package.json ~/.cache/runapi-test-clients/
npm install --prefix ~/.cache/runapi-test-clients --ignore-scripts --no-package-lock
python3 -m venv ~/.cache/runapi-test-clients/venv
~/.cache/runapi-test-clients/venv/bin/pip install --require-hashes -r requirements/clients.txt
export RUNAPI_TEST_NODE_MODULES=~/.cache/runapi-test-clients/node_modules
make test TESTS=tests/compat
```

Node 24 comes with the packages. `RUNAPI_TEST_CLIENTS_PYTHON` names the Python of another environment. What is not installed is skipped, and said so; with
`RUNAPI_TEST_ALL=1` that is a failure. `.venv/bin/python tests/compat/write_page.py` writes this page again.
"""


def render_page(cells: Collection[Cell], versions: Mapping[str, str]) -> str:
    """Write the page for what was shown with these versions.

    Raises:
        ValueError: a client shows nothing, or leaves a feature out without a reason.
    """
    return _HEAD + "".join(_section(client, cells, versions) for client in Client) + _TAIL


def without_versions(page: str) -> str:
    return _VERSION.sub("", page)


def _section(client: Client, cells: Collection[Cell], versions: Mapping[str, str]) -> str:
    shown = [cell for cell in cells if cell.client is client]
    if not shown:
        raise ValueError(f"{client} shows nothing")
    known = ", ".join(f"{versions[name]} (`{name.partition(':')[2]}`)" for name in PACKAGES[client])
    heads = ["protocol", "models", *Feature]
    lines = [f"\n## {client}\n\n{NOTES[client]} Version {known}.\n\n"]
    lines += [_row(heads), "|" + "---|" * len(heads) + "\n"]
    for protocol in Protocol:
        lines += _rows(client, protocol, [cell for cell in shown if cell.protocol is protocol])
    return "".join(lines)


def _rows(client: Client, protocol: Protocol, shown: Collection[Cell]) -> list[str]:
    """One row for all the models that show the same."""
    models: dict[tuple[str, ...], list[str]] = {}
    for model in SIX:
        features = {cell.feature for cell in shown if cell.model == model}
        if features:
            row = tuple(PASS if feature in features else _reason(client, feature) for feature in Feature)
            models.setdefault(row, []).append(model)
    return [_row([protocol, _named(listed), *row]) for row, listed in models.items()]


def _reason(client: Client, feature: Feature) -> str:
    try:
        return REASONS[client, feature]
    except KeyError:
        raise ValueError(f"{client} does not show '{feature}' with each of its models") from None


def _named(models: list[str]) -> str:
    return "all six" if len(models) == len(SIX) else ", ".join(f"`{model}`" for model in models)


def _row(values: Collection[str]) -> str:
    return "| " + " | ".join(values) + " |\n"
