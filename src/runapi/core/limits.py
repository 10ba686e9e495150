"""What one key may do. Every limit is optional; a key without any has no gate at all.

A gate is asked before the hold, in one step without a wait in it, so that no number of concurrent requests gets past a
limit: what a request may spend is set aside here before it is held in the ledger, and a refusal changes nothing.
"""

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from runapi.core import limit_problems as problems
from runapi.core.problems import Problem, unknown_model
from runapi.core.windows import PerMinute, Span, SpendWindow

HELD_RETRY_US = 2_000_000  # running requests may give back what they hold at any moment
CONCURRENT_RETRY_US = 1_000_000
_MOST_RETRY_S = 31 * 86_400


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one key; None means no limit."""

    spend_nano: Mapping[Span, int] = {}
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None
    models: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None  # 192.0.2.0/24, 2001:db8::/32
    expires_us: int | None = None

    def allows_model(self, model: str) -> bool:
        return self.models is None or model in self.models


class Limit(StrEnum):
    """Which limit was reached."""

    EXPIRY = "expiry"
    NETWORK = "network"
    MODEL = "model"
    CONCURRENT = "concurrent"
    REQUESTS = "requests"
    TOKENS = "tokens"
    SPEND = "spend"
    SPEND_HELD = "spend_held"  # there is room, but running requests have it set aside


class Reached(msgspec.Struct, frozen=True):
    """A refusal: which limit, how much it is, and when there is room again."""

    limit: Limit
    most: int = 0  # nano-dollars, requests or tokens; for EXPIRY the microsecond
    span: Span | None = None
    wait_us: int | None = None  # None: never by itself
    resets_us: int | None = None  # the wall clock's microsecond, for calendar windows
    subject: str = ""  # the address or the model

    def problem(self) -> Problem:
        """Put it into the words that a client is told."""
        wait_s = min(max(-(-(self.wait_us or 0) // 1_000_000), 1), _MOST_RETRY_S)
        match self.limit:
            case Limit.EXPIRY:
                return problems.key_expired(self.most)
            case Limit.NETWORK:
                return problems.address_not_allowed(self.subject)
            case Limit.MODEL:
                return unknown_model(self.subject)
            case Limit.CONCURRENT:
                return problems.too_many_at_once(self.most, wait_s)
            case Limit.REQUESTS | Limit.TOKENS:
                return problems.too_many_per_minute(self.limit.value, self.most, wait_s)
            case Limit.SPEND:
                return problems.spend_limit_reached(
                    self.span or Span.TOTAL, self.most, self.resets_us, wait_s
                )
            case Limit.SPEND_HELD:
                return problems.spend_limit_held(self.span or Span.TOTAL, self.most, wait_s)


class Pass:
    """One admitted request's share of its key's limits. `KeyGate.leave` takes it back, once."""

    __slots__ = ("admitted_us", "amount_nano", "left", "tokens", "windows")

    def __init__(
        self, admitted_us: int, tokens: int, amount_nano: int, windows: tuple[SpendWindow, ...]
    ) -> None:
        self.admitted_us = admitted_us
        self.tokens = tokens
        self.amount_nano = amount_nano  # what it may spend at most: ask the ledger for no more
        self.windows = windows  # in which that is set aside
        self.left = False


class KeyGate:
    """The present state of one key's limits."""

    __slots__ = ("_minutes", "_networks", "_running", "_seen_address", "_windows", "limits")

    def __init__(self, limits: KeyLimits, now_us: int, spent_nano: Mapping[Span, int]) -> None:
        """Begin with what was spent already in the windows that hold `now_us`."""
        self._running = 0
        self._windows: dict[Span, SpendWindow] = {}
        self._minutes: dict[Limit, PerMinute] = {}
        self.change(limits, now_us, spent_nano)

    def change(self, limits: KeyLimits, now_us: int, spent_nano: Mapping[Span, int]) -> None:
        """Take other limits. What was used of those that stay is kept; new windows begin with `spent_nano`."""
        self.limits = limits
        self._networks = [read_network(network) for network in limits.networks or ()]
        self._seen_address: str | None = None
        windows = {}
        for span, limit_nano in limits.spend_nano.items():
            window = self._windows.get(span) or SpendWindow(span, limit_nano, now_us, spent_nano.get(span, 0))
            window.limit_nano = limit_nano
            windows[span] = window
        self._windows = windows
        minutes = {Limit.REQUESTS: limits.requests_per_minute, Limit.TOKENS: limits.tokens_per_minute}
        self._minutes = {
            limit: kept if (kept := self._minutes.get(limit)) and kept.limit == most else PerMinute(most)
            for limit, most in minutes.items()
            if most is not None
        }

    def check_caller(self, address: str, now_us: int) -> Reached | None:
        """Refuse a key that has expired or comes from elsewhere: for every call, also those that cost nothing."""
        expires_us = self.limits.expires_us
        if expires_us is not None and now_us >= expires_us:
            return Reached(Limit.EXPIRY, expires_us)
        if self.limits.networks is not None and address != self._seen_address:
            if not _is_within(address, self._networks):
                return Reached(Limit.NETWORK, subject=address[:45])
            self._seen_address = address
        return None

    def enter(
        self, model: str, *, tokens: int, amount_nano: int, least_nano: int, now_us: int, ticks_us: int
    ) -> Pass | Reached:
        """Admit a request, or say which limit it reached; then nothing has changed.

        Args:
            model: our model id.
            tokens: about how many it will use; `leave` puts that right.
            amount_nano: what it wants to set aside. The pass says how much of it the spending limits leave.
            least_nano: less is of no use to it.
            now_us: the wall clock.
            ticks_us: a monotonic clock.
        """
        room = self.ask(
            model,
            tokens=tokens,
            amount_nano=amount_nano,
            least_nano=least_nano,
            now_us=now_us,
            ticks_us=ticks_us,
        )
        return room if isinstance(room, Reached) else self._take(tokens, room, now_us, ticks_us)

    def ask(
        self, model: str, *, tokens: int, amount_nano: int, least_nano: int, now_us: int, ticks_us: int
    ) -> int | Reached:
        """Say how much `enter` would let the request set aside, or which limit it would reach; nothing changes."""
        limits = self.limits
        if not limits.allows_model(model):
            return Reached(Limit.MODEL, subject=model[:100])
        if limits.concurrent is not None and self._running >= limits.concurrent:
            return Reached(Limit.CONCURRENT, limits.concurrent, wait_us=CONCURRENT_RETRY_US)
        for limit, minute in self._minutes.items():
            if wait_us := minute.wait_us(1 if limit is Limit.REQUESTS else tokens, ticks_us):
                return Reached(limit, minute.limit, wait_us=wait_us)
        for window in self._windows.values():
            window.roll(now_us)
            room_nano = window.room_nano()
            if room_nano < max(least_nano, 1):
                return _spent(window, least_nano, now_us)
            amount_nano = min(amount_nano, room_nano)
        return amount_nano

    def windows(self, now_us: int) -> tuple[SpendWindow, ...]:
        """The spending limits with what is spent and set aside of each; to be read, not changed."""
        for window in self._windows.values():
            window.roll(now_us)
        return tuple(self._windows.values())

    def shrink(self, admitted: Pass, granted_nano: int) -> None:
        """Give back what the ledger did not grant of the pass's amount."""
        less = admitted.amount_nano - granted_nano
        if admitted.left or less <= 0:
            return
        for window in admitted.windows:
            window.reserve(-less, admitted.admitted_us)
        admitted.amount_nano = granted_nano

    def leave(self, admitted: Pass, charged_nano: int, tokens: int, ticks_us: int) -> None:
        """End a request with what it was charged and the tokens that it used. A second time changes nothing."""
        if admitted.left:
            return
        admitted.left = True
        self._running -= 1
        for window in self._windows.values():
            reserved_nano = admitted.amount_nano if window in admitted.windows else 0
            window.settle(reserved_nano, charged_nano, admitted.admitted_us)
        minute = self._minutes.get(Limit.TOKENS)
        if minute is not None:
            minute.correct(tokens - admitted.tokens, ticks_us)

    def count(self, charged_nano: int, admitted_us: int) -> None:
        """Count what a request was charged that was admitted before the key had limits."""
        for window in self._windows.values():
            window.settle(0, charged_nano, admitted_us)

    def _take(self, tokens: int, amount_nano: int, now_us: int, ticks_us: int) -> Pass:
        self._running += 1
        for limit, minute in self._minutes.items():
            minute.take(1 if limit is Limit.REQUESTS else tokens, ticks_us)
        windows = tuple(self._windows.values())
        for window in windows:
            now_us = max(now_us, window.start_us)  # a clock that was set back opens no window again
        for window in windows:
            window.reserve(amount_nano, now_us)
        return Pass(now_us, tokens, amount_nano, windows)


