"""Check a receipt from nothing but its file: form, arithmetic, signature, and the day it is bound into."""

from typing import NamedTuple

import msgspec

from runapi.core.merkle import root_of_path
from runapi.core.money import PICO_PER_NANO, nano_from_pico, usd
from runapi.core.receipts import (
    KINDS,
    MOST_BYTES,
    RECEIPT_SEAL,
    ROOT_SEAL,
    VERSION,
    Inclusion,
    Receipt,
    SignedReceipt,
    canonical,
    receipt_leaf,
    signature_fits,
)

_MOST_WORDS = 300


class Verdict(NamedTuple):
    """What came of a check: `fault` is one sentence, or None where all is well."""

    fault: str | None
    signed: SignedReceipt | None = None


def check_receipt(file: bytes, public_key: bytes | None = None) -> Verdict:
    """Check the bytes of a receipt's file.

    Args:
        file: canonical JSON, with or without a newline at its end.
        public_key: the service's key, from a place that the customer trusts; None checks the receipt against the key
            that stands in it, which shows that nothing was changed, but not who signed it.
    """
    if len(file) > MOST_BYTES:
        return Verdict(f"The file is no receipt: it has more than {MOST_BYTES} bytes.")
    text = file.removesuffix(b"\n")
    try:
        signed = msgspec.json.decode(text, type=SignedReceipt)
    except msgspec.ValidationError as fault:
        return Verdict(_other_form(text) or f"The file is no receipt of this form: {fault}.")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Verdict("The file is no receipt: it does not hold one JSON object in UTF-8.")
    return Verdict(_fault(signed, text, public_key), signed)


def _other_form(text: bytes) -> str | None:
    """What a file is that is JSON, and nothing like a receipt; None where it may have been one."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    match found:
        case {"error": {**error}}:
            words = "".join(filter(str.isprintable, str(error.get("message") or "it does not say which")))
            return f"The file is no receipt, but the error that came in its place: {words[:_MOST_WORDS]}"
        case {**names} if not names.keys().isdisjoint(SignedReceipt.__struct_fields__):
            return None
    return "The file is no receipt: it holds other JSON. `runapi receipts show ID` prints one."


def _fault(signed: SignedReceipt, text: bytes, public_key: bytes | None) -> str | None:
    receipt = signed.receipt
    if receipt.version != VERSION:
        return f"The receipt is of version {receipt.version}, and this program knows version {VERSION}."
    arithmetic = _arithmetic_fault(receipt)
    fits = signature_fits(
        bytes.fromhex(signed.public_key), signed.signature, RECEIPT_SEAL + canonical(receipt)
    )
    if arithmetic is not None:
        return arithmetic + (
            ", although its signature fits." if fits else ", and its signature does not fit."
        )
    if not fits:
        return "The signature does not fit: the receipt was changed after it was signed, or another key signed it."
    if public_key is not None and public_key.hex() != signed.public_key:
        return f"The receipt was signed by the key {signed.public_key}, not by {public_key.hex()}."
    if signed.inclusion is not None:
        fault = _inclusion_fault(receipt, signed.inclusion, bytes.fromhex(signed.public_key))
        if fault is not None:
            return fault
    if canonical(signed) != text:
        return "The file was re-formatted: the values are right, but a receipt is one line of canonical JSON."
    return None


def _arithmetic_fault(receipt: Receipt) -> str | None:
    """The first thing in the numbers that does not follow, without the full stop."""
    for line in receipt.lines:
        right = line.tokens * int(line.rate_pico)
        if right != int(line.pico):
            return (
                f"The line {line.kind!r} is wrong: {line.tokens} tokens x {line.rate_pico} pico-dollars are {right}, "
                f"not {line.pico}"
            )
    counted = tuple((kind, getattr(receipt.usage, kind)) for kind in KINDS)
    if receipt.lines and tuple((line.kind, line.tokens) for line in receipt.lines) != counted:
        return "The lines do not charge the tokens that the usage counts"
    total = sum(int(line.pico) for line in receipt.lines)
    if total != int(receipt.total_pico):
        return f"The total is wrong: the lines add up to {total} pico-dollars, not {receipt.total_pico}"
    return _charge_fault(receipt)


def _charge_fault(receipt: Receipt) -> str | None:
    total, charged, lost = (
        int(text) for text in (receipt.total_pico, receipt.charged_nano, receipt.written_off_nano)
    )
    if nano_from_pico(total) != charged + lost:
        return (
            f"The charge is wrong: {total} pico-dollars round up to {-(-total // PICO_PER_NANO)} nano-dollars, but "
            f"{charged} were charged and {lost} written off"
        )
    if usd(charged) != receipt.charged_usd:
        return (
            f"The amount is wrong: {charged} nano-dollars are {usd(charged)} USD, not {receipt.charged_usd}"
        )
    for kind, amount in (("settle", charged), ("write_off", lost)):
        moved = sum(int(transfer.amount_nano) for transfer in receipt.transfers if transfer.kind == kind)
        if moved != amount:
            return f"The transfers do not fit: those of kind {kind!r} move {moved} nano-dollars, not {amount}"
    return None


def _inclusion_fault(receipt: Receipt, inclusion: Inclusion, public_key: bytes) -> str | None:
    statement = inclusion.day.statement
    if not signature_fits(public_key, inclusion.day.signature, ROOT_SEAL + canonical(statement)):
        return f"The signature under the root of {statement.day} does not fit."
    path = tuple(bytes.fromhex(node) for node in inclusion.path)
    reached = root_of_path(receipt_leaf(receipt), inclusion.index, statement.count, path)
    if reached is None or reached.hex() != statement.root:
        return (
            f"The receipt is not among those of {statement.day}: its path does not lead to that day's root."
        )
    return None
