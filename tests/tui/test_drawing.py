"""What the dashboard draws with: inert text, fitting, rings, series, scales, ASCII and the sparing pen."""

from __future__ import annotations

import math
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from dsmilctl.model.register import Register
from dsmilctl.tui.inert import HARMFUL, LONGEST, fit, fit_ending, inert
from dsmilctl.tui.pen import Pen
from dsmilctl.tui.plain import plain, terminal_is_plain
from dsmilctl.tui.plot import PLOT, _path
from dsmilctl.tui.ring import BLOCKS, SECONDS, Ring, blocks
from dsmilctl.tui.scale import label, round_range, steady_range
from dsmilctl.tui.series import DOTS, Series
from dsmilctl.tui.units import age_text, milliseconds_text, rate_text, value_text
from dsmilctl.tui.widgets.line import difference

TEXTS = st.text(st.characters(codec=None), max_size=80)


@given(st.text(max_size=2000))
def test_inert_text_holds_nothing_that_steers_a_terminal(text: str) -> None:
    shown = inert(text)
    assert not any(unicodedata.category(character) in HARMFUL for character in shown)
    assert len(shown) <= LONGEST + 1


def test_text_that_is_harmless_already_stays_as_it_is() -> None:
    for text in ("boiler-1", "Kühlung 漢字 שלום", "[red]x[/]", "=cmd()"):
        assert inert(text) == text


@given(TEXTS, st.integers(0, 40))
def test_a_name_that_is_fitted_takes_exactly_its_cells(text: str, width: int) -> None:
    assert cell_len(fit_ending(inert(text), width)) == width


@given(TEXTS, st.integers(0, 40), st.booleans())
def test_a_text_that_is_fitted_takes_exactly_its_cells(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(inert(text), width, right)) == width


@given(TEXTS)
def test_in_ascii_every_character_keeps_its_width(text: str) -> None:
    shown = inert(text)
    assert plain(shown).isascii()
    assert cell_len(plain(shown)) == cell_len(shown)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LC_ALL": "C"}, True),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "en_US.ISO-8859-1"}, True),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, False),
        ({"LC_ALL": "", "LC_CTYPE": "C.UTF-8"}, False),
        ({}, False),
    ],
)
def test_the_locale_says_whether_the_terminal_shows_utf_8(
    environment: dict[str, str], expected: bool
) -> None:
    assert terminal_is_plain(environment) is expected


def test_a_ring_holds_an_unchanged_value_and_leaves_a_gap_where_nothing_was_heard() -> None:
    ring = Ring()
    ring.put(100, 1.0)
    ring.put(104, 2.0)  # reached all the time, unchanged until now
    ring.put(110, 3.0, held_until=106)  # silent from 107 to 109

    window = ring.window(110)
    assert window[-11:-6] == [1.0, 1.0, 1.0, 1.0, 2.0]
    assert window[-6:-4] == [2.0, 2.0]
    assert all(math.isnan(value) for value in window[-4:-1])
    assert window[-1] == 3.0
    assert len(window) == SECONDS


@given(st.lists(st.tuples(st.integers(1, 90), st.floats(-50, 50, width=32)), min_size=1, max_size=30))
def test_a_ring_remembers_what_a_list_of_every_second_would(steps: list[tuple[int, float]]) -> None:
    ring, second, model = Ring(), 1000, dict[int, float]()
    for gap, value in steps:
        last = model.get(second)
        if last is not None:
            model |= dict.fromkeys(range(second + 1, second + gap), last)
        second += gap
        ring.put(second, value)
        model[second] = value
    expected = [model.get(second - SECONDS + 1 + place, math.nan) for place in range(SECONDS)]
    assert [str(value) for value in ring.window(second)] == [str(value) for value in expected]


def test_a_line_of_blocks_rises_with_its_values_and_shows_gaps() -> None:
    ring = Ring()
    for second in range(60, 120):
        ring.put(second, float(second))
    line = blocks(ring, 119, 20)
    assert len(line) == 20
    assert list(line) == sorted(line, key=BLOCKS.index)
    assert line[0] == BLOCKS[0] and line[-1] == BLOCKS[-1]
    assert blocks(None, 119, 5) == "·····"
    assert blocks(ring, 400, 5) == "·····"


def test_noise_that_is_small_beside_the_value_does_not_fill_the_line() -> None:
    ring = Ring()
    for second in range(60):
        ring.put(second, 43.0 + (0.1 if second % 2 else -0.1))
    assert set(blocks(ring, 59, 20)) <= set("▃▄▅")


def test_a_series_keeps_the_extremes_of_every_column_and_its_gaps() -> None:
    series = Series()
    for tenth in range(100):
        series.add(10 + tenth / 10, 100.0 if tenth == 42 else float(tenth % 3))
    columns = series.columns(19.95, 10.0, 10)
    assert len(columns) == 10 * DOTS
    assert max(span[1] for span in columns if span) == 100.0  # the single peak is not lost
    later = series.columns(24.0, 10.0, 10)
    assert later[-6:] == [None] * 6
    assert [span for span in later if span] == [span for span in columns if span][
        -len([s for s in later if s]) :
    ]