class Gates:
    """The gates of all keys that have limits, by key id."""

    def __init__(self) -> None:
        self._gates: dict[int, KeyGate] = {}

    def get(self, key_id: int) -> KeyGate | None:
        return self._gates.get(key_id)

    def without_history(self, limits: Mapping[int, KeyLimits]) -> list[int]:
        """The keys of which `load` must be told what they have spent: those that get a window they do not have."""
        return [
            key_id
            for key_id, changed in limits.items()
            if changed.spend_nano
            and (
                (gate := self._gates.get(key_id)) is None
                or changed.spend_nano.keys() - gate.limits.spend_nano.keys()
            )
        ]

    def load(
        self, limits: Mapping[int, KeyLimits], spent_nano: Mapping[int, Mapping[Span, int]], now_us: int
    ) -> None:
        """Take these limits in the place of those before. Keys that had a gate keep what they used of it.

        `spent_nano` is needed of the keys that `without_history` names.
        """
        gates = {}
        for key_id, changed in limits.items():
            gate, spent = self._gates.get(key_id), spent_nano.get(key_id, {})
            if gate is None:
                gate = KeyGate(changed, now_us, spent)
            else:
                gate.change(changed, now_us, spent)
            gates[key_id] = gate
        self._gates = gates


def read_network(text: str) -> IPv4Network | IPv6Network:
    """Read an address, or a network such as 192.0.2.0/24.

    Raises:
        ValueError: neither; or an address inside a network where the network itself must stand.
    """
    return ip_network(text)


def _is_within(address: str, networks: list[IPv4Network | IPv6Network]) -> bool:
    try:
        read = ip_address(address)
    except ValueError:
        return False  # a Unix socket, or nothing: it cannot be on a list of addresses
    if isinstance(read, IPv6Address) and read.ipv4_mapped is not None:
        read = read.ipv4_mapped  # an IPv4 client of a socket that takes both
    return any(read in network for network in networks)


def _spent(window: SpendWindow, least_nano: int, now_us: int) -> Reached:
    """Say whether the limit is reached, or only set aside at this moment."""
    is_held = window.limit_nano - window.spent_nano >= max(least_nano, 1)
    if is_held:
        return Reached(Limit.SPEND_HELD, window.limit_nano, window.span, wait_us=HELD_RETRY_US)
    resets_us = window.resets_us
    wait_us = None if resets_us is None else resets_us - now_us
    return Reached(Limit.SPEND, window.limit_nano, window.span, wait_us, resets_us)
