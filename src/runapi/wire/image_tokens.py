"""What an image costs in input tokens: 1.2 for each 32 x 32 patch, after it was fitted into limits (api.md 7).

The size is read from the first bytes of a data URL. An image behind a link is never fetched.
"""

import binascii
import math
from enum import StrEnum
from typing import NamedTuple

UNKNOWN_IMAGE = 1_229
"""For an image whose size cannot be read: that of 1024 x 1024."""

_PATCH = 32
_TOKENS_PER_10_PATCHES = 12
_HEAD_BASE64 = 256 * 1024  # a JPEG may have some 64 KB of camera data before its size
_MOST_PIXELS_A_SIDE = 1_000_000


class Detail(StrEnum):
    """How closely the model looks."""

    LOW = "low"
    HIGH = "high"
    ORIGINAL = "original"


class Limits(NamedTuple):
    """The longest side in pixels, and the most patches."""

    side: int
    patches: int


LIMITS = {
    Detail.LOW: Limits(512, 2_500),
    Detail.HIGH: Limits(2_048, 2_500),
    Detail.ORIGINAL: Limits(6_000, 10_000),
}


def count_image(url: object, detail: object, auto_detail: Detail = Detail.HIGH) -> int:
    """Count an image given as a URL of any kind; anything unreadable counts as `UNKNOWN_IMAGE`."""
    size = read_size(_head(url)) if isinstance(url, str) else None
    if size is None or not all(0 < side <= _MOST_PIXELS_A_SIDE for side in size):
        return UNKNOWN_IMAGE
    known = detail if isinstance(detail, str) and detail in LIMITS else auto_detail
    return count_patches(*size, LIMITS[Detail(known)])


def count_patches(width: int, height: int, limits: Limits) -> int:
    """Fit `width` x `height` into `limits` and count its patches in tokens, rounded up."""
    longest = max(width, height)
    if longest > limits.side:
        width, height = (max(1, side * limits.side // longest) for side in (width, height))
    across, down = -(-width // _PATCH), -(-height // _PATCH)
    if across * down > limits.patches:
        shrink = math.sqrt(limits.patches / (across * down))
        across, down = max(1, int(across * shrink)), max(1, int(down * shrink))
    return -(-across * down * _TOKENS_PER_10_PATCHES // 10)


def read_size(head: bytes) -> tuple[int, int] | None:
    """Read width and height from the beginning of a PNG, GIF, WebP or JPEG file."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return _big(head[16:20]), _big(head[20:24])
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        return _little(head[6:8]), _little(head[8:10])
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp_size(head)
    return _jpeg_size(head) if head.startswith(b"\xff\xd8") else None


def _head(url: str) -> bytes:
    """Decode the beginning of a base64 data URL; of anything else, nothing."""
    comma = url.find(",", 0, 200)
    if not url.startswith("data:") or not url[:comma].endswith(";base64"):
        return b""
    try:
        return binascii.a2b_base64(url[comma + 1 : comma + 1 + _HEAD_BASE64].rstrip("=") + "==")
    except ValueError:
        return b""


def _webp_size(head: bytes) -> tuple[int, int] | None:
    match head[12:16]:
        case b"VP8X":
            return _little(head[24:27]) + 1, _little(head[27:30]) + 1
        case b"VP8L":
            bits = _little(head[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return _little(head[26:28]) & 0x3FFF, _little(head[28:30]) & 0x3FFF
        case _:
            return None


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """Walk the segments to the frame header (SOF0 to SOF15, of which C4, C8 and CC are something else)."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return _big(head[at + 7 : at + 9]), _big(head[at + 5 : at + 7])
        at += 1 if marker == 0xFF else 2 + max(2, _big(head[at + 2 : at + 4]))
    return None


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
