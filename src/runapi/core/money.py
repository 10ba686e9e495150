"""Integer money. Prices are pico-dollars per token, amounts are nano-dollars; no float comes near either.

1 micro-dollar per 1,000,000 tokens = 1 pico-dollar per token, so a charge is an exact product.
"""

import re

PICO_PER_NANO = 1_000
NANO_PER_USD = 1_000_000_000
PICO_PER_TOKEN_PER_USD_PER_1M = 1_000_000  # 1 USD per 1M tokens = 1,000,000 pico-dollars per token
PRICE_DECIMALS = 6
MOST_USD_PER_1M = 1_000_000  # 1 USD per token: a slip of the pen, and the end of what surely fits 64 bits

_PLAIN_DECIMAL = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?")


def nano_from_pico(pico: int) -> int:
    """Round a charge of `pico` pico-dollars (>= 0) up to whole nano-dollars: once per request, never per part."""
    return -(-pico // PICO_PER_NANO)


def pico_per_token(usd_per_1m: str) -> int:
    """Read a price such as "0.075" (USD per 1,000,000 tokens) as pico-dollars per token, exactly.

    Raises:
        ValueError: not a plain decimal from 0 to below MOST_USD_PER_1M, or finer than one micro-dollar per 1,000,000 tokens.
    """
    # By hand rather than by Decimal, which rounds to 28 digits and takes exponents, spaces and other scripts' digits.
    parts = _PLAIN_DECIMAL.fullmatch(usd_per_1m)
    if parts is None:
        raise ValueError(f"{usd_per_1m!r} is not a plain decimal number such as 0.075")
    sign, whole, decimals = parts[1], parts[2], (parts[3] or "").rstrip("0")
    if sign:
        raise ValueError(f"{usd_per_1m!r} is not a price: it must be zero or more")
    if len(decimals) > PRICE_DECIMALS:
        raise ValueError(f"{usd_per_1m!r} is too fine: at most {PRICE_DECIMALS} decimal places")
    if len(whole) > len(str(MOST_USD_PER_1M)) or int(whole) >= MOST_USD_PER_1M:
        raise ValueError(f"{usd_per_1m!r} is too much: prices are USD per 1,000,000 tokens")
    return int(whole) * PICO_PER_TOKEN_PER_USD_PER_1M + int(decimals.ljust(PRICE_DECIMALS, "0"))


def usd(nano: int) -> str:
    """Write nano-dollars as an exact decimal, without exponent: 17_175_000 -> "0.017175"."""
    whole, part = divmod(abs(nano), NANO_PER_USD)
    sign = "-" if nano < 0 else ""
    return f"{sign}{whole}.{part:09d}".rstrip("0").rstrip(".")


def usd_per_1m(pico: int) -> str:
    """Write pico-dollars per token as USD per 1,000,000 tokens: 75_000 -> "0.075"."""
    whole, part = divmod(pico, PICO_PER_TOKEN_PER_USD_PER_1M)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".")
