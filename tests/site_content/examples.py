"""Whether the JSON that a page shows is like what its command really printed."""

import json

_decoder = json.JSONDecoder()
OTHER_EACH_TIME = ("request_id",)


def find_json(printed: str) -> object | None:
    """The last JSON object that a command printed, perhaps behind its headers; None where there is none."""
    for begin, line in reversed(list(_line_starts(printed))):
        if line.startswith("{"):
            try:
                return _decoder.raw_decode(printed[begin:])[0]
            except json.JSONDecodeError:
                continue
    return None


def _line_starts(text: str) -> list[tuple[int, str]]:
    starts, at = [], 0
    for line in text.splitlines(keepends=True):
        starts.append((at, line))
        at += len(line)
    return starts


def differences(shown: object, real: object, place: str = "$") -> list[str]:
    """Where an example lacks a key, has one too many, or, in an error, another text."""
    if isinstance(shown, dict) and isinstance(real, dict):
        found = [f"{place}.{key} is not in the answer" for key in shown.keys() - real.keys()]
        found += [f"{place}.{key} is not in the example" for key in real.keys() - shown.keys()]
        for key in shown.keys() & real.keys():
            found += differences(shown[key], real[key], f"{place}.{key}")
        return found
    if isinstance(shown, list) and isinstance(real, list):
        return differences(shown[0], real[0], f"{place}[0]") if shown and real else []
    if isinstance(shown, (dict, list)) != isinstance(real, (dict, list)) and None not in (shown, real):
        return [f"{place} is {real!r} in the answer"]
    if ".error." in place and shown != real:
        return [f"{place} is {real!r} in the answer, and {shown!r} in the example"]
    return []


def is_error(answer: object) -> bool:
    """Whether an answer is a refusal, in OpenAI's shape or in Anthropic's."""
    return isinstance(answer, dict) and isinstance(answer.get("error"), dict)
