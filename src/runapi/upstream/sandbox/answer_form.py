"""The form in which a request wants its answer: JSON by a schema, or any JSON."""

from runapi.core.problems import missing_parameter
from runapi.upstream.sandbox.chat_messages import Message, text_of
from runapi.upstream.sandbox.fields import Fields, need_object, read_flag, read_name
from runapi.upstream.sandbox.strict_schema import check_strict
from runapi.upstream.sandbox.turns import Form

FORMATS = ("text", "json_object", "json_schema")


def says_json(messages: list[Message]) -> bool:
    """Whether the model is told that it has to write JSON."""
    return any("json" in text_of(message).lower() for message in messages)


def read_schema(wanted: Fields, param: str, *, blamed: str) -> Form:
    """The JSON of one schema.

    Args:
        wanted: the name, the schema, and whether to keep to it strictly.
        param: where they stand.
        blamed: the parameter that a schema which is no strict one is blamed on.

    Raises:
        Problem: 400, one of them is missing or wrong.
    """
    name = read_name(wanted, param)
    if "schema" not in wanted:
        raise missing_parameter(f"{param}.schema")
    schema = need_object(wanted["schema"], f"{param}.schema")
    if read_flag(wanted, "strict"):
        check_strict(schema, f"response_format '{name}'", blamed, "invalid_json_schema")
    return Form(name, schema)
