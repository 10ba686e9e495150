"""One rendering of one page: everything that its text depends on."""

from collections.abc import Mapping
from typing import Any

import msgspec

from runapi.web.site.choice import WHOLE, Choice
from runapi.web.site.content import Library, Page
from runapi.web.site.facts import Facts
from runapi.web.site.live_state import LiveState
from runapi.web.site.negotiate import Form


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A page as one visitor gets it, and everybody who asks for the same."""

    page: Page
    form: Form
    site_url: str
    library: Library
    facts: Facts
    live: LiveState
    choice: Choice = WHOLE  # of the list of models
    offered: str | None = None  # a locale that this visitor may like better
    extra: Mapping[str, Any] = {}  # what only this visit has, such as a calculated price


class Missing(msgspec.Struct, frozen=True):
    """What there is in the place of a page that there is not."""

    near: tuple[Page, ...]  # pages with paths like it
    elsewhere: tuple[
        tuple[str, str], ...
    ]  # the same page in other locales: what they are called, and its path
    unknown_locale: str | None
    is_model: bool  # the page of a model was asked for
    here: str | None = (
        None  # the path of the twin, where there is a page, though not in the form that was asked for
    )
