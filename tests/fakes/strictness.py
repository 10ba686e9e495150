"""What OpenAI refuses, with its words: the check that the gateway normalises and translates enough.

Chat Completions stands here; the other APIs have files of their own.
"""

from fakes import anthropic_strictness, responses_strictness
from fakes.received import Request
from fakes.refusals import (
    DEFAULT_EFFORTS,
    EFFORTS,
    bad,
    invalid_value,
    public_name,
    refuse_retention,
    refuse_schema,
    unsupported_parameter,
)
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
NEVER_SUPPORTED = (
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "prediction",
    "audio",
    "modalities",
)
VERBOSITIES = ("low", "medium", "high")
SAMPLING = ("temperature", "top_p", "logprobs", "top_logprobs")
NO_TOOLS_WITH_REASONING = ("gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano")
MAX_OUTPUT_TOKENS = 128_000
TOO_SMALL_BUDGET = 4  # seen with 1; where the limit lies is not known


def refusal(request: Request, api_key: str | None) -> Script | None:
    """The 4xx with which the maker of a model would answer this request, or None where it would serve it."""
    path = request.path.partition("?")[0]
    if path.endswith(("/messages", "/messages/count_tokens")):
        return anthropic_strictness.refusal(request, api_key)
    if api_key is not None and not _knows_key(request, api_key):
        message = "Incorrect API key provided: sk-ca***xx. You can find your API key in your account."
        return error(401, message, type="invalid_request_error", code="invalid_api_key")
    if request.method != "POST":
        return None
    if not isinstance(request.json, dict):
        return bad("We could not parse the JSON body of your request.")
    body: dict[str, object] = request.json
    if path.endswith(("/responses", "/responses/input_tokens")):
        return responses_strictness.refusal(body, api_key, is_count=path.endswith("/input_tokens"))
    if path.endswith("/chat/completions"):
        return _refuse_chat(body)
    return (
        None
        if "model" in body or path.endswith("/moderations")
        else bad("you must provide a model parameter")
    )


def _knows_key(request: Request, api_key: str) -> bool:
    """Whether the key stands where OpenAI wants it, or where Azure does."""
    headers = request.headers
    return headers.get("authorization") == f"Bearer {api_key}" or headers.get("api-key") == api_key


def _refuse_chat(body: dict[str, object]) -> Script | None:
    checks = (
        _fields,
        _model,
        _messages,
        _budget,
        _effort,
        _sampling,
        _tools,
        _format,
        refuse_retention,
        _streaming,
    )
    return next((script for check in checks if (script := check(body)) is not None), None)


def _effective_effort(body: dict[str, object]) -> object:
    return body.get("reasoning_effort") or DEFAULT_EFFORTS.get(public_name(body), "none")


def _fields(body: dict[str, object]) -> Script | None:
    unknown = next((name for name in body if name not in KNOWN_FIELDS), None)
    return bad(f"Unrecognized request argument supplied: {unknown}") if unknown else None


def _model(body: dict[str, object]) -> Script | None:
    model = body.get("model")
    if not isinstance(model, str):
        return bad("you must provide a model parameter")
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
        return bad("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not body["messages"]:
        text = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        return bad(text, "messages", "empty_array")
    return None


def _budget(body: dict[str, object]) -> Script | None:
    if "max_tokens" in body:
        return unsupported_parameter("max_tokens", " Use 'max_completion_tokens' instead.")
    budget = body.get("max_completion_tokens")
    if isinstance(budget, int) and budget > MAX_OUTPUT_TOKENS:
        text = f"max_tokens is too large: {budget}. This model supports at most {MAX_OUTPUT_TOKENS} completion tokens."
        return bad(text, "max_tokens", "invalid_value")
    if isinstance(budget, int) and budget < TOO_SMALL_BUDGET:
        return bad(
            "Could not finish the message because max_tokens or model output limit was reached. "
            "Please try again with higher max_tokens."
        )
    return None


def _effort(body: dict[str, object]) -> Script | None:
    effort = body.get("reasoning_effort")
    if effort is None or effort in EFFORTS:
        return None
    text = (
        f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. "
        "Supported values are: 'none', 'low', 'medium', 'high', and 'xhigh'."
    )
    return bad(text, "reasoning_effort", "unsupported_value")


def _sampling(body: dict[str, object]) -> Script | None:
    for param in NEVER_SUPPORTED:
        if param in body:
            return unsupported_parameter(param)
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
        return bad(text, param, "unsupported_value")
    return None


def _tools(body: dict[str, object]) -> Script | None:
    tools = body.get("tools")
    if tools is None:
        return None
    if not isinstance(tools, list) or not tools:
        text = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead."
        return bad(text, "tools", "empty_array")
    name = public_name(body)
    functions = any(isinstance(tool, dict) and tool.get("type") == "function" for tool in tools)
    if functions and name in NO_TOOLS_WITH_REASONING and _effective_effort(body) != "none":
        text = (
            f"Function tools with reasoning_effort are not supported for {name} in /v1/chat/completions. "
            "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
        )
        return bad(text, "reasoning_effort")
    refused = (_refuse_strict(tool, f"tools[{at}]") for at, tool in enumerate(tools))
    return next((script for script in refused if script is not None), None)


def _refuse_strict(tool: object, param: str) -> Script | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or function.get("strict") is not True:
        return None
    place, code = f"function '{function.get('name')}'", "invalid_function_parameters"
    return refuse_schema(function.get("parameters"), place, f"{param}.function.parameters", code)


def _format(body: dict[str, object]) -> Script | None:
    verbosity, form = body.get("verbosity"), body.get("response_format")
    if verbosity is not None and verbosity not in VERBOSITIES:
        return invalid_value("verbosity", verbosity, VERBOSITIES)
    if not isinstance(form, dict):
        return None
    if form.get("type") == "json_object" and "json" not in str(body["messages"]).lower():
        text = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        return bad(text, "messages")
    wanted = form.get("json_schema")
    if isinstance(wanted, dict) and wanted.get("strict") is True:
        place = f"response_format '{wanted.get('name')}'"
        return refuse_schema(wanted.get("schema"), place, "response_format", "invalid_json_schema")
    return None


def _streaming(body: dict[str, object]) -> Script | None:
    if body.get("stream_options") is not None and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return bad(text, "stream_options")
    return None