def test_columns_are_aligned_to_the_clock_so_that_they_do_not_change_while_they_move() -> None:
    series = Series()
    for tenth in range(300):
        series.add(tenth / 10, math.sin(tenth))
    first = series.columns(29.9, 20.0, 10)
    second = series.columns(30.9, 20.0, 10)
    assert first[1:] == second[:-1]


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_a_range_is_round_and_holds_its_values(low: float, span: float) -> None:
    bottom, top, step = round_range(low, low + span)
    assert bottom <= low + step * 1e-6 and low + span <= top + step * 1e-6
    assert abs(bottom / step - round(bottom / step)) < 1e-3
    assert steady_range((bottom, top, step), low, low + span)[:2] == (bottom, top)


def test_labels_have_the_decimals_that_their_step_needs() -> None:
    assert [label(value, 0.5) for value in (42.0, 42.5)] == ["42.0", "42.5"]
    assert label(0.25, 0.25) == "0.25"
    assert label(1200, 200) == "1200"


def test_plotext_draws_the_columns_and_breaks_at_gaps() -> None:
    rising: list[tuple[float, float] | None] = [(float(place), float(place)) for place in range(40)]
    lines = PLOT.lines(rising, (0, 39), 20, 5)
    assert len(lines) == 5 and all(cell_len(line) == 20 for line in lines)
    assert lines[0].strip() and not lines[0][:10].strip()  # the high values are at the right
    assert lines[-1][:3].strip() and not lines[-1][10:].strip()

    rising[10:30] = [None] * 20
    assert all(not line[6:14].strip() for line in PLOT.lines(rising, (0, 39), 20, 5))


def test_a_level_run_is_two_points() -> None:
    x, y, breaks = _path([(1.0, 1.0)] * 50 + [None] + [(2.0, 2.0)] * 10)
    assert len(x) == 4
    assert y == [1.0, 1.0, 2.0, 2.0]
    assert breaks == [2]


@given(TEXTS, TEXTS)
def test_outside_the_difference_two_lines_are_the_same(before: str, after: str) -> None:
    before, after = fit(inert(before), 40), fit(inert(after), 40)
    first, last = difference(before, after)
    assert _cells(before)[:first] == _cells(after)[:first]
    assert _cells(before)[last:] == _cells(after)[last:]


def _cells(text: str) -> list[str]:
    """The character that begins or covers each cell, with what combines with it."""
    cells: list[str] = []
    for character in text:
        width = cell_len(character)
        if width == 0 and cells:
            cells[-1] += character
        cells += [character] * width
    return cells


def test_the_pen_names_a_colour_only_when_it_changes() -> None:
    red, plain_style = Style(color="red", bold=True), Style(color="white")
    pen = Pen(ColorSystem.TRUECOLOR)
    pen.move_to(3, 2)
    pen.write([Segment("a", red), Segment("b", red)])
    pen.move_to(0, 5)
    pen.write([Segment("c", red), Segment("d", plain_style), Segment("e")])
    assert pen.text() == "\x1b[3;4H\x1b[0;1;31mab\x1b[6;1Hc\x1b[0;37md\x1b[0me\x1b[0m"


def test_bold_does_not_leak_into_what_is_written_next() -> None:
    pen = Pen(ColorSystem.TRUECOLOR)
    pen.write([Segment("a", Style(bold=True)), Segment("b", Style(color="red"))])
    assert re.search(r"\x1b\[0;31mb", pen.text())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "·"),
        (0.4, "<1 s"),
        (3.2, "3.2 s"),
        (9.96, "10 s"),
        (75, "75 s"),
        (150, "2 min"),
        (7200, "2 h"),
    ],
)
def test_ages_are_short(seconds: float | None, text: str) -> None:
    assert age_text(seconds) == text


def test_values_latencies_and_rates_are_short() -> None:
    celsius = Register("TEMP", type="f32", unit="°C")
    assert value_text(celsius, 43.2187) == "43.2 °C"
    assert value_text(celsius, 3.14159) == "3.14 °C"
    assert value_text(Register("STATUS", hexadecimal=True), 1) == "0x00000001"
    assert value_text(celsius, None) == "·"
    disk = Register("available", type="u64", unit="bytes")
    assert value_text(disk, 846_353_899_520) == "846 GB"
    assert value_text(disk, 34_856_272) == "34.9 MB"
    assert value_text(disk, 999_999) == "1.0 MB"
    assert value_text(disk, 12) == "12 bytes"
    assert milliseconds_text(0.66) == "0.7 ms"
    assert milliseconds_text(None) == "·"
    assert rate_text(740) == "740 B/s"
    assert rate_text(6100) == "6.1 kB/s"
