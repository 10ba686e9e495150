"""What Anthropic refuses on its Messages API, in its shape; the words are its own where they are known."""

import re

from fakes.anthropic_replies import error
from fakes.received import Request
from fakes.steps import Script

KNOWN_FIELDS = (
    "cache_control container context_management inference_geo max_tokens mcp_servers messages metadata model output_config "
    "service_tier speed stop_sequences stream system temperature thinking tool_choice tools top_k top_p"
)
EFFORTS = ("low", "medium", "high", "xhigh", "max")
LEAST_THINKING_TOKENS = 1024
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_USE_ID = re.compile(r"[a-zA-Z0-9_-]+")


def refusal(request: Request, api_key: str | None) -> Script | None:
    """The 4xx with which Anthropic would answer this request, or None where it would serve it."""
    headers = request.headers
    if api_key is not None and api_key not in (headers.get("x-api-key"), _bearer(headers)):
        return error(401, "invalid x-api-key", type="authentication_error")
    if "anthropic-version" not in headers:
        return _bad("anthropic-version: header is required")
    if not isinstance(request.json, dict):
        return _bad("The request body is not valid JSON")
    body: dict[str, object] = request.json
    is_count = request.path.partition("?")[0].endswith("/count_tokens")
    for name in ("model", "messages") if is_count else ("model", "max_tokens", "messages"):
        if name not in body:
            return _bad(f"{name}: Field required")
    for check in (_fields, _numbers, _thinking, _tools, _messages):
        if (script := check(body)) is not None:
            return script
    return None


def _bearer(headers: dict[str, str]) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ")


def _bad(message: str) -> Script:
    return error(400, message, type="invalid_request_error")


def _fields(body: dict[str, object]) -> Script | None:
    unknown = next((name for name in body if name not in KNOWN_FIELDS.split()), None)
    return _bad(f"{unknown}: Extra inputs are not permitted") if unknown else None


def _numbers(body: dict[str, object]) -> Script | None:
    cap, temperature = body.get("max_tokens", 1), body.get("temperature")
    if not isinstance(cap, int) or cap < 1:
        return _bad("max_tokens: Input should be greater than or equal to 1")
    if temperature is not None and not 0 <= temperature <= 1:
        return _bad("temperature: range: 0..1")
    stops = body.get("stop_sequences") or []
    if any(not stop.strip() for stop in stops):
        return _bad("stop_sequences: each stop sequence must contain non-whitespace")
    return None


def _thinking(body: dict[str, object]) -> Script | None:
    thinking, config = body.get("thinking"), body.get("output_config")
    if isinstance(config, dict) and config.get("effort") not in (None, *EFFORTS):
        return _bad("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return None
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        return _bad("thinking.enabled.budget_tokens: Field required")
    if budget < LEAST_THINKING_TOKENS:
        return _bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if budget >= body.get("max_tokens", budget + 1):
        return _bad("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if body.get("temperature") not in (None, 1):
        return _bad("`temperature` may only be set to 1 when thinking is enabled.")
    return None


def _tools(body: dict[str, object]) -> Script | None:
    tools = body.get("tools") or []
    for at, tool in enumerate(tools):
        if not _NAME.fullmatch(str(tool.get("name"))):
            return _bad(f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if tool.get("type") in (None, "custom") and not isinstance(tool.get("input_schema"), dict):
            return _bad(f"tools.{at}.custom.input_schema: Field required")
        if tool.get("type") in (None, "custom") and tool["input_schema"].get("type") != "object":
            return _bad(f"tools.{at}.custom.input_schema.type: Input should be 'object'")
    choice = body.get("tool_choice")
    if choice is None:
        return None
    if not isinstance(choice, dict) or choice.get("type") not in ("auto", "any", "tool", "none"):
        return _bad("tool_choice: Input should be an object of type 'auto', 'any', 'tool' or 'none'")
    if not tools:
        return _bad("tool_choice: may only be specified while providing tools")
    if choice["type"] == "tool" and choice.get("name") not in [tool["name"] for tool in tools]:
        return _bad(f"Tool '{choice.get('name')}' not found in provided tools")
    return None


def _messages(body: dict[str, object]) -> Script | None:
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        return _bad("messages: at least one message is required")
    waiting: list[str] = []
    for at, message in enumerate(messages):
        if (script := _refuse_message(message, at)) is not None:
            return script
        blocks = _blocks(message)
        answered = [block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"]
        strange = next((found for found in answered if found not in waiting), None)
        if strange is not None:
            return _bad(
                f"messages.{at}.content: unexpected `tool_use_id` found in `tool_result` blocks: {strange}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if (script := _refuse_unanswered([one for one in waiting if one not in answered], at)) is not None:
            return script
        waiting = [str(block.get("id")) for block in blocks if block["type"] == "tool_use"]
    return _refuse_unanswered(waiting, len(messages))


def _refuse_unanswered(waiting: list[str], at: int) -> Script | None:
    if not waiting:
        return None
    return _bad(
        f"messages.{at - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(waiting)}. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _refuse_message(message: dict, at: int) -> Script | None:
    role = message.get("role")
    if role == "system":
        return _bad(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as '
            "an input message role."
        )
    if role not in ("user", "assistant"):
        return _bad(f"messages.{at}.role: Input should be 'user' or 'assistant'")
    for place, block in enumerate(_blocks(message)):
        if block["type"] == "text" and not block.get("text", "").strip():
            return _bad("messages: text content blocks must be non-empty")
        if block["type"] == "tool_use" and not isinstance(block.get("input"), dict):
            return _bad(f"messages.{at}.content.{place}.tool_use.input: Input should be a valid dictionary")
        if block["type"] == "tool_use" and not _USE_ID.fullmatch(str(block.get("id"))):
            return _bad(
                f"messages.{at}.content.{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
            )
    return None


def _blocks(message: dict) -> list[dict]:
    content = message.get("content")
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content or ""}]
