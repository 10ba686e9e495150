"""What clients are asked in more than one file of tests, and what must have come of it."""

from pathlib import Path

from pydantic import BaseModel

HELLO = "Hello from the other side of the wire."
NUMBERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
MULTIPLY = {"name": "multiply", "description": "Multiply two numbers.", "parameters": NUMBERS}
NAME_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
CITY = '{"name": "Bern", "inhabitants": 140000}'
ECHO = "echo tool-ran-$((40+2)) | tee "
"""With a file behind it. The shell works out the 42: neither prompt nor model could quote it else."""


class City(BaseModel):
    name: str
    inhabitants: int


BERN = City(name="Bern", inhabitants=140_000)


def assert_ran(said: str, proof: Path) -> None:
    """The shell ran ECHO, and the model was told what it wrote."""
    assert "tool-ran-42" in said
    assert proof.read_text() == "tool-ran-42\n"
