"""Paper: a report as PDF, drawn with matplotlib (extra `report`)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dsmilctl.archive.report.contents import Report, Series
from dsmilctl.archive.report.drawing import Values, bounds, runs
from dsmilctl.archive.report.findings import number
from dsmilctl.archive.report.wording import (
    STATUS_WORDS,
    Section,
    clock,
    facts,
    key_figures,
    sections,
    statistics,
)
from dsmilctl.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

A4 = (8.27, 11.69)
INK, SOFT, LINE, MARK, BAND = "#1c2430", "#667085", "#e4e7ec", "#2563eb", "#2563eb26"
LEFT, RIGHT = 0.08, 0.92
TOP, FOOT, STEP = 0.95, 0.05, 0.0175
LEAST_ROWS = 6
"""Rows for which there has to be room where a table begins."""

WIDEST = 42
"""Characters of a cell."""


def write_paper(report: Report, file: Any, now: int) -> None:
    """Write the sheets into a binary file; raises MissingExtraError without matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_pdf import PdfPages
    except ImportError as error:
        raise MissingExtraError("a PDF needs matplotlib", hint="pip install 'dsmilctl[report]'") from error
    from datetime import UTC, datetime

    facts_of_file = {"Title": report.recording.name, "Creator": "dsmilctl",
                     "CreationDate": datetime.fromtimestamp(now / 1e9, UTC)}  # fmt: skip
    settings: Any = {
        "text.parse_math": False,
        "pdf.fonttype": 42,
        "font.size": 9,
        "text.color": INK,
    }
    with warnings.catch_warnings(), rc_context(settings), PdfPages(file, metadata=facts_of_file) as pages:
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a font without emoji draws a box
        for sheet in _sheets(report):
            pages.savefig(sheet)


def _sheets(report: Report) -> Iterator[Figure]:
    yield _first(report)
    charted = report.charted[4:]
    for first in range(0, len(charted), 10):
        sheet = _sheet("Charts")
        _draw_charts(sheet, report, charted[first : first + 10], top=0.93, rows=5)
        yield sheet
    yield from _tables((statistics(report), *sections(report)))


def _sheet(title: str = "") -> Figure:
    from matplotlib.figure import Figure

    sheet = Figure(figsize=A4)
    if title:
        sheet.text(LEFT, 0.955, title, size=14, weight="bold")
    return sheet


def _first(report: Report) -> Figure:
    sheet = _sheet()
    sheet.text(LEFT, 0.955, "RECORDING REPORT", size=8, color=SOFT)
    sheet.text(LEFT, 0.925, short(report.recording.name, 52), size=20, weight="bold")
    status = STATUS_WORDS.get(report.recording.status, report.recording.status)
    sheet.text(RIGHT, 0.955, status, size=9, weight="bold", ha="right", color=MARK)
    figures = list(key_figures(report))
    for index, (value, what) in enumerate(figures):
        x = LEFT + index * (RIGHT - LEFT) / len(figures)
        sheet.text(x, 0.882, value, size=10.5, weight="bold")
        sheet.text(x, 0.866, what, size=7.5, color=SOFT)
    y = 0.835
    for what, text in facts(report):
        sheet.text(LEFT, y, what, size=8, color=SOFT)
        sheet.text(LEFT + 0.12, y, short(text, 100), size=8)
        y -= 0.0165
    y = _bullets(sheet, "What to do", report.recommendations, y - 0.015)
    told = [f"{item.device} {item.register}: {item.what} ({item.evidence})" for item in report.findings]
    y = _bullets(sheet, "Patterns", tuple(told[:8]), y - 0.01) if told else y
    _draw_charts(sheet, report, report.charted[:4], top=y - 0.02, rows=2)
    return sheet


def _bullets(sheet: Figure, title: str, texts: tuple[str, ...], y: float) -> float:
    """Lines under a title; where they end."""
    from textwrap import wrap

    sheet.text(LEFT, y, title, size=11, weight="bold")
    for text in texts:
        for number_of_line, line in enumerate(wrap(short(text, 300), 108)):
            y -= 0.0175
            sheet.text(LEFT, y, "•" if not number_of_line else "", size=8.5, color=MARK)
            sheet.text(LEFT + 0.015, y, line, size=8.5)
    return y - 0.02


