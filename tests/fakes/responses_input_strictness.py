"""What OpenAI refuses in the `input` of a Responses request: shapes, ids, calls without results, foreign thoughts."""

from fakes.refusals import MOST_CALL_ID_CHARACTERS, bad, invalid_value, missing
from fakes.replies import error
from fakes.responses_writer import read_seal
from fakes.steps import Script

ROLES = ("assistant", "system", "developer", "user")
SAID_BEFORE = ("system", "developer", "user")
SAID_TO = (
    "input_text",
    "input_image",
    "output_text",
    "refusal",
    "input_file",
    "computer_screenshot",
    "summary_text",
)
SAID_BY = ("output_text", "refusal")
ID_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fc",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctc",
    "reasoning": "rs",
}
RESULTS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}
NEEDED = {
    "function_call": ("call_id", "name", "arguments"),
    "custom_tool_call": ("call_id", "name", "input"),
    "function_call_output": ("call_id", "output"),
    "custom_tool_call_output": ("call_id", "output"),
}


def refusal(body: dict[str, object], api_key: str | None) -> Script | None:
    """The 4xx with which OpenAI would answer this input, or None where it would serve it."""
    items = body.get("input")
    if not isinstance(items, list):
        return None
    if not items:
        text = "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead."
        return bad(text, "input", "empty_array")
    for at, item in enumerate(items):
        if (script := _refuse_item(item, f"input[{at}]")) is not None:
            return script
        if item.get("type") == "reasoning":
            script = _refuse_thought(item, items[at + 1 :], str(body["model"]), api_key)
            if script is not None:
                return script
    return _refuse_calls(items)


def _refuse_item(item: object, param: str) -> Script | None:
    if not isinstance(item, dict):
        return bad(f"Invalid type for '{param}': expected an object.", param, "invalid_type")
    kind = item.get("type", "message" if "role" in item else None)
    if kind is None:
        return missing(f"{param}.type")
    if kind == "item_reference":
        return _lost(item["id"])
    absent = next((key for key in NEEDED.get(kind, ()) if item.get(key) is None), None)
    if absent is not None:
        return missing(f"{param}.{absent}")
    if (script := _refuse_ids(item, kind, param)) is not None:
        return script
    return _refuse_message(item, param) if kind == "message" else None


def _refuse_ids(item: dict, kind: str, param: str) -> Script | None:
    for key in ("id", "call_id"):
        value = item.get(key)
        if isinstance(value, str) and len(value) > MOST_CALL_ID_CHARACTERS:
            text = (
                f"Invalid '{param}.{key}': string too long. Expected a string with maximum length "
                f"{MOST_CALL_ID_CHARACTERS}, but got a string with length {len(value)} instead."
            )
            return bad(text, f"{param}.{key}", "string_above_max_length")
    prefix, found = ID_PREFIXES.get(kind), item.get("id")
    if prefix is not None and isinstance(found, str) and not found.startswith(prefix):
        text = f"Invalid '{param}.id': '{found}'. Expected an ID that begins with '{prefix}'."
        return bad(text, f"{param}.id", "invalid_value")
    return None


def _refuse_message(item: dict, param: str) -> Script | None:
    role, content = item.get("role"), item.get("content")
    if role not in ROLES:
        return invalid_value(f"{param}.role", role, ROLES)
    if content is None:
        return missing(f"{param}.content")
    allowed = SAID_BY if role == "assistant" else SAID_TO
    for at, part in enumerate(content if isinstance(content, list) else ()):
        place = f"{param}.content[{at}]"
        if part.get("type") not in allowed:
            return invalid_value(place, part.get("type"), allowed)
        if part["type"] == "input_image" and not isinstance(part.get("image_url"), str | None):
            text = f"Invalid type for '{place}.image_url': expected an image URL, but got an object instead."
            return bad(text, f"{place}.image_url", "invalid_type")
    return None


def _refuse_thought(item: dict, after: list, model: str, api_key: str | None) -> Script | None:
    """A thought comes back to the account and model that had it, and before what it led to."""
    sealed = item.get("encrypted_content")
    if sealed is None:
        return _lost(item.get("id"))
    owner = read_seal(sealed)
    if owner is None:
        reason = "Encrypted content could not be decrypted or parsed."
    elif api_key is not None and owner.key != api_key:
        reason = "Encrypted content organization_id did not match the target organization."
    elif owner.model != model:
        reason = "Encrypted content model did not match the target model."
    elif not after or after[0].get("role") in SAID_BEFORE or str(after[0].get("type")).endswith("_output"):
        text = (
            f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
        )
        return bad(text, "input")
    else:
        return None
    text = f"The encrypted content for item {item.get('id')} could not be verified. Reason: {reason}"
    return bad(text, None, "invalid_encrypted_content")


def _refuse_calls(items: list[dict]) -> Script | None:
    called: dict[tuple[str, str], bool] = {}  # whether it was answered
    for item in items:
        kind = item.get("type")
        if kind in RESULTS.values():
            called[kind, item["call_id"]] = False
        elif kind in RESULTS:
            name = RESULTS[kind]
            if (name, item["call_id"]) not in called:
                said = f"No tool call found for {_words(name)} output with call_id {item['call_id']}."
                return bad(said, "input")
            called[name, item["call_id"]] = True
    for (name, call_id), is_answered in called.items():
        if not is_answered:
            return bad(f"No tool output found for {_words(name)} {call_id}.", "input")
    return None


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _lost(item_id: object) -> Script:
    text = (
        f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false. Try again with "
        "`store` set to true, or remove this item from your input."
    )
    return error(404, text, type="invalid_request_error", param="input")
