"""Who is calling? Answered from memory: the database is not asked on any request."""

import hmac

from runapi.core import problems
from runapi.core.keys import Principal, digest, is_well_formed, redacted

MOST_REMEMBERED = 10_000
_LONGEST_REMEMBERED = 200  # bytes of a header: longer ones are mostly white space


class Keyring:
    """Every unrevoked key's digest and owner, replaced as a whole when a key is made or revoked."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper
        self._principals: dict[bytes, Principal] = {}
        self._lately: dict[bytes, Principal] = {}  # by the whole header: what was found since the last load

    def load(self, principals: dict[bytes, Principal]) -> None:
        """Take these keys in the place of those before; a key that is not among them is refused from now on."""
        self._principals = principals
        self._lately = {}

    def authenticate(self, authorization: bytes | None, x_api_key: bytes | None) -> Principal:
        """Find the owner of the key in `Authorization: Bearer` or `x-api-key`.

        A key whose checksum is wrong is refused without a look-up.

        Raises:
            Problem: 401.
        """
        if authorization is not None and x_api_key is None and (found := self._lately.get(authorization)):
            return found
        key = _bearer(authorization) if authorization is not None else None
        if x_api_key is not None:
            other = x_api_key.decode("latin-1").strip()
            if key and not hmac.compare_digest(key.encode(), other.encode()):
                raise problems.ambiguous_key()
            key = other
        if not key:
            raise problems.missing_key()
        principal = self._principals.get(digest(key, self._pepper)) if is_well_formed(key) else None
        if principal is None:
            raise problems.invalid_key(redacted(key))
        if authorization is not None and x_api_key is None:
            self._remember(authorization, principal)
        return principal

    def _remember(self, authorization: bytes, principal: Principal) -> None:
        """Know a header at once the next time; one key in ten thousand spellings takes the room for a while only."""
        if len(authorization) <= _LONGEST_REMEMBERED:
            if len(self._lately) >= MOST_REMEMBERED:
                self._lately.clear()
            self._lately[authorization] = principal


def _bearer(authorization: bytes) -> str:
    """The credential of a Bearer header; the whole value where somebody left the word out."""
    value = authorization.decode("latin-1").strip()
    scheme, _, credential = value.partition(" ")
    if scheme.lower() == "bearer":
        return credential.strip()
    return "" if scheme.lower() in ("basic", "digest") else value
