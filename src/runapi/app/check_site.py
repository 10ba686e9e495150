"""Check at a start what the settings say of the site's pages and languages: a slip would show what was to be hidden."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from runapi.core.catalog import Catalog
from runapi.settings import Settings, SettingsFault, split_words, variable
from runapi.settings.kinds import LONGEST_SHOWN
from runapi.web.site.content import PACKAGED
from runapi.web.site.site import OWN_FOLDER


def check_site(settings: Settings, catalog: Catalog) -> None:
    """Make sure that there is what RUNAPI_SITE_LOCALES and RUNAPI_SITE_HIDE name.

    Raises:
        SettingsFault: there is not; it says what there is.
    """
    if not settings.site:
        return
    roots = (settings.home / OWN_FOLDER, PACKAGED)
    faults = [
        *_locale_faults(roots, split_words(settings.site_locales)),
        *_hidden_faults(roots, split_words(settings.site_hide), tuple(catalog.models)),
    ]
    if faults:
        raise SettingsFault.of(faults)


def _locale_faults(roots: Sequence[Path], asked: Sequence[str]) -> Iterator[str]:
    known = {path.stem for root in roots for path in root.glob("locales/*.yaml")} if asked else set()
    unknown = [locale for locale in asked if locale not in known]
    if unknown:
        yield f"  {variable('site_locales')} names {_all(unknown)}. The site speaks {', '.join(sorted(known))}."


def _hidden_faults(roots: Sequence[Path], asked: Sequence[str], models: Sequence[str]) -> Iterator[str]:
    pages = {page for root in roots for page in _list_pages(root, models) if page} if asked else set()
    unknown = [path for path in asked if not _hides_any(path.strip("/"), pages)]
    if unknown:
        near = [f"/{page}" for path in unknown for page in get_close_matches(path.strip("/"), pages, n=1)]
        meant = f" Did you mean {', '.join(near)}?" if near else ""
        first = sorted({f"/{page.partition('/')[0]}" for page in pages})
        yield (
            f"  {variable('site_hide')} names {_all(unknown)}, where the site has no page.{meant} It has "
            f"{', '.join(first)}, and pages below some of them."
        )


def _hides_any(path: str, pages: set[str]) -> bool:
    return any(page == path or page.startswith(f"{path}/") for page in pages)


def _list_pages(root: Path, models: Sequence[str]) -> Iterator[str]:
    """The paths of the pages in a folder, in any language."""
    for folder in root.glob("content/*"):
        for path in folder.glob("**/*.md"):
            place = path.relative_to(folder).parent
            if path.stem == "index":
                yield place.as_posix().removeprefix(".")
            elif path.stem.startswith("_"):
                yield from ((place / path.stem[1:].replace("model", model)).as_posix() for model in models)
            else:
                yield (place / path.stem).as_posix()


def _all(words: Sequence[str]) -> str:
    return ", ".join(repr(word[:LONGEST_SHOWN]) for word in words)
