"""The types of a Responses request's tools, by which they are sold or not: a tool may cost more than its name says."""

import msgspec
from msgspec import Raw

from runapi.core.hosted_tools import CHARGED_TOOLS, charged_name
from runapi.wire.openai_chat.request import NULL

LOCAL_SHELL = "local_shell"
"""The client's own shell, under the name that it had first: the tool `shell` is this, or runs in a container."""

_CLIENTS_OWN = ("function", "custom")


class TypedTool(msgspec.Struct, gc=False):
    """A tool, as far as it decides what it can cost."""

    type: str
    environment: Raw = NULL  # of a shell: whose machine
    tools: Raw = NULL  # of a namespace


class _Typed(msgspec.Struct):
    type: str = ""


_decode_environment = msgspec.json.Decoder(_Typed).decode
_decode_tools = msgspec.json.Decoder(list[_Typed]).decode


def type_of(tool: TypedTool) -> str:
    """The type by which a tool is judged: another one than its own where it would run, and cost, at the upstream."""
    kind = tool.type
    if kind in _CLIENTS_OWN:
        return kind
    if kind == "shell":
        return kind if _is_in_a_container(tool.environment) else LOCAL_SHELL
    if kind == "namespace":
        return next((inner for inner in _types_in(tool.tools) if inner in CHARGED_TOOLS), kind)
    return charged_name(kind)


def _is_in_a_container(environment: Raw) -> bool:
    """Whether a shell runs at the upstream; so does one of an environment that is not known here."""
    if environment == NULL:
        return False
    try:
        return _decode_environment(environment).type != "local"
    except msgspec.ValidationError:
        return True


def _types_in(tools: Raw) -> list[str]:
    """The types of the tools in a namespace, which should be the client's own."""
    try:
        return [charged_name(tool.type) for tool in _decode_tools(tools)]
    except msgspec.ValidationError:
        return []
