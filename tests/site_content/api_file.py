"""The OpenAPI file, and what its page is made of."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from runapi.web.routes import ROUTES, Who
from site_content.fences import SITE

FILE = SITE / "openapi.yaml"
METHODS = ("get", "post", "delete")
_PARAMETER = re.compile(r"\{[^}]*\}")


@functools.cache
def api() -> dict[str, Any]:
    """The file as objects."""
    return yaml.safe_load(FILE.read_text("utf-8"))


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every method of every path, with what the file says of it."""
    for path, item in api()["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def described() -> set[tuple[str, str]]:
    """The methods and paths of the file, whatever it calls their parameters."""
    return {(method, _PARAMETER.sub("{}", path)) for method, path, _ in operations()}


def served() -> set[tuple[str, str]]:
    """The methods and paths that the server answers for customers and for everybody."""
    public = [route for route in ROUTES if route.who is not Who.OPERATOR and not route.is_secret]
    paths = [
        (route.method, route.path + "{}" if route.path.endswith("/") else route.path) for route in public
    ]
    return {(method, _PARAMETER.sub("{}", path)) for method, path in paths}


def resolve(given: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for."""
    found = given
    while "$ref" in found:
        target: Any = api()
        for part in found["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        found = target
    return found


def schema_of(operation: dict[str, Any], status: str) -> dict[str, Any]:
    """The schema of an answer in JSON."""
    answer: dict[str, Any] = resolve(operation["responses"][status])["content"]["application/json"]["schema"]
    return answer


def faults(schema: dict[str, Any], value: object) -> list[str]:
    """What of a value its schema does not allow."""
    validator = jsonschema.Draft202012Validator({**schema, "components": api()["components"]})
    return [f"{fault.json_path}: {fault.message[:300]}" for fault in validator.iter_errors(value)]


def undescribed(given: dict[str, Any], value: object, place: str = "$") -> list[str]:
    """The keys of a value that its schema, where it names keys at all, does not name."""
    schema = resolve(given)
    found: list[str] = []
    for one in schema.get("anyOf", []):
        if value is not None and resolve(one).get("type") != "null":
            found += undescribed(one, value, place)
    if isinstance(value, dict) and "properties" in schema:
        others = schema.get("additionalProperties")
        for key, inner in value.items():
            if key in schema["properties"]:
                found += undescribed(schema["properties"][key], inner, f"{place}.{key}")
            elif not isinstance(others, dict):
                found.append(f"{place}.{key}")
    elif isinstance(value, list) and value and "items" in schema:
        found += undescribed(schema["items"], value[0], f"{place}[0]")
    return found


def texts() -> set[str]:
    """Every sentence and word of the page that another language has to translate."""
    said = set(_words(SITE / "templates" / "content_macros.md.j2"))
    said |= {tag["name"] for tag in api()["tags"]}
    for _, path, operation in operations():
        said.add(operation["summary"])
        parameters = [*api()["paths"][path].get("parameters", []), *operation.get("parameters", [])]
        answers = [given for status, given in operation["responses"].items() if status != "default"]
        said |= {resolve(given)["description"] for given in (*parameters, *answers)}
    for schema in api()["components"]["schemas"].values():
        said |= set(_descriptions(schema))
    return said


def _words(macros: Path) -> list[str]:
    [found] = re.findall(r"set api_reference_words = \((.*?)\)", macros.read_text("utf-8"), re.DOTALL)
    return re.findall(r'"([^"]+)"', found)


def _descriptions(schema: dict[str, Any]) -> Iterator[str]:
    if "description" in schema:
        yield schema["description"]
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    for one in inner:
        yield from _descriptions(one)
