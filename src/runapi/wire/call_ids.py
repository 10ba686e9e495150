"""The ids of calls, where an upstream takes only some: the same for a call and its result, and another for each call."""

import re
from hashlib import sha256

_LEGAL = re.compile(r"[A-Za-z0-9_-]{1,64}")


def legal_call_id(call_id: str) -> str:
    """Give the id as it is where Responses and Messages take it (64 letters, digits, `_`, `-`), else one made of it."""
    if _LEGAL.fullmatch(call_id):
        return call_id
    return f"call_{sha256(call_id.encode()).hexdigest()[:48]}"
