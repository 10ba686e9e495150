"""Accounts and keys as the operator sees them. A key itself is never among this: only its visible prefix."""

import msgspec

from runapi.core.keys import DisconnectPolicy, Mode, ParameterPolicy


class Account(msgspec.Struct, frozen=True):
    """A customer."""

    id: int
    name: str
    created_us: int


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An issued key, without its secret part."""

    id: int
    account_id: int
    account: str
    mode: Mode
    prefix: str
    on_disconnect: DisconnectPolicy
    on_refused_parameter: ParameterPolicy
    created_us: int
    revoked_us: int | None
