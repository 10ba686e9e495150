"""What of an answer went to the client, for counting it here should the upstream not count."""

MOST_TEXT_KEPT = 64 * 1024  # characters


class Delivery:
    """The delivered part of an answer: what every stream to a client is, whatever its dialect."""

    __slots__ = ("_text_length", "_texts", "delivers", "is_capped")

    def __init__(self) -> None:
        self.delivers = False  # something to read went to the client: no other attempt can be made
        self.is_capped = False  # the upstream ended the answer at its output limit
        self._texts: list[str] = []
        self._text_length = 0

    @property
    def is_stopped(self) -> bool:
        """Whether the client has all of the answer but its end: what the upstream still says adds nothing to it."""
        return False

    @property
    def text(self) -> str:
        """The delivered text, its first MOST_TEXT_KEPT characters or a little more."""
        return "".join(self._texts)

    @property
    def text_length(self) -> int:
        """Characters of the delivered text, all of it."""
        return self._text_length

    def _add_text(self, text: str) -> None:
        self.delivers = True
        if self._text_length < MOST_TEXT_KEPT:
            self._texts.append(text)
        self._text_length += len(text)
