"""Pages: one thing as lines, what is nested in it below its name."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.pages import page
from dsmilctl.tables import Column, columns_taken

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
THINGS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


def test_names_and_values_stand_in_two_columns() -> None:
    assert page({"name": "boiler", "device_id": "0x8000", "reason": None, "empty": []}) == [
        "name       boiler",
        "device_id  0x8000",
        "reason     -",
        "empty      -",
    ]


def test_what_is_nested_stands_below_its_name() -> None:
    data = {"status": "NORMAL", "counts": {"total": 84, "errors": 0}, "drivers": ["sim", "host"]}

    assert page(data) == [
        "status   NORMAL",
        "counts",
        "  total   84",
        "  errors  0",
        "drivers  sim, host",
    ]


def test_a_text_of_several_lines_stands_below_itself_and_never_where_a_name_does() -> None:
    unit = "[Timer]\nOnCalendar=daily\n\n[Install]\n"

    assert page({"timer": unit, "by": "ada\nstate  SAFE\x1b[2K\r"}) == [
        "timer  [Timer]",
        "       OnCalendar=daily",
        "",
        "       [Install]",
        "by     ada",
        r"       state  SAFE\x1b[2K\x0d",
    ]


def test_things_of_one_kind_are_a_table() -> None:
    limits = {"TEMP": {"min": 0, "max": 125}, "VOLTAGE": {"min": 0, "max": 60}}
    rows = [{"driver": "sim", "options": {}}, {"driver": "host", "options": {"root": "/"}}]

    assert page({"limits": limits}) == [
        "limits",
        "           MIN  MAX",
        "  TEMP     0    125",
        "  VOLTAGE  0    60",
    ]
    assert page({"drivers": rows}) == [
        "drivers",
        "  DRIVER  OPTIONS",
        "  sim",
        "  host    root=/",
    ]


def test_a_column_says_how_a_value_is_shown() -> None:
    hexadecimal = Column("value", text=lambda row: f"0x{row['value']:02X}")

    assert page({"value": 255, "unit": "V"}, [hexadecimal, Column("unit")]) == ["value  0xFF", "unit   V"]


def test_a_page_fits_a_narrow_terminal_and_shows_nothing_that_steers_it() -> None:
    lines = page({"a\x1b": "long " * 20, "nested": {"deeper": {"x": "y" * 50}}}, width=30)

    assert all(columns_taken(line) <= 30 for line in lines)
    assert lines[0].startswith(r"a\x1b  long long")


@given(st.dictionaries(st.text(max_size=8), THINGS, max_size=5), st.integers(20, 80))
def test_every_thing_can_be_shown_on_every_width(data: dict[str, Any], width: int) -> None:
    assert all(columns_taken(line) <= width for line in page(data, width=width))
    assert len(page(data)) >= len(data)
