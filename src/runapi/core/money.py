"""Integer money. Prices are pico-dollars per token, amounts are nano-dollars; no float comes near either.

1 micro-dollar per 1,000,000 tokens = 1 pico-dollar per token, so a charge is an exact product.
"""

from decimal import Decimal, InvalidOperation

PICO_PER_NANO = 1_000
NANO_PER_USD = 1_000_000_000
PICO_PER_TOKEN_PER_USD_PER_1M = 1_000_000  # 1 USD per 1M tokens = 1,000,000 pico-dollars per token


def nano_from_pico(pico: int) -> int:
    """Round a charge of `pico` pico-dollars (>= 0) up to whole nano-dollars: once per request, never per part."""
    return -(-pico // PICO_PER_NANO)


def pico_per_token(usd_per_1m: str) -> int:
    """Read a price such as "0.075" (USD per 1,000,000 tokens) as pico-dollars per token, exactly.

    Raises:
        ValueError: not a plain decimal >= 0, or finer than one micro-dollar per 1,000,000 tokens.
    """
    try:
        pico = Decimal(usd_per_1m) * PICO_PER_TOKEN_PER_USD_PER_1M
    except InvalidOperation:
        raise ValueError(f"{usd_per_1m!r} is not a decimal number") from None
    if not pico.is_finite() or pico < 0:
        raise ValueError(f"{usd_per_1m!r} is not a price: it must be zero or more")
    if pico != pico.to_integral_value():
        raise ValueError(f"{usd_per_1m!r} is too fine: at most 6 decimal places")
    return int(pico)


def usd(nano: int) -> str:
    """Write nano-dollars as an exact decimal, without exponent: 17_175_000 -> "0.017175"."""
    whole, part = divmod(abs(nano), NANO_PER_USD)
    sign = "-" if nano < 0 else ""
    return f"{sign}{whole}.{part:09d}".rstrip("0").rstrip(".")


def usd_per_1m(pico: int) -> str:
    """Write pico-dollars per token as USD per 1,000,000 tokens: 75_000 -> "0.075"."""
    whole, part = divmod(pico, PICO_PER_TOKEN_PER_USD_PER_1M)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".")
