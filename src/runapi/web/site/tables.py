"""Tables as a browser needs them: with classes for their cells, heads for their rows, and a form that fits a phone."""

from collections.abc import Iterator, Sequence

from markdown_it.token import Token

LEAST_STACKED = 3
"""Columns of text that do not fit a phone side by side: there each row is a block, with its cells below each other."""

_MOST_RIGHT = 1  # columns of figures in it; one that has more is compared column by column, and scrolls
_CELLS = ("th_open", "td_open")
_CELL_TOKENS = 3  # what a cell is made of: opening, text, closing


def shape_tables(tokens: list[Token]) -> list[Token]:
    """Shape every table among the tokens of a page."""
    for start, end in _tables(tokens):
        cells = [index for index in range(start, end) if tokens[index].type in _CELLS]
        for index in cells:
            _class_cell(*tokens[index : index + _CELL_TOKENS])
        _stack(tokens[start], [tokens[index : index + _CELL_TOKENS] for index in cells])
    return _without_empty_heads(tokens)


def _tables(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    start = 0
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            start = index
        elif token.type == "table_close":
            yield start, index


def _stack(table: Token, cells: Sequence[Sequence[Token]]) -> None:
    """Mark a table of text with many columns; its cells say what they are, if all of its heads do."""
    heads = [_text_of(inline) for opening, inline, _ in cells if opening.type == "th_open"]
    figures = sum(opening.attrs.get("class") == "right" for opening, _, _ in cells[: len(heads)])
    if len(heads) < LEAST_STACKED or figures > _MOST_RIGHT or not heads[0]:
        return
    table.meta["stacks"] = True
    if all(heads):
        for place, (opening, _, _) in enumerate(cells[len(heads) :]):
            if place % len(heads):
                opening.attrSet("data-head", heads[place % len(heads)])


def _text_of(inline: Token) -> str:
    return "".join(
        child.content for child in inline.children or () if child.type in ("text", "code_inline")
    ).strip()


def _class_cell(opening: Token, inline: Token, closing: Token) -> None:
    """An alignment as a class, for the security policy forbids style attributes; a head that is empty heads nothing."""
    style = opening.attrs.pop("style", None)
    if style is not None:
        opening.attrSet("class", str(style).removeprefix("text-align:"))
    if opening.type == "th_open" and inline.content.strip():
        opening.attrSet("scope", "col")
    elif opening.type == "th_open":
        opening.tag = closing.tag = "td"
    for child in inline.children or ():
        child.meta["in_cell"] = True


def _without_empty_heads(tokens: list[Token]) -> list[Token]:
    """Make a table whose head is empty a list of names and values: without a head, and with names as row heads."""
    kept: list[Token] = []
    index = 0
    is_headless = False
    while index < len(tokens):
        token = tokens[index]
        if token.type == "thead_open":
            end = next(i for i in range(index, len(tokens)) if tokens[i].type == "thead_close")
            is_headless = not any(inner.content.strip() for inner in tokens[index:end])
            if is_headless:
                index = end + 1
                continue
        if is_headless and token.type == "tr_open":
            _make_row_head(tokens, index)
        kept.append(token)
        index += 1
    return kept


def _make_row_head(tokens: Sequence[Token], row: int) -> None:
    opening = tokens[row + 1]
    closing = next(token for token in tokens[row:] if token.type == "td_close")
    opening.tag = closing.tag = "th"
    opening.attrSet("scope", "row")
