"""The order and the part of the list of models that a URL asks for: `/models?sort=price&can=image`.

Only so many lists can be asked for as there are orders and abilities: they are kept like other pages.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode

import msgspec

PAGE = "models"  # the page with the list
_MOST_FIELDS = 10


class Order(StrEnum):
    """How the list may be sorted."""

    BEST = "best"
    PRICE = "price"
    CONTEXT = "context"
    NEWEST = "newest"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of the list, and in which order."""

    order: Order = Order.BEST
    able: str = ""  # what a model must be able to do; empty: anything
    is_odd: bool = False  # the URL asked for an order or ability that there is none of

    @property
    def query(self) -> str:
        """The end of a URL that asks for this: "?sort=price", or nothing."""
        fields = {"sort": "" if self.order is Order.BEST else self.order.value, "can": self.able}
        asked = {name: value for name, value in fields.items() if value}
        return f"?{urlencode(asked)}" if asked else ""


WHOLE = Choice()


def read_choice(query: bytes, abilities: Collection[str]) -> Choice:
    """Read the query of a URL; what it asks for beyond orders and `abilities` is left out."""
    asked = _fields(query)
    order, able = asked.get("sort", ""), asked.get("can", "")
    knows_order, knows_ability = order in tuple(Order), able in abilities
    return Choice(
        order=Order(order) if knows_order else Order.BEST,
        able=able if knows_ability else "",
        is_odd=bool((order and not knows_order) or (able and not knows_ability)),
    )


def _fields(query: bytes) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(query.decode(), errors="strict", max_num_fields=_MOST_FIELDS))
    except ValueError:  # no form wrote it
        return {}
