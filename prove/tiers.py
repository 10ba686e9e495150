"""How much is tried: one case again, a taste, what every change must pass, or what takes a night."""

from enum import StrEnum


class Tier(StrEnum):
    """`ci` takes minutes on two cores, `nightly` hours.

    `small` is for tests and for planted bugs; `one` repeats a single case that went wrong.
    """

    ONE = "one"
    SMALL = "small"
    CI = "ci"
    NIGHTLY = "nightly"

    def cases(self, *, ci: int, nightly: int) -> int:
        """How many cases to try: so many, a tenth of the CI's, or 1 when one case is repeated."""
        match self:
            case Tier.ONE:
                return 1
            case Tier.SMALL:
                return -(-ci // 10)
            case Tier.CI:
                return ci
            case Tier.NIGHTLY:
                return nightly
