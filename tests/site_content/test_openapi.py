"""The OpenAPI file tells the truth about the server: its paths, its answers, its errors."""

import json
import re

import jsonschema
import pytest
import yaml

from fakes import http
from fakes.server import Gateway
from site_content.api_file import (
    FILE,
    api,
    described,
    faults,
    operations,
    resolve,
    schema_of,
    served,
    texts,
    undescribed,
)
from site_content.fences import CONTENT

MODEL = "gpt-5.5"
HELLO = {"role": "user", "content": "Hello!"}
CHAT = {"model": MODEL, "messages": [HELLO]}
BODIES: dict[str, object] = {
    "createChatCompletion": CHAT,
    "createResponse": {"model": MODEL, "input": "Hello!"},
    "countResponseInput": {"model": MODEL, "input": "Hello!"},
    "createMessage": {**CHAT, "max_tokens": 100},
    "countMessageTokens": CHAT,
    "createEmbedding": {"model": "text-embedding-3-small", "input": ["Hello!"]},
    "createCompletion": {"model": "gpt-3.5-turbo-instruct", "prompt": "Hello!"},
    "createModeration": {"input": "Hello!"},
    "estimate": CHAT,
}
NEEDS_MORE = {
    "listChatCompletions": "nothing: it always refuses",
    "cancelResponse": "nothing: it always refuses",
    "redeem": "a code",
    "openTopUp": "a payment provider",
    "retrieveTopUp": "a payment provider",
}
"""Operations whose 200 is not seen here, and what it would take."""

CALLED = [
    operation["operationId"] for _, _, operation in operations() if operation["operationId"] not in NEEDS_MORE
]
API_PAGES = sorted(path for path in CONTENT.glob("*/docs/api-reference.md") if path.parents[1].name != "en")


def test_file_and_routes_name_the_same_paths_and_methods():
    assert described() == served()


def test_file_is_sound():
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in api()["tags"]}
    assert {tag for _, _, operation in operations() for tag in operation["tags"]} == tags
    for reference in re.findall(r'\$ref: "([^"]+)"', FILE.read_text("utf-8")):
        resolve({"$ref": reference})
    for schema in api()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_key_has_a_value():
    """A comma in a sentence that nobody quoted begins another key, without a value."""

    def empty(value: object, place: str) -> list[str]:
        if isinstance(value, dict):
            return [fault for key, inner in value.items() for fault in empty(inner, f"{place}/{key}")]
        return [place] if value is None else []

    assert empty(api(), "") == []


def test_parameters_of_paths_are_described():
    for _, path, operation in operations():
        given = [*api()["paths"][path].get("parameters", []), *operation.get("parameters", [])]
        named = {one["name"] for one in map(resolve, given) if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path)), path


# ---- what the server answers -----------------------------------------------------------------------------


class Caller:
    """Calls operations by their names, as the file describes them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._by_name = {
            operation["operationId"]: (method, path, operation) for method, path, operation in operations()
        }
        self._ids = {"model": MODEL}

    def call(self, name: str, key: str | None = None) -> http.Response:
        """Call an operation; what it needs to exist is made before."""
        method, path, _ = self._by_name[name]
        for parameter in re.findall(r"\{(\w+)\}", path):
            path = path.replace(f"{{{parameter}}}", self._id(parameter))
        headers = {"authorization": f"Bearer {key or self._gateway.test_key}"}
        if key == "":
            headers = {}
        body = BODIES.get(name)
        given = {} if method != "POST" else {"json": body if body is not None else {}}
        return http.request(self._gateway.url, method, path, headers=headers, **given)

    def operation(self, name: str) -> dict:
        return self._by_name[name][2]

    def _id(self, parameter: str) -> str:
        if parameter == "request_id":
            return self.call("createChatCompletion").headers["x-request-id"]
        if parameter == "response_id":
            return str(json.loads(self.call("createResponse").body)["id"])
        return self._ids.get(parameter, "unknown")


@pytest.fixture
def caller(rich_gateway: Gateway) -> Caller:
    return Caller(rich_gateway)


@pytest.mark.parametrize("name", CALLED)
def test_answers_are_as_described(caller: Caller, name: str):
    answer = caller.call(name)
    assert answer.status == 200, answer.body
    value = json.loads(answer.body)
    schema = schema_of(caller.operation(name), "200")
    assert not faults(schema, value)


OURS = [
    name for name in CALLED if not name.startswith(("create", "count", "retrieveResponse", "listResponse"))
]


@pytest.mark.parametrize("name", OURS)
def test_answers_of_our_own_say_nothing_undescribed(caller: Caller, name: str):
    value = json.loads(caller.call(name).body)
    assert not undescribed(schema_of(caller.operation(name), "200"), value)


@pytest.mark.parametrize("name", [operation["operationId"] for _, _, operation in operations()])
def test_who_needs_a_key_is_as_described(caller: Caller, name: str):
    operation = caller.operation(name)
    answer = caller.call(name, key="")
    if operation.get("security") == []:
        assert answer.status == 200
    else:
        assert answer.status == 401
        assert not faults(schema_of(operation, "default"), json.loads(answer.body))


def test_file_is_served_with_the_address_of_this_server(gateway: Gateway):
    given = http.request(gateway.url, "GET", "/openapi.yaml")
    assert given.status == 200
    read = yaml.safe_load(given.body)
    assert read["servers"] == [{"url": gateway.url}]
    assert read["paths"] == api()["paths"]
    assert json.loads(http.request(gateway.url, "GET", "/openapi.json").body) == read


def test_other_languages_translate_all_of_it():
    missing = {
        f"{page.parents[1].name}: {said}"
        for page in API_PAGES
        for text in (page.read_text("utf-8"),)
        for said in texts()
        if f'"{said}":' not in text
    }
    assert missing == set()
