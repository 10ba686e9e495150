"""Requests of Responses clients, for the pure tests."""

import json

from runapi.wire.openai_responses.request import read_responses_request

TOOL = {
    "type": "function",
    "name": "look_up",
    "description": "Looks up the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
CUSTOM_TOOL = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x+/"},
}
CODEX = {  # what Codex 0.169.0 sends (clients.md 2), shortened
    "model": "gpt-5.5",
    "instructions": None,
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "List the files."}]},
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAAAA"},
        {
            "type": "function_call",
            "id": "fc_1",
            "name": "shell",
            "arguments": '{"command":["ls"]}',
            "call_id": "call_1",
        },
        {"type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "a.txt"},
        {"type": "new_kind_of_item", "id": "x_1", "content": {"any": ["thing"]}},
    ],
    "tools": [
        TOOL,
        CUSTOM_TOOL,
        {"type": "tool_search", "execution": "client", "description": "d", "parameters": {"type": "object"}},
        {"type": "namespace", "name": "multi_agent_v1", "description": "d", "tools": [TOOL]},
        {"type": "web_search", "external_web_access": False},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "context": "all_turns"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "01999-thread",
    "text": {"verbosity": "low"},
    "client_metadata": {"x-codex-installation-id": "i"},
}


def body(**fields):
    asked = {"model": "gpt-5.5", "input": "Hello"} | fields
    return json.dumps({name: value for name, value in asked.items() if value is not ...}).encode()


def request(**fields):
    return read_responses_request(body(**fields))
