"""A whole reply of an endpoint that is passed through: its bytes for the client, and what it says of its cost."""

from collections.abc import Callable

import msgspec
from msgspec import Raw

from runapi.core.usage import Usage
from runapi.wire.members import replace_members
from runapi.wire.splice import as_written, with_cost, with_usage_value

_MODEL_KEY = b'"model"'
_ESCAPED = rb"\u006"  # so begins each letter of that key where it is written with escapes


class PassedReply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply; `body` is as the upstream sent it."""

    body: bytes
    model: str | None
    delivers: bool
    is_capped: bool = False  # the upstream ended the answer at its output limit
    written: str = ""  # what the model wrote
    raw_usage: bytes | None = None
    usage: Usage | None = None  # None: missing, or not to be believed
    service_tier: str | None = None
    write_usage: Callable[[Usage], bytes] | None = None  # None: replies of this kind have no usage

    def render(self, model: str, cost_usd: str, usage: Usage) -> bytes:
        """Write the reply for the client: its own name for the model, the cost in `usage`, all else untouched.

        `usage` stands in where the upstream sent none that can be believed.
        """
        body = self.body
        if self.model is not None and self.model != model:
            body = _with_model(body, self.model, model)
        if self.write_usage is None:
            return body
        if self.usage is not None and self.raw_usage is not None:
            return with_usage_value(body, self.raw_usage, with_cost(self.raw_usage, cost_usd))
        fields = msgspec.json.decode(body, type=dict[str, Raw])
        fields["usage"] = Raw(with_cost(self.write_usage(usage), cost_usd))
        return msgspec.json.encode(fields)

    def text(self) -> str:
        """All that was written, for counting it here."""
        return self.written


def _with_model(body: bytes, theirs: str, ours: str) -> bytes:
    written = as_written(body, b"model", theirs)
    name = msgspec.json.encode(ours)
    if written and body.count(_MODEL_KEY) == 1 and _ESCAPED not in body:
        return body.replace(written, b'"model":%b' % name, 1)
    return replace_members(body, {"model": name})  # one of several, or with escapes that need not be there