def _draw_charts(
    sheet: Figure, report: Report, charted: tuple[Series, ...], *, top: float, rows: int
) -> None:
    height = min(0.165, (top - 0.04) / rows)
    for index, series in enumerate(charted):
        left = LEFT + (index % 2) * 0.44
        bottom = top - (index // 2 + 1) * height + 0.035
        _draw(sheet.add_axes((left, bottom, 0.36, height - 0.06)), report, series)


def _draw(axes: Axes, report: Report, series: Series) -> None:
    low, high = bounds(series.low, series.high)
    places = [place for place, value in enumerate(series.mean) if value is not None]
    for run in runs(series.mean):
        chosen = [places[index] for index in run]
        band = [_whole(values, chosen) for values in (series.low, series.high)]
        axes.fill_between(chosen, band[0], band[1], color=BAND, linewidth=0)
        axes.plot(chosen, _whole(series.mean, chosen), color=MARK, linewidth=1.1,
                  marker="." if len(chosen) == 1 else "")  # fmt: skip
    axes.set_title(
        short(f"{series.device}  {series.register}  {series.unit}", 48), size=8.5, loc="left", color=INK
    )
    axes.set_xlim(0, max(1, len(series.mean) - 1))
    axes.set_xticks([0, max(1, len(series.mean) - 1)], [clock(report.first), clock(report.last)])
    axes.set_yticks([low, (low + high) / 2, high], [number(low), number((low + high) / 2), number(high)])
    begin, end = axes.get_xticklabels()
    begin.set_horizontalalignment("left")
    end.set_horizontalalignment("right")
    axes.yaxis.tick_right()
    axes.tick_params(length=0, labelsize=7, labelcolor=SOFT)
    axes.grid(axis="y", color=LINE, linewidth=0.7)
    for side in axes.spines.values():
        side.set_visible(False)


def _whole(values: Values, places: list[int]) -> list[float]:
    """The values at places; in a run there is one at each."""
    return [value for place in places if (value := values[place]) is not None]


def _tables(every: tuple[Section, ...]) -> Iterator[Figure]:
    """The tables, one below the other; one that does not fit goes on on the next sheet."""
    sheet, y = _sheet(), TOP
    for section in every:
        first = 0
        while first == 0 or first < len(section.rows):
            room = int((y - FOOT) / STEP) - 3
            if room < min(LEAST_ROWS, len(section.rows) - first):
                yield sheet
                sheet, y = _sheet(), TOP
                continue
            rows = section.rows[first : first + room]
            y = _table(sheet, section, rows, y)
            first += max(1, len(rows))
    yield sheet


def _table(sheet: Figure, section: Section, rows: tuple[tuple[str, ...], ...], y: float) -> float:
    """Draw rows under a title and their columns' names; where the next table may begin."""
    sheet.text(LEFT, y, section.title, size=11, weight="bold")
    y -= STEP * 1.3
    if not rows:
        sheet.text(LEFT, y, section.empty, size=8, color=SOFT)
        return y - 2.2 * STEP
    columns = zip(section.columns, *rows, strict=True)
    widths = [max(len(short(text, WIDEST)) for text in column) + 3 for column in columns]
    size = min(8.0, 8.0 * 112 / sum(widths))
    starts = [LEFT + (RIGHT - LEFT) * sum(widths[:index]) / sum(widths) for index in range(len(widths) + 1)]
    for line, row in enumerate((section.columns, *rows)):
        for index, text in enumerate(row):
            right = index in section.right
            x = starts[index + 1] - 0.025 if right else starts[index]
            sheet.text(x, y, short(text, WIDEST), size=size, ha="right" if right else "left",
                       color=INK if line else SOFT)  # fmt: skip
        y -= STEP
    return y - 1.2 * STEP


def short(text: str, most: int) -> str:
    """Text in one line that is no longer than that, without what no page can show."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"
