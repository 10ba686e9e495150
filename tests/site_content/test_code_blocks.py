"""Every block of code of every page works as it is written, against a running server."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest
import yaml

from fakes import http
from fakes.needs import need, node_24, node_modules
from fakes.server import Gateway
from site_content.examples import differences, find_json, is_error
from site_content.fences import (
    CONTENT,
    ENGLISH,
    MACROS,
    PARSED,
    RUN,
    SHOWN,
    Fence,
    names_of_pages,
    read_fences,
    reason_to_skip,
    skipped,
    twins_of,
)
from site_content.runners import Interpreter, Ran, Shell, open_node, open_python, reader

GOOD_REASON = re.compile(
    r"installs a (?:package|program)|sets your own (?:key|variable)|writes into your own folder|only sets variables.*"
    r"|changes [A-Z][\w ]+'s own (?:config|settings); the tests of the guides run it|needs [\w .-]+(?:; the tests of the guides run it)?"
)
"""Why a block is not run here; what merely fails has none of these reasons."""

PAGES = names_of_pages()
FAULT_WANTED = re.compile(r"\[\[sandbox:(?:status|cut_after)")
BROKEN_OFF = re.compile(r'^(?:data: \{"error":|event: (?:error|response\.failed)$)', re.MULTILINE)
_READ = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
TRANSLATED = sorted(
    (folder.name, name)
    for folder in CONTENT.iterdir()
    if folder.is_dir() and folder != ENGLISH
    for name in names_of_pages(folder)
)


@dataclass
class Readers:
    """Somebody at a terminal, with Python and Node."""

    gateway: Gateway
    folder: Path
    environment: dict[str, str]
    stack: ExitStack
    interpreters: dict[str, Interpreter]

    def run(self, fence: Fence, shell: Shell, folder: Path) -> Ran:
        """Run a block in its language."""
        if fence.language == "bash":
            return shell.run(fence.code)
        return self.interpreter(fence.language).run(fence.code, folder)

    def interpreter(self, language: str) -> Interpreter:
        """The interpreter of a language, started with its first block."""
        if language not in self.interpreters:
            folder = self.folder / language
            folder.mkdir(exist_ok=True)  # it is there if what runs the language was missing before
            opened = (
                open_python(folder, self.environment)
                if language == "python"
                else open_node(node_24(), node_modules(), folder, self.environment)
            )
            self.interpreters[language] = self.stack.enter_context(opened)
        return self.interpreters[language]


def readers_of(served: Gateway, folder: Path, stack: ExitStack) -> Readers:
    return Readers(served, folder, reader(folder, served.test_key, served.base_url), stack, {})


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    """Readers of a server as it comes."""
    folder = tmp_path_factory.mktemp("readers")
    served = Gateway(folder).start()
    with ExitStack() as stack:
        yield readers_of(served, folder, stack)
    served.stop()
    served.assert_clean_log()


@dataclass
class Page:
    """One English page as the server shows it."""

    name: str
    fences: list[Fence]


def fetch(gateway: Gateway, twin: str) -> Page:
    [name] = [name for name in PAGES if twin in twins_of(name)]
    answer = http.request(gateway.url, "GET", twin)
    assert answer.status == 200, answer.body
    return Page(name, read_fences(answer.body.decode()))


@pytest.fixture(params=[twin for name in PAGES for twin in twins_of(name)])
def page(request: pytest.FixtureRequest, readers: Readers) -> Page:
    return fetch(readers.gateway, request.param)


def test_every_block_runs(page: Page, readers: Readers, tmp_path: Path):
    run_all(page, readers, tmp_path)


def test_page_of_embeddings_runs_where_there_are_models_for_it(rich_gateway: Gateway, tmp_path: Path):
    with ExitStack() as stack:
        page = fetch(rich_gateway, "/docs/embeddings.md")
        assert {fence.language for fence in page.fences} == {*RUN, "json"}
        run_all(page, readers_of(rich_gateway, tmp_path, stack), tmp_path)


def run_all(page: Page, readers: Readers, folder: Path) -> None:
    """Run a page's blocks from top to bottom, and compare its examples with what its commands print."""
    need("curl", "the pages begin with it")
    with Shell(folder, readers.environment) as shell:
        command: tuple[Fence, Ran] | None = None  # the last of the shell's
        for fence in page.fences:
            if fence.language in PARSED:
                shown = _READ[fence.language](fence.code)
                if command and fence.language == "json" and not fence.file:
                    check_example(shown, *command)
                command = None
            elif fence.language in RUN and not reason_to_skip(page.name, fence.code):
                ran = readers.run(fence, shell, folder)
                assert not ran.fault, f"{fence.code}\n{ran.printed}\n{ran.fault}"
                if fence.language == "bash":
                    check_refusal(fence, ran, page)
                    command = fence, ran


def check_example(shown: object, fence: Fence, ran: Ran) -> None:
    """The example behind a command has the keys of what the command printed; a refusal, its words."""
    real = find_json(ran.printed)
    if real is not None:
        assert not differences(shown, real), f"{fence.code}\n{ran.printed}"


def check_refusal(fence: Fence, ran: Ran, page: Page) -> None:
    """A command is refused only where the page shows or asks for that."""
    behind = page.fences[page.fences.index(fence) + 1 :]
    example = next((one for one in behind if one.language in ("json", "bash")), None)
    shows_error = example is not None and example.language == "json" and is_error(json.loads(example.code))
    refused = is_error(find_json(ran.printed)) or bool(BROKEN_OFF.search(ran.printed))
    wanted = shows_error or bool(FAULT_WANTED.search(fence.code))
    assert refused == wanted, f"{fence.code}\n{ran.printed}"


def test_all_languages_are_known(page: Page):
    assert {fence.language for fence in page.fences} <= {*RUN, *PARSED, *SHOWN}


def test_blocks_that_are_not_run_have_a_good_reason():
    files = [*(ENGLISH / f"{name}.md" for name in PAGES), *MACROS]
    given = {reason for path in files for _, reason in skipped(path)}
    assert not [reason for reason in given if not GOOD_REASON.fullmatch(reason)]


def test_translations_have_the_same_code():
    """Only comments may be in another language."""
    different = [
        f"{locale}/{name}, block {number}"
        for locale, name in TRANSLATED
        for number, pair in enumerate(
            zip_longest(
                *(read_fences((CONTENT / one / f"{name}.md").read_text("utf-8")) for one in (locale, "en"))
            ),
            1,
        )
        if None in pair or comparable(pair[0]) != comparable(pair[1])
    ]
    assert not different


_COMMENTS: dict[str, Callable[[str], str]] = {
    "bash": lambda code: re.sub(r"(?m)(^|\s)#.*$", "", code),
    "python": lambda code: re.sub(r"(?m)(^|\s)#.*$", "", code),
    "toml": lambda code: re.sub(r"(?m)(^|\s)#.*$", "", code),
    "yaml": lambda code: re.sub(r"(?m)(^|\s)#.*$", "", code),
    "javascript": lambda code: re.sub(r"(?m)(^|\s)//.*$", "", code),
}


def comparable(fence: Fence) -> tuple[str, str, str, str]:
    """A block without its comments."""
    plain = _COMMENTS.get(fence.language, str)(fence.code)
    return fence.language, fence.file, fence.skip, plain
