"""Take out of a Messages request what the model it is translated for refuses, by the catalogue's data alone."""

import msgspec

from runapi.core.catalog import Model
from runapi.wire.neutral import Asked
from runapi.wire.normalise import nearest_effort


def normalise_asked(asked: Asked, model: Model) -> tuple[Asked, tuple[str, ...]]:
    """Give what may be asked of `model`, and what is left out though it asks for something.

    Stop sequences stay: what refuses them is an upstream, and they are enforced on the answer's way.
    """
    dropped: list[str] = []
    effort = asked.effort
    if effort is not None:
        if not model.efforts:
            if effort != "none":
                dropped.append("thinking")
            effort = None
        else:
            effort = nearest_effort(effort, model.efforts)
    in_effect = effort if effort is not None else model.default_effort
    refused = model.refused
    if in_effect not in (None, "none"):
        refused += model.refused_when_reasoning
    temperature, top_p = asked.temperature, asked.top_p
    if temperature is not None and "temperature" in refused:
        dropped += [] if temperature == 1 else ["temperature"]
        temperature = None
    if top_p is not None and "top_p" in refused:
        dropped += [] if top_p == 1 else ["top_p"]
        top_p = None
    changed = msgspec.structs.replace(asked, effort=effort, temperature=temperature, top_p=top_p)
    return changed, tuple(dropped)
