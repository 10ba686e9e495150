"""Take out of a Messages request what the model it is translated for refuses, by the catalogue's data alone."""

import msgspec

from runapi.core.catalog import Model
from runapi.wire.neutral import Asked
from runapi.wire.normalise import clamp_effort


def normalise_asked(asked: Asked, model: Model) -> tuple[Asked, tuple[str, ...]]:
    """Give what may be asked of `model`, and what is left out though it asks for something.

    Stop sequences stay: what refuses them is an upstream, and they are enforced on the answer's way.
    """
    dropped: list[str] = []
    in_effect = clamp_effort(asked.effort, model, "thinking", dropped)
    refused = model.refuses(in_effect)
    temperature, top_p = asked.temperature, asked.top_p
    if temperature is not None and "temperature" in refused:
        dropped += [] if temperature == 1 else ["temperature"]
        temperature = None
    if top_p is not None and "top_p" in refused:
        dropped += [] if top_p == 1 else ["top_p"]
        top_p = None
    changed = msgspec.structs.replace(
        asked, effort=None if asked.effort is None else in_effect, temperature=temperature, top_p=top_p
    )
    return changed, tuple(dropped)
