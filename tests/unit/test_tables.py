"""Tables: columns that line up, whatever characters they hold, and fit where there is too little room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.tables import Column, Table, columns_taken, filled, lay_out, plain, shorten

NAME = Column("name", flexible=True)
VALUE = Column("value", right=True)
ERROR = Column("error", sparse=True)
TEXTS = st.text(max_size=30)


def test_columns_are_as_wide_as_what_they_hold_and_numbers_stand_to_the_right() -> None:
    rows = [{"name": "boiler", "value": 5}, {"name": "fan", "value": 1200}]

    assert lay_out(rows, [NAME, VALUE]) == ["NAME    VALUE", "boiler      5", "fan      1200"]


def test_a_sparse_column_shows_only_where_a_row_has_something_in_it() -> None:
    good, bad = {"name": "fan", "error": None}, {"name": "boiler", "error": "silent"}

    assert lay_out([good], [NAME, ERROR]) == ["NAME", "fan"]
    assert lay_out([good, bad], [NAME, ERROR]) == ["NAME    ERROR", "fan", "boiler  silent"]
    assert filled([good], [NAME, ERROR]) == [NAME]


def test_flexible_columns_are_cut_first_where_the_terminal_is_narrow() -> None:
    rows = [{"name": "a very long name of a device", "value": 123456789}]

    lines = lay_out(rows, [NAME, VALUE], 25)

    assert lines == ["NAME                VALUE", "a very long n…  123456789"]


@given(
    st.lists(st.fixed_dictionaries({"name": TEXTS, "value": st.integers()}), max_size=8), st.integers(20, 60)
)
def test_no_line_is_wider_than_the_terminal_and_none_is_cut_without_one(
    rows: list[dict[str, object]], width: int
) -> None:
    cut = lay_out(rows, [NAME, VALUE], width)
    whole = lay_out(rows, [NAME, VALUE])

    assert len(cut) == len(whole) == len(rows) + 1
    assert all(columns_taken(line) <= width for line in cut)
    assert not any("…" in line for line in whole) or any("…" in str(row) for row in rows)


@given(TEXTS, st.integers(1, 30))
def test_a_shortened_text_fits_and_is_a_beginning(text: str, width: int) -> None:
    short = shorten(text, width)

    assert columns_taken(short) <= max(width, 1)
    assert text.startswith(short.removesuffix("…"))


@pytest.mark.parametrize(
    ("text", "taken"), [("", 0), ("abc", 3), ("é", 1), ("e\u0301", 1), ("温度", 4), ("\uff37", 2), ("°", 1)]
)
def test_a_text_takes_the_columns_that_a_terminal_gives_it(text: str, taken: int) -> None:
    assert columns_taken(text) == taken


def test_wide_characters_leave_the_columns_in_line() -> None:
    lines = lay_out([{"name": "温度", "value": 5}, {"name": "fan", "value": 7}], [NAME, VALUE])

    assert {columns_taken(line) for line in lines} == {11}


def test_a_stream_keeps_its_columns_and_only_ever_widens_them() -> None:
    table = Table([NAME, VALUE])

    first = table.lines([{"name": "fan", "value": 1}])
    wider = table.lines([{"name": "boiler house", "value": 2}])
    again = table.lines([{"name": "fan", "value": 3}])

    assert first == ["fan       1"]
    assert wider == ["boiler house      2"]
    assert again == ["fan               3"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (0.1 + 0.2, "0.3"),
        (1e12, "1e+12"),
        (7, "7"),
        (["a", None, 2], "a, , 2"),
        ({"k": 1, "l": [2, 3]}, "k=1, l=2, 3"),
    ],
)
def test_a_value_is_text_that_a_person_reads(value: object, text: str) -> None:
    assert plain(value) == text


def test_what_a_cell_holds_cannot_steer_the_terminal() -> None:
    lines = lay_out([{"name": "\x1b[31mred\u202e\nnext", "value": 1}], [NAME, VALUE])

    assert lines[1].startswith(r"\x1b[31mred\u202e\x0anext")
    assert len(lines) == 2
