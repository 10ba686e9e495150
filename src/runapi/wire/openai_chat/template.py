"""The chunk that a stream repeats: all of them are alike but for the text they add, and the padding behind it.

Once such a chunk was read and written anew, the next ones need no reading: the bytes before, between and behind are
known, with what takes their place for the client. What stands between them must be a JSON string, which cannot be
mistaken: a quote inside a string is always escaped, and a line end always is.
"""

import re

import msgspec

from runapi.wire.openai_chat.chunk import read_chunk, text_of
from runapi.wire.openai_chat.request import NULL

_MOST_BYTES = 4096  # of a chunk that is looked at
_TEXT = re.compile(
    rb'"(?:content|arguments|input|refusal|reasoning|reasoning_content)"\s*:\s*("(?:[^"\\]|\\.)+")'
)
_PADDING = re.compile(rb'"obfuscation"\s*:\s*("(?:[^"\\]|\\.)*")')
_PROBE = "~text~"
_GAP = re.compile(rb'"~text~"|"~padding~"')
_decode_text = msgspec.json.Decoder(str).decode


class Template(msgspec.Struct, frozen=True):
    """A chunk with gaps for its text and, if `behind` is not empty, its padding.

    The quotes around a gap stand in `before`, `between` and `behind`, and not in ours.
    """

    before: bytes
    between: bytes
    behind: bytes
    ours_before: bytes
    ours_between: bytes
    ours_behind: bytes

    def take(self, data: bytes, at: int) -> tuple[bytes, str, int] | None:
        """Read the event at `at`: give what the client gets, the text in it and where it ends.

        None: it is another one, adds nothing, or is not whole yet.
        """
        before, between, behind = self.before, self.between, self.behind
        if not data.startswith(before, at):
            return None
        start = at + len(before) - 1
        end = data.find(between, start + 1) + 1
        if not end:
            return None
        text, padding = data[start:end], b""
        at = end + len(between) - 1
        try:
            added = _decode_text(text)
            if behind:
                end = data.find(behind, at) + 1
                padding = data[at - 1 : end]
                _decode_text(padding)
                at = end + len(behind) - 1
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if not added:
            return None
        return b"".join((self.ours_before, text, self.ours_between, padding, self.ours_behind)), added, at


def learn_template(event: bytes, renames: list[tuple[bytes, bytes]], marks: list[bytes]) -> Template | None:
    """Make a template of a chunk for whose bytes `renames` was made; None: it can be none.

    Guarantees that another chunk that fits it does no more than to add its text, as reading it in whole would tell.

    Args:
        event: the chunk, as the upstream sent it.
        renames: what to replace for the client.
        marks: what a chunk must hold for `renames` to fit it.
    """
    probe = _with_gaps(event)
    if probe is None or not _adds_only_its_text(probe) or not all([mark in probe for mark in marks]):  # noqa: C419 - a list is faster
        return None
    written = theirs = b"data: %b\n\n" % probe
    for old, new in renames:
        written = written.replace(old, new)
    match _GAP.split(theirs), _GAP.split(written):
        case [before, between], [ours_before, ours_between]:
            return Template(before + b'"', b'"' + between, b"", ours_before, ours_between, b"")
        case [before, between, behind], [ours_before, ours_between, ours_behind]:
            return Template(
                before + b'"', b'"%b"' % between, b'"' + behind, ours_before, ours_between, ours_behind
            )
        case _:  # a name of ours looks like a gap
            return None


def _with_gaps(event: bytes) -> bytes | None:
    """Put words of our own in the place of the text and the padding."""
    if len(event) > _MOST_BYTES or b"\n" in event or _GAP.search(event):
        return None
    text = _TEXT.search(event)
    if text is None:
        return None
    padding = _PADDING.search(event, text.end())
    if padding is not None:
        event = b'%b"~padding~"%b' % (event[: padding.start(1)], event[padding.end(1) :])
    return b'%b"~text~"%b' % (event[: text.start(1)], event[text.end(1) :])


def _adds_only_its_text(probe: bytes) -> bool:
    read = read_chunk(probe)
    if read is None:
        return False
    chunk, choices = read[0], read[0].choices or []
    return (
        len(choices) == 1
        and not choices[0].finish_reason
        and not choices[0].delta.role
        and chunk.usage == NULL
        and chunk.error == NULL
        and text_of(choices) == _PROBE
    )
