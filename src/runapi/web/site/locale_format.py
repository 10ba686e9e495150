"""Numbers, money and dates as each locale writes them."""

from datetime import date
from decimal import Decimal

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, format_percent

LEAST_PRICE_DECIMALS = 2
_PPM_PER_PERCENT = 10_000


class LocaleFormat:
    """Writes values for one locale, such as "zh-TW"."""

    def __init__(self, locale: str) -> None:
        self._locale = Locale.parse(locale, sep="-")

    def number(self, value: float | str) -> str:
        """1050000 -> "1,050,000"."""
        return format_decimal(
            Decimal(str(value)).normalize(), locale=self._locale, decimal_quantization=False
        )

    def usd(self, amount: int | str) -> str:
        """Write "2.50" as "$2.50": every digit that was given, and no other."""
        decimals = max(len(str(amount).partition(".")[2]), LEAST_PRICE_DECIMALS)
        pattern = self._locale.currency_formats["standard"].pattern.replace("0.00", f"0.{'0' * decimals}")
        return format_currency(
            Decimal(amount), "USD", format=pattern, locale=self._locale, currency_digits=False
        )

    def percent(self, value: int) -> str:
        """50 -> "50%"."""
        return format_percent(Decimal(value) / 100, locale=self._locale)

    def date(self, day: str | date) -> str:
        """Write "2026-08-07" as "August 7, 2026"."""
        return format_date(
            date.fromisoformat(day) if isinstance(day, str) else day, "long", locale=self._locale
        )

    def time(self, moment_us: int) -> str:
        """Unix microseconds -> "23:45:10", in UTC."""
        return format_datetime(moment_us / 1_000_000, "HH:mm:ss", locale=self._locale)


def price_text(usd: str) -> str:
    """Write a price with two decimals at least: "2.5" -> "2.50", "0.0375" as it is."""
    whole, _, part = usd.partition(".")
    return f"{whole}.{part.ljust(LEAST_PRICE_DECIMALS, '0')}"
