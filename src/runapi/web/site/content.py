"""The content files: which pages there are in which locale, and their text.

A file of the operator's own folder takes the place of ours with the same name. Files that change are read again, so that
whoever edits a page sees it at once.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import structlog
import yaml

PACKAGED = Path(__file__).parent
DEFAULT_LOCALE = "en"
LOOK_EVERY_S = 2.0
_EDGE = "---\n"
_log = structlog.get_logger("runapi.site")
_Stamp = tuple[tuple[str, int, int], ...]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ContentFault(Exception):  # noqa: N818 - what is wrong with a file that somebody edits
    """A content file or a file of strings cannot be used; the text names it and says why."""


class FrontMatter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a content file says of itself, between its two lines of ---."""

    title: str
    description: str
    section: str
    order: int = 100
    menu: str = ""  # a shorter title, for menus
    layout: str = "page"


class ContentFile(msgspec.Struct, frozen=True):
    """One Markdown file, values not filled in."""

    name: str  # "docs/streaming", "index", "models/_model"
    meta: FrontMatter
    body: str
    source: str  # the path, for messages about it


class Page(msgspec.Struct, frozen=True):
    """What one URL shows in one locale."""

    path: str  # without locale and first slash; the first page's is empty
    locale: str
    file: ContentFile
    model: str | None = None  # of a page that stands for a model


class Strings(msgspec.Struct, frozen=True):
    """The short texts of one locale."""

    locale: str
    name: str  # what the language calls itself
    texts: Mapping[str, str]
    summaries: Mapping[str, str] = {}  # a sentence for each model


class Library(msgspec.Struct, frozen=True):
    """Everything that was read from files, at one moment."""

    pages: Mapping[str, Mapping[str, Page]]  # locale -> path -> page
    strings: Mapping[str, Strings]
    version: int
    hidden: frozenset[str] = frozenset()  # paths that there would be, if the operator did not hide them
    faults: tuple[str, ...] = ()  # of files that are left out; what they would replace is shown

    @property
    def locales(self) -> tuple[str, ...]:
        """The locales there are, English first."""
        return tuple(self.strings)

    def find(self, locale: str, path: str) -> Page | None:
        return self.pages.get(locale, {}).get(path)


