"""What somebody wants a client to be configured for."""

import msgspec

from runapi.wire.client_config.offer import KEY_VARIABLE, Offer


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An offer, the model to begin with, and the key; without a key its variable is named in its place."""

    offer: Offer
    model: str
    key: str | None = None
    is_private_name: bool = False  # the address is a name of a private network
    variable: str = KEY_VARIABLE
