"""Markdown as the site writes it, and what becomes of it in HTML and in twins."""

import re

import pytest
import yaml

from runapi.web.site.fences import read_fence
from runapi.web.site.markdown import MarkdownWriter, slug_of
from runapi.web.site.twins import write_twin

TABS = """::: tabs
```bash title="curl"
curl http://x
```

```python skip="needs a desktop"
print(1)
```
:::
"""


def html(text: str) -> str:
    return MarkdownWriter().render(text, lambda key: f"<{key}>").html


def twin(body: str) -> str:
    return write_twin({"title": "T"}, body, lambda kind: f"{kind.capitalize()}:").split("# T\n\n")[1]


def test_tabs_are_radio_buttons_that_need_no_script():
    page = html(TABS + "\n" + TABS)
    assert page.count('type="radio"') == 4
    assert page.count(" checked") == 2
    assert len(set(re.findall(r' id="([^"]+)"', page))) == 4
    assert re.findall(r"<label[^>]*>(.*?)</label>", page) == ["curl", "Python"] * 2
    assert page.count('<div class="panel code">') == 4
    assert 'aria-label="&lt;tabs&gt;"' in page


def test_tabs_are_blocks_one_after_the_other_in_the_twin():
    assert twin(TABS) == '```bash title="curl"\ncurl http://x\n```\n\n```python\nprint(1)\n```\n'


def test_callouts_are_notes_and_quotations():
    source = "before\n\n::: warning\nTake *care*.\n\n- a\n:::\n\nafter"
    page = html(source)
    assert '<div class="callout warning" role="note"><p class="callout-label">&lt;warning&gt;</p>' in page
    assert "<em>care</em>" in page
    assert twin(source) == "before\n\n> **Warning:**\n> Take *care*.\n>\n> - a\n\nafter\n"


def test_containers_in_code_stay_as_they_are():
    source = "```text\n::: tabs\n```\n\n~~~~\n::: note\n```\n~~~~\n\n:::: columns\n::: column\na\n:::\n::::\n"
    assert twin(source) == "```text\n::: tabs\n```\n\n~~~~\n::: note\n```\n~~~~\n\na\n"


def test_html_in_markdown_is_text():
    assert "<script>" not in html("<script>alert(1)</script>\n\n<b>x</b> [x](javascript:alert(1))")
    assert "href" not in html("[x](javascript:alert(1))")


def test_code_is_coloured_by_classes_and_never_by_styles():
    page = html('```python\nx = "<a>" # é\n```\n\n```nosuchlanguage\n<i>\n```\n\n```\nplain <\n```')
    assert "&lt;a&gt;" in page
    assert '<span class="c1">' in page
    assert "style=" not in page
    assert "&lt;i&gt;" in page
    assert "plain &lt;" in page
    assert re.findall(r"<figcaption>(.*?)</figcaption>", page) == ["Python", "nosuchlanguage"]


def test_table_cells_are_aligned_by_classes():
    page = html("| a | b |\n|:-:|--:|\n| 1 | 2 |")
    assert '<th class="center" scope="col">a</th>' in page
    assert '<td class="right">2</td>' in page
    assert "style=" not in page


def test_names_are_broken_between_their_parts_or_not_at_all():
    assert '<code class="whole">x-runapi-dropped</code>' in html("`x-runapi-dropped`")
    assert "<code>a-name-that-is-too-long-for-that</code>" in html("`a-name-that-is-too-long-for-that`")
    assert "<code>curl -X GET</code>" in html("`curl -X GET`")
    assert "<code>max_completion_tokens</code>" in html("`max_completion_tokens`")
    cells = html(
        "| `max_completion_tokens` | `a.b` | `/v1/chat/completions` |\n|---|---|---|\n| `<b>_&amp;_long_one` | |"
    )
    assert "<code>max_<wbr>completion_<wbr>tokens</code>" in cells
    assert "<code>a.b</code>" in cells
    assert "<code>/v1/<wbr>chat/<wbr>completions</code>" in cells
    assert "<code>&lt;b&gt;_&amp;amp;_long_<wbr>one</code>" in cells


def test_tables_of_text_say_in_each_cell_what_it_is_for_phones():
    text = "| name | `type` | what | |\n|---|---|---|---|\n| a | b | c | d |"
    page = html(text.replace("| |", "| why |"))
    assert '<div class="table stack">' in page
    assert (
        '<td>a</td>\n<td data-head="type">b</td>\n<td data-head="what">c</td>\n<td data-head="why">d</td>'
        in page
    )
    assert '<div class="table stack">' in html(text)
    assert "data-head" not in html(text), "one of its heads is empty"
    figures = html("| name | in | out |\n|---|--:|--:|\n| a | 1 | 2 |")
    narrow = html("| name | what |\n|---|---|\n| a | b |")
    compared = html("| | a | b |\n|---|---|---|\n| size | 1 | 2 |")
    assert not any("stack" in one for one in (figures, narrow, compared))


def test_table_without_heads_has_them_in_its_rows():
    page = html("| | |\n|---|---|\n| a | 1 |\n| b | 2 |\n\n| x | y |\n|---|---|\n| c | 3 |")
    assert page.count("<thead>") == 1
    assert re.findall(r'<th scope="row">(.)</th>', page) == ["a", "b"]
    assert "<td>c</td>" in page


def test_head_that_is_empty_is_no_head():
    page = html("| a | |\n|---|--:|\n| 1 | 2 |")
    assert '<th scope="col">a</th>\n<td class="right"></td>' in page


def test_headings_can_be_linked_to_in_any_script():
    rendered = MarkdownWriter().render(
        "## What it `costs`?\n\n### 串流 與 用量\n\n## What it costs\n\n#### deep", str
    )
    assert [(heading.level, heading.slug) for heading in rendered.headings] == [
        (2, "what-it-costs"),
        (3, "串流-與-用量"),
        (2, "what-it-costs-2"),
    ]
    assert '<h2 id="what-it-costs-2">' in rendered.html


@pytest.mark.parametrize(
    ("text", "slug"), [("", "section"), ("!?", "section"), ("A  b--C", "a-b-c"), ("GET /v1", "get-v1")]
)
def test_slugs_are_plain(text: str, slug: str):
    assert slug_of(text) == slug


@pytest.mark.parametrize(
    ("info", "label", "skip"),
    [
        ("bash", "Shell", ""),
        ('python title="A b" skip="it is long"', "A b", "it is long"),
        ("json file=~/.openclaw/openclaw.json", "~/.openclaw/openclaw.json", ""),
        ('json title="x" file=y', "x", ""),
        ('bash title="unclosed', '"unclosed', ""),
        ("text", "", ""),
        ("", "", ""),
        ("rust", "rust", ""),
    ],
)
def test_line_that_opens_code_is_read(info: str, label: str, skip: str):
    fence = read_fence(info)
    assert (fence.label, fence.skip) == (label, skip)


def test_front_matter_is_yaml_whatever_the_title_holds():
    head = {"title": 'a: "b" #c\\', "url": "http://x"}
    assert yaml.safe_load(write_twin(head, "", str).split("---\n")[1]) == head
