"""Single values change; comments, order and layout of the rest stay, and what cannot be changed safely is refused."""

import tomllib

import pytest

from runapi.wire.client_config.fault import ConfigFault
from runapi.wire.client_config.toml_edit import put, remove
from runapi.wire.client_config.toml_reader import read_toml, statements

OLD = """\
# how I like it
model = "o3" # best
notify = ["say",   # aloud
  "done"]
text = '''
[not.a.table]
a = 1
'''

[tui] # looks
theme = "x"

[[hooks]]
run = "a"

[[hooks]]
run = "b"

[model_providers.other]
base_url = "http://x" # theirs
"""


def test_value_is_replaced_and_its_comment_stays():
    assert put(OLD, ("model",), "gpt-5.5") == OLD.replace('"o3" # best', '"gpt-5.5" # best')


def test_new_values_of_the_root_stand_before_the_first_table():
    changed = put(OLD, ("web_search",), "disabled")
    assert changed.index('web_search = "disabled"') < changed.index("[tui]")
    assert changed.replace('web_search = "disabled"\n', "") == OLD


def test_new_table_stands_at_the_end_and_grows():
    changed = put(OLD, ("model_providers", "runapi", "name"), "RunAPI")
    changed = put(changed, ("model_providers", "runapi", "flag"), value=True)
    assert changed == OLD + '\n[model_providers.runapi]\nname = "RunAPI"\nflag = true\n'


def test_new_value_of_a_table_in_the_middle_stands_in_it():
    assert put(OLD, ("tui", "size"), 3) == OLD.replace('theme = "x"\n', 'theme = "x"\nsize = 3\n')


def test_file_of_tables_alone_gets_its_root_values_on_top():
    assert put("[a]\nb = 1\n", ("c",), "d") == 'c = "d"\n\n[a]\nb = 1\n'
    assert put("", ("c",), "d") == 'c = "d"\n'
    assert put("# only this", ("c",), "d") == 'c = "d"\n# only this'


def test_file_without_a_last_line_end_and_of_windows():
    assert put("a = 1", ("b",), 2) == "a = 1\nb = 2\n"
    changed = put("a = 1\r\n[t]\r\nx = 1\r\n", ("t", "y"), 2)
    assert changed == "a = 1\r\n[t]\r\nx = 1\r\ny = 2\r\n"


@pytest.mark.parametrize("value", ["", 'quo"te \\ and\nline', "é \U0001f600", "a = 1 # no", True, 0, -5])
def test_every_value_is_read_back(value):
    assert tomllib.loads(put(OLD, ("t", "strange name"), value))["t"]["strange name"] == value


def test_names_in_quotes_are_the_same_names():
    changed = put('["model_providers"."run.api"]\n"a b" = 1\n', ("model_providers", "run.api", "a b"), 2)
    assert changed == '["model_providers"."run.api"]\n"a b" = 2\n'


def test_value_is_removed_with_its_line():
    changed = put(OLD, ("tui", "size"), 3)
    assert remove(changed, ("tui", "size")) == OLD
    assert remove(OLD, ("tui", "nothing")) == OLD


def test_dotted_value_is_changed_where_it_stands():
    assert put('a.b.c = "x"\n', ("a", "b", "c"), "y") == 'a.b.c = "y"\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('x = 1\nmodel_providers.runapi.name = "x"\n', 2),
        ('\n[model_providers]\nrunapi = { name = "x" }\n', 3),
        ('[model_providers]\nrunapi.name = "x"\n', 2),
    ],
)
def test_table_in_another_form_is_refused_with_its_line(text, line):
    with pytest.raises(ConfigFault) as refused:
        put(text, ("model_providers", "runapi", "base_url"), "http://y")
    assert refused.value.line == line
    assert "[model_providers.runapi]" in refused.value.what


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[[runapi]]\na = 1\n", ("runapi", "b")),
        ("runapi = 5\n", ("runapi", "b")),
        ("a.b = 1\n", ("a", "b", "c")),
    ],
)
def test_what_is_no_table_is_refused(text, path):
    with pytest.raises(ConfigFault):
        put(text, path, 1)


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = \nc = 2\n", 2), ("a = 1\n\nb = 'x\n", 3), ("a = 1\na = 2\n", 2), ("[a", 1)],
)
def test_broken_file_is_refused_with_its_line(text, line):
    with pytest.raises(ConfigFault) as refused:
        read_toml(text)
    assert refused.value.line == line


def test_statements_are_found_in_every_form():
    text = 'a = [1, # ]\n  {b = "}"}]\nc = """\n[x]\n""" # d\n[e]\n'
    found = statements(text)
    assert [(one.path, one.is_header) for one in found] == [(("a",), False), (("c",), False), (("e",), True)]
    assert text[found[0].value_start : found[0].end] == '[1, # ]\n  {b = "}"}]'
    assert text[found[1].value_start : found[1].end] == '"""\n[x]\n"""'
