"""What of an answer went to the client, for counting it here should the upstream not count."""

MOST_TEXT_KEPT = 64 * 1024  # characters


class Delivery:
    """The delivered part of an answer: what every stream to a client is, whatever its dialect."""

    __slots__ = ("_text_length", "_texts", "delivers")
    is_stopped = False  # all of the answer was sent but its end: what the upstream still says changes nothing of it

    def __init__(self) -> None:
        self.delivers = False  # something to read went to the client: no other attempt can be made
        self._texts: list[str] = []
        self._text_length = 0

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
