"""The blocks of code of the site's pages: found in the content files, and in the twins that visitors get."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from markdown_it import MarkdownIt

import runapi
from runapi.web.site.fences import read_fence

SITE = Path(runapi.__file__).parent / "web" / "site"
CONTENT = SITE / "content"
ENGLISH = CONTENT / "en"
MACROS = sorted((SITE / "templates").glob("*.md.j2"))
MODELS = tuple(yaml.safe_load((SITE.parents[1] / "data" / "models.yaml").read_text("utf-8"))["models"])

RUN = ("bash", "javascript", "python")
PARSED = ("json", "toml", "yaml")
SHOWN = ("text",)

_BLANK_LINES = re.compile(r"\n{3,}")
_VALUE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_parser = MarkdownIt("commonmark")


@dataclass(frozen=True)
class Fence:
    """One block of code."""

    language: str
    code: str
    file: str = ""
    skip: str = ""


def read_fences(markdown: str) -> list[Fence]:
    """Find every block of code in a text, in its order."""
    fences = []
    for token in _parser.parse(markdown):
        if token.type == "fence":
            head = read_fence(token.info)
            code = _BLANK_LINES.sub("\n\n", token.content)
            fences.append(Fence(head.language, code, head.file, head.skip))
    return fences


def names_of_pages(folder: Path = ENGLISH) -> list[str]:
    """The content files of a locale, without their ending: "docs/streaming"."""
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("**/*.md"))


def twins_of(name: str) -> list[str]:
    """The URL paths of the twins that one English content file makes."""
    head, _, stem = name.rpartition("/")
    if stem.startswith("_"):
        made = [stem[1:].replace("model", model) for model in MODELS]
        return [f"/{head}/{one}.md" if head else f"/{one}.md" for one in made]
    if stem == "index":
        return [f"/{head}.md" if head else "/index.md"]
    return [f"/{name}.md"]


def skipped(path: Path) -> Iterator[tuple[re.Pattern[str], str]]:
    """What a file says must not be run, and why; values in the code stand for anything."""
    for fence in read_fences(path.read_text("utf-8")):
        if fence.skip:
            known = map(re.escape, _VALUE.split(fence.code))
            yield re.compile(".*?".join(known), re.DOTALL), fence.skip


def reason_to_skip(name: str, code: str) -> str:
    """Why a block of a page's twin must not be run; empty where it is run."""
    for path in (ENGLISH / f"{name}.md", *MACROS):
        for pattern, reason in skipped(path):
            if pattern.fullmatch(code):
                return reason
    return ""
