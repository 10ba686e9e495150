"""The hash chain: no row can be changed, lost or put in between without every later hash being wrong.

hash = SHA-256(previous hash, 32 bytes || numbers || texts). The first row follows 32 zero bytes.

- numbers, big-endian: seq (signed, 8 bytes), tid (16 bytes), then signed, 8 bytes each: debit, credit, amount,
  price_version, cost_pico, node, epoch, at_us; then the byte lengths of the seven texts, unsigned, 4 bytes each.
- texts, UTF-8, one after the other: mode, kind, request_id, usage, usage_source, reason, reference.

Everything before the texts has a fixed width and the texts' lengths stand there, so two rows never have the same bytes.
"""

import struct
from hashlib import sha256
from typing import Any

_pack = struct.Struct(">q16s8q7I").pack
_TID_BYTES = 16


def row_hash(previous: bytes, row: tuple[Any, ...]) -> bytes:
    """Hash a row, in the order of Transfer's fields, onto the hash of the one before it; its own hash is left out.

    Raises:
        ValueError: a value does not fit its place, so that the row cannot be one of ours.
    """
    seq, tid, mode, kind, debit, credit, amount, request_id, price_version, cost_pico = row[:10]
    usage, usage_source, reason, reference, node, epoch, at_us = row[10:17]
    texts = (mode, kind, request_id, usage, usage_source, reason, reference)
    try:
        together = "".join(texts)
        if not together.isascii():  # count bytes, not characters
            mode, kind, request_id, usage, usage_source, reason, reference = map(str.encode, texts)
        numbers = _pack(
            seq,
            tid,
            debit,
            credit,
            amount,
            price_version,
            cost_pico,
            node,
            epoch,
            at_us,
            len(mode),
            len(kind),
            len(request_id),
            len(usage),
            len(usage_source),
            len(reason),
            len(reference),
        )
        if len(tid) != _TID_BYTES:
            raise ValueError("a tid has 16 bytes")  # pack would cut or fill it up in silence
    except (struct.error, TypeError) as fault:
        raise ValueError(str(fault)) from fault
    return sha256(previous + numbers + together.encode()).digest()
