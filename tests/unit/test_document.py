"""The TOML document: every key that is read has its place, and an edit changes one thing."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.config.document import Document, KeyPath
from dsmilctl.config.edit import key_literal, literal, with_value, without
from dsmilctl.errors import ConfigError

TEXT = """\
# a comment with [brackets] and k = v
top = 1
  "quoted key" . 'and.dotted' = "a # no comment"   # a comment

[table] # comment
array = [ 1, [2, "]"],  # one
  { x = 1, y.z = '}' },
]
many = '''
[not a table]
k = 1'''
escaped = \"\"\"a\\\" \"\" b\"\"\"
date = 1979-05-27 07:32:00

[table.sub]
[[entries]]
name = "first"
[[entries]]
name = "second"
[entries.detail]
deep = true
[[entries.inner]]
k = 1
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("top",), (2, 1)),
        (("quoted key", "and.dotted"), (3, 3)),
        (("table",), (5, 1)),
        (("table", "array"), (6, 1)),
        (("table", "array", 0), (6, 11)),
        (("table", "array", 1, 1), (6, 18)),
        (("table", "array", 2, "x"), (7, 5)),
        (("table", "array", 2, "y", "z"), (7, 12)),
        (("table", "many"), (9, 1)),
        (("table", "escaped"), (12, 1)),
        (("table", "date"), (13, 1)),
        (("table", "sub"), (15, 1)),
        (("entries", 0), (16, 1)),
        (("entries", 0, "name"), (17, 1)),
        (("entries", 1, "name"), (19, 1)),
        (("entries", 1, "detail", "deep"), (21, 1)),
        (("entries", 1, "inner", 0, "k"), (23, 1)),
        (("table", "absent"), (5, 1)),
        ((), (1, 1)),
    ],
)
def test_every_key_has_its_line_and_column(path: KeyPath, place: tuple[int, int]) -> None:
    assert Document(TEXT).place(path) == place


def paths_of(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_of(inner, (*path, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths_of(inner, (*path, number))


WORDS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    WORDS,
    st.sampled_from(["#", "]"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(WORDS, VALUES, max_size=4)
COMMENTS = st.sampled_from(["", " # [x]", "\t#'\"", "\r", "\n\n", "\n# k = 1\n"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Texts of any shape: top keys, tables and arrays of tables, with comments between."""
    text = "".join(
        f"{key_literal(key)} = {literal(value)}{draw(COMMENTS)}\n" for key, value in draw(TABLES).items()
    )
    for number, body in enumerate(draw(st.lists(TABLES, max_size=3))):
        head = draw(st.sampled_from([f"[t{number}]", f"[ 't{number}' . a ]", "[[list]]"]))
        text += f"{head}{draw(COMMENTS)}\n"
        text += "".join(
            f"  {key_literal(key)}={literal(value)}{draw(COMMENTS)}\n" for key, value in body.items()
        )
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # a table and a key of one name
        return ""
    return text


@settings(deadline=None)
@given(documents())
def test_every_key_that_the_standard_library_reads_is_located(text: str) -> None:
    document = Document(text)

    assert [path for path in paths_of(document.data) if not document.located(path)] == []
    for statement in document.statements:
        assert text[: statement.start].rpartition("\n")[2].strip(" ") == ""


@settings(deadline=None)
@given(TABLES)
def test_what_is_written_as_toml_is_read_the_same(table: dict[str, Any]) -> None:
    text = "".join(f"{key_literal(key)} = {literal(value)}\n" for key, value in table.items())

    assert tomllib.loads(text) == table


@settings(deadline=None)
@given(documents(), st.sampled_from([("a",), ("t0", "a"), ("t0", "b", "c"), ("new", "x")]), SCALARS)
def test_an_edit_changes_one_value_and_no_comment_or_is_refused(text: str, path: KeyPath, value: Any) -> None:
    try:
        edited = with_value(Document(text), path, value)
    except ConfigError:
        return

    data = tomllib.loads(edited)
    found: Any = data
    for part in path:
        found = found[part]
    assert found == value
    assert edited.count("#'\"") >= text.count("#'\"")


def test_a_table_is_taken_out_and_everything_else_stays() -> None:
    text = "# top\n[contexts.a] # a\nk = 1\n\n[contexts.b]\n# b\nk = 2\n[contexts.a.options]\nz = 1\n# end\n"

    assert without(Document(text), ("contexts", "a")) == "# top\n\n[contexts.b]\n# b\nk = 2\n# end\n"


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    assert Document("a = 1\r\n[t]\r\nb = 2\r\n").place(("t", "b")) == (3, 1)
