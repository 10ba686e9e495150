"""What the commands about money and receipts show: plain rows whose fields are the JSON that scripts read. No I/O."""

import msgspec

from runapi.core.keys import Mode


class CreditRow(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    mode: Mode
    usd: str
    amount_nano: str
    seq: int  # the transfer
    repeated: bool  # it was credited before under this reference, and nothing was changed
    available_nano: str | None  # None where it is a repetition
    available_usd: str | None


class CodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A code without its secret part."""

    id: int
    shown: str
    usd: str
    mode: Mode
    sold: bool
    note: str
    created_at: str
    ends_at: str | None
    revoked_at: str | None
    redeemed_at: str | None
    redeemed_by: str | None


class NewCode(msgspec.Struct, frozen=True, kw_only=True):
    """The one time that a code is shown."""

    code: str
    id: int
    usd: str
    mode: Mode


class Redeemed(msgspec.Struct, frozen=True, kw_only=True):
    """What a code brought, and what the account has now."""

    usd: str
    amount_nano: str
    mode: Mode
    available_nano: str
    available_usd: str


class KeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """The public half of the key that signs receipts, in hexadecimal."""

    algorithm: str = "ed25519"
    public_key: str


class RootRow(msgspec.Struct, frozen=True, kw_only=True):
    """The root over the receipts of a day, and the signature of its statement."""

    day: str
    count: int
    root: str
    previous: str
    version: int
    signature: str
