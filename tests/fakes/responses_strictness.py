"""What OpenAI refuses on the Responses API, with its words. Nothing is stored here: as for `store: false`."""

from fakes import responses_input_strictness
from fakes.refusals import (
    DEFAULT_EFFORTS,
    EFFORTS,
    EFFORTS_OF,
    bad,
    invalid_value,
    listed,
    missing,
    public_name,
    refuse_retention,
    refuse_schema,
    unknown,
    unsupported_parameter,
)
from fakes.responses_writer import MODELS
from fakes.steps import Script

KNOWN_FIELDS = (
    "background background_options client_metadata context_management conversation include input instructions "
    "max_output_tokens max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt "
    "prompt_cache_key prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store "
    "stream stream_options temperature text tool_choice tools top_logprobs top_p truncation user"
)
MOVED = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
}
INCLUDES = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
MIN_OUTPUT_TOKENS = 16
MAX_OUTPUT_TOKENS = 128_000
LOGPROBS = "message.output_text.logprobs"


def refusal(body: dict[str, object], api_key: str | None, *, is_count: bool = False) -> Script | None:
    """The 4xx with which OpenAI would answer this body, or None where it would serve it."""
    if not is_count and body.get("input") is None:
        return missing("input")
    checks = (
        _fields,
        _model,
        _stateless,
        _budget,
        _effort,
        _sampling,
        _tools,
        _choice,
        _text,
        refuse_retention,
        _other,
    )
    for check in checks:
        if (script := check(body)) is not None:
            return script
    return responses_input_strictness.refusal(body, api_key)


def _fields(body: dict[str, object]) -> Script | None:
    for name in body:
        if name in MOVED:
            text = (
                f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to '{MOVED[name]}'. "
                "Try again with the new parameter."
            )
            return bad(text, name, "unsupported_parameter")
        if name not in KNOWN_FIELDS.split():
            return unknown(name)
    return None


def _model(body: dict[str, object]) -> Script | None:
    model = body.get("model")
    if not isinstance(model, str):
        return missing("model")
    if model not in MODELS and model not in MODELS.values():
        return bad(f"The requested model '{model}' does not exist.", "model", "model_not_found")
    return None


def _stateless(body: dict[str, object]) -> Script | None:
    previous = body.get("previous_response_id")
    if previous is not None:
        text = f"Previous response with id '{previous}' not found."
        return bad(text, "previous_response_id", "previous_response_not_found")
    return None


def _budget(body: dict[str, object]) -> Script | None:
    budget = body.get("max_output_tokens")
    if not isinstance(budget, int):
        return None
    if budget < MIN_OUTPUT_TOKENS:
        text = (
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= "
            f"{MIN_OUTPUT_TOKENS}, but got {budget} instead."
        )
        return bad(text, "max_output_tokens", "integer_below_min_value")
    if budget > MAX_OUTPUT_TOKENS:
        text = (
            "Invalid 'max_output_tokens': integer above maximum value. Expected a value <= "
            f"{MAX_OUTPUT_TOKENS}, but got {budget} instead."
        )
        return bad(text, "max_output_tokens", "integer_above_max_value")
    return None


def _effort(body: dict[str, object]) -> Script | None:
    effort, name = _reasoning(body).get("effort"), public_name(body)
    allowed = EFFORTS_OF.get(name, EFFORTS)
    if effort is None or effort in allowed:
        return None
    text = (
        f"Unsupported value: '{effort}' is not supported with the '{body['model']}' model. "
        f"Supported values are: {listed(allowed)}."
    )
    return bad(text, "reasoning.effort", "unsupported_value")


def _sampling(body: dict[str, object]) -> Script | None:
    effort = _reasoning(body).get("effort") or DEFAULT_EFFORTS.get(public_name(body), "none")
    if effort == "none":
        return None
    for param in ("temperature", "top_p"):
        if body.get(param) not in (None, 1):
            return unsupported_parameter(param)
    if body.get("top_logprobs"):
        return unsupported_parameter("top_logprobs")
    include = body.get("include")
    if isinstance(include, list) and LOGPROBS in include:
        return bad("logprobs are not supported with reasoning models.", "include", "unsupported_parameter")
    return None


def _tools(body: dict[str, object]) -> Script | None:
    tools = body.get("tools")
    for at, tool in enumerate(tools if isinstance(tools, list) else ()):
        param = f"tools[{at}]"
        if not isinstance(tool, dict) or "type" not in tool:
            return missing(f"{param}.type")
        if tool["type"] not in ("function", "custom"):
            continue
        if not isinstance(tool.get("name"), str):
            return missing(f"{param}.name")
        if "function" in tool or "custom" in tool:
            return unknown(f"{param}.{tool['type']}")
        if tool["type"] == "function" and tool.get("strict") is True:
            place = f"function '{tool['name']}'"
            script = refuse_schema(
                tool.get("parameters"), place, f"{param}.parameters", "invalid_function_parameters"
            )
            if script is not None:
                return script
    return None


def _choice(body: dict[str, object]) -> Script | None:
    choice, tools = body.get("tool_choice"), body.get("tools")
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        return invalid_value("tool_choice", choice, ("none", "auto", "required"))
    if choice == "required" and not tools:
        return bad("Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice")
    if not isinstance(choice, dict):
        return None
    nested = next((key for key in ("function", "custom", "allowed_tools") if key in choice), None)
    if nested is not None:
        return unknown(f"tool_choice.{nested}")
    wanted = choice.get("tools") if choice.get("type") == "allowed_tools" else [choice]
    known = [(tool["type"], tool.get("name")) for tool in tools] if isinstance(tools, list) else []
    for one in wanted if isinstance(wanted, list) else ():
        if (one.get("type"), one.get("name")) not in known:
            return bad(f"Tool choice '{one.get('type')}' not found in 'tools' parameter.", "tool_choice")
    return None


def _text(body: dict[str, object]) -> Script | None:
    text = body.get("text")
    form = text.get("format") if isinstance(text, dict) else None
    verbosity = text.get("verbosity") if isinstance(text, dict) else None
    if verbosity is not None and verbosity not in ("low", "medium", "high"):
        return invalid_value("text.verbosity", verbosity, ("low", "medium", "high"))
    if not isinstance(form, dict):
        return None
    if form.get("type") == "json_object" and "json" not in str(body.get("input")).lower():
        said = (
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
            "'json_object'."
        )
        return bad(said, "input")
    if form.get("type") != "json_schema":
        return None
    absent = next((key for key in ("name", "schema") if key not in form), None)
    if absent is not None:
        return missing(f"text.format.{absent}")
    if form.get("strict") is True:
        place = f"response_format '{form['name']}'"
        return refuse_schema(form["schema"], place, "text.format.schema", "invalid_json_schema")
    return None


def _other(body: dict[str, object]) -> Script | None:
    include, options = body.get("include"), body.get("stream_options")
    for at, wanted in enumerate(include if isinstance(include, list) else ()):
        if wanted not in INCLUDES:
            return invalid_value(f"include[{at}]", wanted, INCLUDES)
    if isinstance(options, dict):
        if not body.get("stream"):
            text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
            return bad(text, "stream_options")
        unlisted = next((key for key in options if key != "include_obfuscation"), None)
        if unlisted is not None:
            return unknown(f"stream_options.{unlisted}")
    return None


def _reasoning(body: dict[str, object]) -> dict[str, object]:
    reasoning = body.get("reasoning")
    return reasoning if isinstance(reasoning, dict) else {}
