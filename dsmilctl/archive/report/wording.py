"""Wording: figures and times of a report as people read them, the same on every kind of page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from dsmilctl.archive.report.contents import Report
from dsmilctl.archive.report.findings import number
from dsmilctl.clock import rfc3339

MOST_ROWS = 200
"""Rows of a table on a page; the JSON of a report holds all of them."""

STATUS_WORDS = {"running": "still running", "aborted": "ended without a word"}


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One table of a page: `right` are the columns of figures, `left_out` how many rows are not shown."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    left_out: int = 0
    empty: str = ""


def moment(nanoseconds: int) -> str:
    """A time to the second."""
    return rfc3339(nanoseconds)[:19].replace("T", " ") + " UTC"


def clock(nanoseconds: int) -> str:
    """A time of day."""
    return rfc3339(nanoseconds)[11:19]


def lasting(seconds: float) -> str:
    """How long something took."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def key_figures(report: Report) -> Iterator[tuple[str, str]]:
    """The figures at the top, each with what it counts."""
    yield f"{report.readings:,}", counted(report.readings, "reading")
    yield f"{report.devices:,}", counted(report.devices, "device")
    yield lasting(report.seconds), "recorded"
    good = 100 * (1 - report.bad / report.readings) if report.readings else 100.0
    yield f"{good:.4g} %", "good readings"
    for count, what in (
        (sum(report.outcomes.values()), "operation"),
        (len(report.events), "event"),
        (len(report.silences), "gap"),
    ):
        yield f"{count:,}", counted(count, what)


def counted(count: int, what: str) -> str:
    """What is counted, one or many."""
    return what if count == 1 else f"{what}s"


def facts(report: Report) -> Iterator[tuple[str, str]]:
    """What is known of the recording."""
    found = report.recording
    yield "Recording", found.recording_id
    yield "From", moment(found.started)
    yield "To", moment(found.ended) if found.ended else "-"
    yield "Context", found.context or "-"
    yield "By", f"{found.operator or '-'} on {found.host or '-'}"
    yield "Made with", ", ".join(f"{name} {version}" for name, version in found.versions.items()) or "-"
    if found.tags:
        yield "Tags", ", ".join(found.tags)
    if found.notes:
        yield "Notes", found.notes


def statistics(report: Report) -> Section:
    """One row for each register."""
    rows = tuple(
        (
            item.device, item.register, f"{item.readings:,}", number(item.minimum), number(item.average),
            number(item.maximum), number(item.deviation), number(item.last), item.unit,
        )
        for item in report.series
    )  # fmt: skip
    columns = ("Device", "Register", "Readings", "Least", "Mean", "Most", "Deviation", "Last", "Unit")
    return _section("Statistics", columns, rows, "nothing was read", right=(2, 3, 4, 5, 6, 7))


def sections(report: Report) -> Iterator[Section]:
    """The tables behind the statistics."""
    yield _section(
        "Limits and failures", ("Device", "Register", "What", "Readings", "Worst", "From", "To"),
        tuple((item.device, item.register, item.what, f"{item.readings:,}", number(item.worst),
               clock(item.first), clock(item.last)) for item in report.crossings),
        "every reading was good", right=(3, 4),
    )  # fmt: skip
    yield _section(
        "Gaps", ("When", "For", "Missed", "What"),
        tuple((moment(item.started), lasting(item.seconds) if item.seconds else "-",
               "-" if item.missed is None else f"{item.missed:,}", item.what) for item in report.silences),
        "nothing is missing", right=(1, 2),
    )  # fmt: skip
    yield _section(
        "Operations", ("When", "Who", "Action", "Target", "Outcome"),
        tuple((moment(item["timestamp"]), item["user"], item["action"], item["target"], item["outcome"])
              for item in report.operations if item["outcome"] != "INTENT"),
        "nothing was changed",
    )  # fmt: skip
    yield _section(
        "Events", ("When", "Severity", "Type", "Device", "Message"),
        tuple((moment(item["timestamp"]), item["severity"], item["type"], item["device"] or "-",
               item["message"]) for item in report.events),
        "nothing happened",
    )  # fmt: skip


def _section(
    title: str,
    columns: tuple[str, ...],
    rows: tuple[tuple[Any, ...], ...],
    empty: str,
    right: tuple[int, ...] = (),
) -> Section:
    shown = tuple(tuple(str(cell) for cell in row) for row in rows[:MOST_ROWS])
    return Section(
        title=title, columns=columns, rows=shown, right=right, left_out=len(rows) - len(shown), empty=empty
    )
