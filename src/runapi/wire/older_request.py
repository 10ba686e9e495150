"""A request to one of the older endpoints: some text to read, and a model that is made for it."""

from typing import ClassVar

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.core.admission import RequestShape
from runapi.wire.openai_chat.request import Fields, read_text
from runapi.wire.text_input import TextInput


class OlderRequest(msgspec.Struct, frozen=True):
    """A request whose fields have the right types; unknown ones go upstream as they are."""

    outside_the_input: ClassVar[frozenset[str]] = frozenset()
    """The fields that the model does not read."""

    fields: Fields
    model: str
    input: TextInput
    stream: bool = False
    wants_usage: bool = False  # the client asked for the usage chunk of a stream
    output_cap: int = 0  # for each answer
    choices: int = 1  # answers made, of all texts
    most_reply_bytes: int | None = None  # how long the reply may be, where that is longer than others

    @property
    def shape(self) -> RequestShape:
        """What decides how much it can cost: a token of its input is at least a byte."""
        outside = self.outside_the_input
        size = sum([len(raw) for name, raw in self.fields.items() if name not in outside])
        texts = len(self.input)
        return RequestShape(text_bytes=size, texts=texts, output_cap=self.output_cap, choices=self.choices)

    def encode(self, model: str, _output_cap: int | None = None) -> bytes:
        """Write the body for one upstream, with its name for the model."""
        return msgspec.json.encode(self.sent(model))

    def sent(self, model: str) -> Fields:
        """The fields for one upstream, with its name for the model."""
        fields = {name: raw for name, raw in self.fields.items() if name != "max_cost"}
        return fields | {"model": Raw(msgspec.json.encode(model))}


def read_model(fields: Fields) -> str:
    """Read the model's name.

    Raises:
        Problem: 400, there is none.
    """
    model = read_text(fields, "model")
    if model is None:
        raise problems.missing_parameter("model")
    return model
