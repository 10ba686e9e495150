"""Numbers and texts that fit a JSON Schema; always the same ones, and others for another `variant`."""

from collections.abc import Callable
from fractions import Fraction

from runapi.upstream.sandbox.pattern_text import UnknownPattern, text_for_pattern
from runapi.upstream.sandbox.schema_checks import SchemaFault, exact, size

Schema = dict[str, object]

_LONGEST_TEXT = 100_000
_FORMATS = {
    "date": "2026-01-{day:02d}",
    "date-time": "2026-01-{day:02d}T12:00:00Z",
    "time": "12:00:{second:02d}Z",
    "duration": "P{day}D",
    "email": "user{day}@example.com",
    "idn-email": "user{day}@example.com",
    "hostname": "host{day}.example.com",
    "idn-hostname": "host{day}.example.com",
    "uri": "https://example.com/{day}",
    "url": "https://example.com/{day}",
    "iri": "https://example.com/{day}",
    "uri-reference": "/sample/{day}",
    "uuid": "00000000-0000-4000-8000-{number:012d}",
    "ipv4": "192.0.2.{day}",
    "ipv6": "2001:db8::{day}",
    "json-pointer": "/sample/{day}",
    "regex": "^sample{day}$",
}


def make_text(schema: Schema, hint: str, variant: int) -> str:
    """Write a text of the schema's pattern or format and length; without those, one that names its place, `hint`."""
    least, most = size(schema, "minLength", 0), size(schema, "maxLength", _LONGEST_TEXT)
    if least > min(most, _LONGEST_TEXT):
        raise SchemaFault(
            f"a text of {least} characters is more than is made here, or than 'maxLength' allows"
        )
    pattern, form = schema.get("pattern"), schema.get("format")
    if isinstance(pattern, str):
        try:
            return text_for_pattern(pattern, least, most, variant)
        except UnknownPattern as fault:
            raise SchemaFault(f"no text was found for 'pattern': {fault}") from None
    if isinstance(form, str) and form in _FORMATS:
        return _FORMATS[form].format(day=variant % 28 + 1, second=variant % 60, number=variant + 1)
    text = f"sample {hint}".rstrip()
    if variant:
        text = f"{variant + 1} {text}" if most > 4 else chr(ord("a") + variant % 26)
    return text.ljust(least, ".")[:most]


def make_integer(schema: Schema, variant: int) -> int:
    """Choose an integer: near 1 if the bounds allow."""
    step = exact(schema.get("multipleOf", 1))
    return int(_stepped(schema, Fraction(step.numerator or 1), variant))


def make_number(schema: Schema, variant: int) -> int | float:
    """Choose a number, with a fraction where the bounds allow."""
    step = exact(schema.get("multipleOf", 0))
    if step > 0:
        return _plain(_stepped(schema, step, variant))
    low, high = _bound(schema, "minimum", max), _bound(schema, "maximum", min)
    if low is None and high is None:
        return 1.5 + variant
    if low is None:
        return _plain(high - 1 - variant) if high is not None else 0
    if high is None:
        return _plain(low + 1 + variant)
    if low > high:
        raise SchemaFault(f"no number lies between {_plain(low)} and {_plain(high)}")
    return _plain(low + (high - low) * Fraction(variant + 1, variant + 2))


def _stepped(schema: Schema, step: Fraction, variant: int) -> Fraction:
    """Choose a multiple of `step` inside the bounds."""
    low, high = _bound(schema, "minimum", max), _bound(schema, "maximum", min)
    least = None if low is None else -(-low // step)
    if least is not None and least * step == low and _is_excluded(schema, "exclusiveMinimum", low):
        least += 1
    most = None if high is None else high // step
    if most is not None and most * step == high and _is_excluded(schema, "exclusiveMaximum", high):
        most -= 1
    if least is not None and most is not None and least > most:
        raise SchemaFault("no number lies between its bounds")
    if least is None:
        chosen = 1 + variant if most is None else min(most, 1) - variant
    elif most is None:
        chosen = max(least, 1) + variant
    else:  # go round: another variant is another number as long as there is one
        count = most - least + 1
        chosen = least + (min(max(least, 1), most) - least + variant) % count
    return chosen * step


def _bound(schema: Schema, key: str, stricter: Callable[[list[Fraction]], Fraction]) -> Fraction | None:
    keys = (key, "exclusive" + key.capitalize())
    found = [exact(schema[name]) for name in keys if name in schema]
    return stricter(found) if found else None


def _is_excluded(schema: Schema, key: str, number: Fraction | None) -> bool:
    return key in schema and exact(schema[key]) == number


def _plain(number: Fraction) -> int | float:
    if number.denominator == 1:
        return int(number)
    try:
        return float(number)
    except OverflowError:
        raise SchemaFault("a number is too large") from None
