"""Receipts for tests, with numbers that add up."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runapi.core.keys import Mode
from runapi.core.ledger.books import Transfer
from runapi.core.merkle import inclusion_path, leaf_hash, root
from runapi.core.money import nano_from_pico
from runapi.core.pricing import Rates
from runapi.core.receipts import (
    NO_ROOT,
    Inclusion,
    Receipt,
    ReceiptSource,
    RootStatement,
    make_receipt,
    receipt_leaf,
    sign_root,
)
from runapi.core.records import Outcome, RequestRecord
from runapi.core.usage import Usage, UsageSource

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
RATES = Rates(input=2_500_000, output=15_000_000, cached=250_000, cache_write=2_500_000)
USAGE = Usage(100, 20, 0, 30, 10)
AT_US = 1_795_339_800_000_000


def a_record(usage: Usage, *, number: int = 1, over_nano: int = 0, free: bool = False) -> RequestRecord:
    pico = 0 if free else sum(getattr(usage, kind) * getattr(RATES, kind) for kind in RATES.__struct_fields__)
    return RequestRecord(
        id=f"req_{number:032x}",
        at_us=AT_US + number,
        account_id=1,
        key_id=1,
        mode=Mode.LIVE,
        endpoint="/v1/chat/completions",
        model="gpt-5.5",
        stream=True,
        status=200,
        outcome=Outcome.COMPLETED,
        upstream="openai",
        upstream_model="gpt-5.5-2026-04-23",
        usage=usage,
        usage_source=UsageSource.REPORTED,
        cost_pico=pico,
        cost_nano=nano_from_pico(pico) - over_nano,
    )


def a_source(number: int = 1, upstream_usage: str | None = '{"prompt_tokens": 120}') -> ReceiptSource:
    return ReceiptSource(
        request_id=f"req_{number:032x}",
        ended_us=AT_US + number,
        request_sha256=b"q" * 32,
        response_sha256=b"r" * 32,
        upstream_usage=upstream_usage,
        price_version=3,
        rates=RATES,
    )


def a_transfer(kind: str, amount: int, seq: int = 7) -> Transfer:
    numbers = (seq, bytes([seq]) * 16, "live", kind, 18, 4, amount, f"req_{1:032x}", 3)
    return Transfer(*numbers, 0, "", "", "", "", 1, 1, AT_US, bytes([seq]) * 32)


def a_receipt(usage: Usage = USAGE, *, over_nano: int = 0, free: bool = False) -> Receipt:
    record = a_record(usage, over_nano=over_nano, free=free)
    transfers = [a_transfer("hold", 10_000_000, 7), a_transfer("settle", record.cost_nano, 8)]
    if over_nano:
        transfers.append(a_transfer("write_off", over_nano, 9))
    return make_receipt(record, a_source(), transfers, account="acct_1", key="runapi_live_ab12")


def an_inclusion(receipt: Receipt, *, index: int = 2, count: int = 5) -> Inclusion:
    leaves = [leaf_hash(b"%d" % place) for place in range(count)]
    leaves[index] = receipt_leaf(receipt)
    statement = RootStatement(count, "2026-11-22", NO_ROOT.hex(), root(leaves).hex())
    path = tuple(node.hex() for node in inclusion_path(leaves, index))
    return Inclusion(index, path, sign_root(statement, KEY))
