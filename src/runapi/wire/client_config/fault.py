"""What a configuration file cannot be used for, and where."""


class ConfigFault(ValueError):  # noqa: N818 - a fault of somebody's file, not an error of ours
    """A file that must not be changed by a program; the text says what is wrong there."""

    def __init__(self, line: int, what: str) -> None:
        """Take the line, counted from 1; 0 where no line is to blame."""
        super().__init__(f"line {line}: {what}" if line else what)
        self.line = line
        self.what = what


def line_of(text: str, position: int) -> int:
    """The line that the character at `position` stands in, counted from 1."""
    return text.count("\n", 0, position) + 1
