"""A `.env` file: what OpenAI's libraries and most programs built on them read from the environment."""

import re

from runapi.wire.client_config.fault import ConfigFault
from runapi.wire.client_config.wanted import Wanted

_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=\[\]-]*")


def variables(wanted: Wanted) -> dict[str, str]:
    """The variables by name."""
    key = wanted.key or ""
    return {
        "OPENAI_BASE_URL": wanted.offer.base_url,
        "OPENAI_API_KEY": key,
        wanted.variable: key,
    }


def connect_env(old: str, wanted: Wanted) -> str:
    """The new text of the file: a variable that it has is changed on its line, another is added at the end.

    Raises:
        ConfigFault: the address or the key cannot stand in such a file.
    """
    newline = "\r\n" if "\r\n" in old else "\n"
    lines = old.splitlines()
    for name, value in variables(wanted).items():
        if not _PLAIN.fullmatch(value):
            raise ConfigFault(0, f"the value of {name} has characters that programs read differently")
        at = [
            number for number, line in enumerate(lines) if (found := _LINE.match(line)) and found[1] == name
        ]
        if at:
            head = lines[at[-1]]
            lines[at[-1]] = head[: head.index("=") + 1] + value
        else:
            lines.append(f"{name}={value}")
    return newline.join(lines) + newline
