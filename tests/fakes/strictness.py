"""What OpenAI refuses on Chat Completions, with its words: the check that the gateway normalises enough."""

from fakes.received import Request
from fakes.replies import SNAPSHOTS, error
from fakes.steps import Script

KNOWN_FIELDS = frozenset(
    {
        "messages",
        "model",
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "modalities",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
EFFORTS = ("none", "low", "medium", "high", "xhigh")
DEFAULT_EFFORTS = {"gpt-5.5": "medium"}  # the others: none
NEVER_SUPPORTED = (
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "prediction",
    "audio",
    "modalities",
)
SAMPLING = ("temperature", "top_p", "logprobs", "top_logprobs")
NO_TOOLS_WITH_REASONING = ("gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano")
MAX_OUTPUT_TOKENS = 128_000


def refusal(request: Request, api_key: str | None) -> Script | None:
    """The 4xx with which OpenAI would answer this request, or None where it would serve it."""
    if api_key is not None and request.headers.get("authorization") != f"Bearer {api_key}":
        message = "Incorrect API key provided: sk-ca***xx. You can find your API key in your account."
        return error(401, message, type="invalid_request_error", code="invalid_api_key")
    if request.method != "POST":
        return None
    if not isinstance(request.json, dict):
        return _bad("We could not parse the JSON body of your request.")
    body: dict[str, object] = request.json
    for check in (_fields, _model, _messages, _budget, _effort, _sampling, _tools, _streaming):
        if (script := check(body)) is not None:
            return script
    return None


def _bad(message: str, param: str | None = None, code: str | None = None) -> Script:
    return error(400, message, type="invalid_request_error", param=param, code=code)


def _unsupported(param: str, advice: str = "") -> Script:
    message = f"Unsupported parameter: '{param}' is not supported with this model.{advice}"
    return _bad(message, param, "unsupported_parameter")


def _public_name(body: dict[str, object]) -> str:
    """The model without its date."""
    model = str(body.get("model"))
    return next((name for name, dated in SNAPSHOTS.items() if dated == model), model)


def _effective_effort(body: dict[str, object]) -> object:
    return body.get("reasoning_effort") or DEFAULT_EFFORTS.get(_public_name(body), "none")


def _fields(body: dict[str, object]) -> Script | None:
    unknown = next((name for name in body if name not in KNOWN_FIELDS), None)
    return _bad(f"Unrecognized request argument supplied: {unknown}") if unknown else None


def _model(body: dict[str, object]) -> Script | None:
    model = body.get("model")
    if not isinstance(model, str):
        return _bad("you must provide a model parameter")
    if model.startswith("gpt-5.3-codex"):
        message = (
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint. "
            "Did you mean to use v1/completions?"
        )
        return error(404, message, type="invalid_request_error", param="model")
    if model not in SNAPSHOTS and model not in SNAPSHOTS.values():
        message = f"The model `{model}` does not exist or you do not have access to it."
        return error(404, message, type="invalid_request_error", code="model_not_found")
    return None


def _messages(body: dict[str, object]) -> Script | None:
    if "messages" not in body:
        return _bad("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not body["messages"]:
        text = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        return _bad(text, "messages", "empty_array")
    return None


def _budget(body: dict[str, object]) -> Script | None:
    if "max_tokens" in body:
        return _unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
    budget = body.get("max_completion_tokens")
    if isinstance(budget, int) and budget > MAX_OUTPUT_TOKENS:
        text = f"max_tokens is too large: {budget}. This model supports at most {MAX_OUTPUT_TOKENS} completion tokens."
        return _bad(text, "max_tokens", "invalid_value")
    return None


def _effort(body: dict[str, object]) -> Script | None:
    effort = body.get("reasoning_effort")
    if effort is None or effort in EFFORTS:
        return None
    text = (
        f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. "
        "Supported values are: 'none', 'low', 'medium', 'high', and 'xhigh'."
    )
    return _bad(text, "reasoning_effort", "unsupported_value")


def _sampling(body: dict[str, object]) -> Script | None:
    for param in NEVER_SUPPORTED:
        if param in body:
            return _unsupported(param)
    if _effective_effort(body) == "none":
        return None
    for param in SAMPLING:
        value = body.get(param)
        if value is None or (param in {"temperature", "top_p"} and value == 1) or value is False:
            continue
        text = (
            f"Unsupported value: '{param}' does not support {value} with this model. "
            "Only the default (1) value is supported."
        )
        return _bad(text, param, "unsupported_value")
    return None


def _tools(body: dict[str, object]) -> Script | None:
    tools = body.get("tools")
    if tools is None:
        return None
    if not isinstance(tools, list) or not tools:
        text = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead."
        return _bad(text, "tools", "empty_array")
    name = _public_name(body)
    functions = any(isinstance(tool, dict) and tool.get("type") == "function" for tool in tools)
    if functions and name in NO_TOOLS_WITH_REASONING and _effective_effort(body) != "none":
        text = (
            f"Function tools with reasoning_effort are not supported for {name} in /v1/chat/completions. "
            "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
        )
        return _bad(text, "reasoning_effort")
    return None


def _streaming(body: dict[str, object]) -> Script | None:
    if body.get("stream_options") is not None and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return _bad(text, "stream_options")
    return None