class Shelf:
    """Reads the library from the operator's folder and ours, and again when files or models change."""

    def __init__(self, own: Path, locales: Sequence[str], hidden: Sequence[str]) -> None:
        """Take the operator's folder, the locales to show (none: all) and the paths that are not shown."""
        self.roots = (own, PACKAGED)
        self._locales = locales
        self._hidden = tuple(path.strip("/") for path in hidden)
        self._files: dict[tuple[str, int, int], ContentFile] = {}
        self._stamp: tuple[_Stamp, tuple[str, ...]] | None = None
        self._looked_s = -LOOK_EVERY_S
        self._models: tuple[str, ...] = ()
        self._library = Library({}, {}, 0)
        self._faults: list[str] = []

    def newest(self, models: tuple[str, ...]) -> Library | None:
        """The library with a page for each of these models; None when it is time to `look` again."""
        is_due = time.monotonic() - self._looked_s >= LOOK_EVERY_S
        return None if is_due or models != self._models else self._library

    def look(self, models: tuple[str, ...]) -> Library:
        """Read what has changed: many files at first, mostly none later. Not for two threads at once."""
        stamp = (tuple(self._stamps()), models)
        if stamp != self._stamp:
            self._library = self._read(models)
            self._stamp = stamp
        self._looked_s, self._models = time.monotonic(), models
        return self._library

    def is_hidden(self, path: str) -> bool:
        """Whether the operator hides this page, or the folder that it is in."""
        return any(path == hidden or path.startswith(f"{hidden}/") for hidden in self._hidden if hidden)

    def _stamps(self) -> Iterator[tuple[str, int, int]]:
        for root in self.roots:
            for pattern in ("content/**/*.md", "locales/*.yaml"):
                for path in sorted(root.glob(pattern)):
                    stat = path.stat()
                    yield str(path), stat.st_mtime_ns, stat.st_size

    def _read(self, models: tuple[str, ...]) -> Library:
        self._faults = []
        strings = {
            locale: found
            for locale in self._list_locales()
            if (found := self._read_strings(locale)) is not None
        }
        strings = {locale: _complete(found, strings[DEFAULT_LOCALE]) for locale, found in strings.items()}
        everything = {locale: self._list_pages(locale, models) for locale in strings}
        hidden = frozenset(path for pages in everything.values() for path in pages if self.is_hidden(path))
        shown = {
            locale: {path: page for path, page in pages.items() if path not in hidden}
            for locale, pages in everything.items()
        }
        for fault in self._faults:
            _log.error("file of the site left out", reason=fault)
        return Library(shown, strings, self._library.version + 1, hidden, tuple(self._faults))

    def _list_locales(self) -> list[str]:
        """English first, then the rest in the order of the setting, or of the alphabet."""
        found = {path.stem for root in self.roots for path in root.glob("locales/*.yaml")}
        order = self._locales or sorted(found)
        rest = [locale for locale in order if locale in found and locale != DEFAULT_LOCALE]
        return [DEFAULT_LOCALE, *rest]

    def _read_strings(self, locale: str) -> Strings | None:
        """The strings of a locale, the operator's over ours; None if there are none that can be used."""
        texts: dict[str, str] = {}
        summaries: dict[str, str] = {}
        for root in reversed(self.roots):
            path = root / "locales" / f"{locale}.yaml"
            if path.exists():
                try:
                    read = _read_yaml(path)
                    of_models = _texts(read.pop("model_summaries", {}), path)
                    texts |= _texts(read, path)
                    summaries |= of_models
                except ContentFault as fault:
                    self._faults.append(str(fault))
        if "language" not in texts:
            self._faults.append(f'{locale}.yaml has no "language": say what the language calls itself')
            return None
        return Strings(locale, texts["language"], texts, summaries)

    def _list_pages(self, locale: str, models: tuple[str, ...]) -> dict[str, Page]:
        pages: dict[str, Page] = {}
        for root in reversed(self.roots):
            folder = root / "content" / locale
            for path in sorted(folder.glob("**/*.md")):
                name = path.relative_to(folder).with_suffix("").as_posix()
                try:
                    file = self._read_file(path, name)
                except ContentFault as fault:
                    self._faults.append(str(fault))
                else:
                    pages |= {page.path: page for page in _expand(file, locale, models)}
        plain = {path: page for path, page in pages.items() if page.model is None}
        return {**pages, **plain}  # a page of its own goes before one of a family

    def _read_file(self, path: Path, name: str) -> ContentFile:
        stat = path.stat()
        key = str(path), stat.st_mtime_ns, stat.st_size
        if key not in self._files:
            self._files[key] = read_content(path, name)
        return self._files[key]


def read_content(path: Path, name: str) -> ContentFile:
    """Read one content file.

    Raises:
        ContentFault: it is no UTF-8, or its front matter is missing or wrong.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ContentFault(f"{path}: is not UTF-8 text") from None
    opening, found, rest = text.partition(_EDGE)
    head, ended, body = rest.partition(f"\n{_EDGE}")
    if opening or not found or not ended:
        raise ContentFault(f"{path}: must begin with front matter between two lines of ---")
    try:
        read = yaml.load(head, _LOADER)  # noqa: S506 - a safe loader, the fast one
        meta = msgspec.convert(read, FrontMatter)
    except (yaml.YAMLError, msgspec.ValidationError) as fault:
        raise ContentFault(f"{path}: the front matter is wrong: {fault}") from None
    return ContentFile(name, meta, body.strip("\n") + "\n", str(path))


def _expand(file: ContentFile, locale: str, models: tuple[str, ...]) -> Iterator[Page]:
    """The pages that a file makes: one, or for a family one a model."""
    folder, _, stem = file.name.rpartition("/")
    if stem.startswith("_"):
        for model in models:
            yield Page(
                "/".join(filter(None, (folder, stem[1:].replace("model", model)))), locale, file, model
            )
    else:
        yield Page(folder if stem == "index" else file.name, locale, file)


def _complete(strings: Strings, english: Strings) -> Strings:
    """Put English words in the place of those that a file of the operator's lacks, as one may that is older than we."""
    return msgspec.structs.replace(strings, texts={**english.texts, "offer": strings.name, **strings.texts})


def _read_yaml(path: Path) -> dict[str, object]:
    try:
        read = yaml.load(path.read_text("utf-8-sig"), _LOADER)  # noqa: S506 - a safe loader, the fast one
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise ContentFault(f"{path}: cannot be read: {fault}") from None
    if not isinstance(read, dict):
        raise ContentFault(f"{path}: must be lines of `key: text`")
    return read


def _texts(read: object, path: Path) -> dict[str, str]:
    try:
        return msgspec.convert(read, dict[str, str])
    except msgspec.ValidationError as fault:
        raise ContentFault(f"{path}: every key must have a text: {fault}") from None
