"""Markdown: a report as text that reads well as it is, with charts of block characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dsmilctl.archive.report.contents import Report, Series
from dsmilctl.archive.report.drawing import bounds
from dsmilctl.archive.report.findings import number
from dsmilctl.archive.report.wording import (
    STATUS_WORDS,
    Section,
    clock,
    facts,
    key_figures,
    moment,
    sections,
    statistics,
)

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 60
"""Characters of a chart."""


def markdown_of(report: Report, now: int) -> str:
    """The whole text; nothing of the recording is taken for markup."""
    return "\n".join(_lines(report, now)) + "\n"


def _lines(report: Report, now: int) -> Iterator[str]:
    status = STATUS_WORDS.get(report.recording.status, report.recording.status)
    yield f"# {escaped(report.recording.name)}\n"
    told = ", ".join(f"{value} {what}" for value, what in key_figures(report))
    yield f"A recording that is **{escaped(status)}**: {told}.\n"
    yield from (f"- {what}: {escaped(text)}" for what, text in facts(report))
    yield "\n## What to do\n"
    yield from (f"- {escaped(text)}" for text in report.recommendations)
    if report.findings:
        yield "\n## Patterns\n"
        for item in report.findings:
            where = escaped(f"{item.device} {item.register}")
            yield f"- **{where}** {escaped(item.what)} ({escaped(item.evidence)})"
    if report.charts:
        yield f"\n## Charts, {clock(report.first)} to {clock(report.last)}\n"
        for series in report.charted:
            span = f"{number(series.minimum)} to {number(series.maximum)} {escaped(series.unit)}"
            yield f"- {escaped(series.title)}: {span}  "
            yield f"  `{blocks(series)}`"
    for section in (statistics(report), *sections(report)):
        yield from _table(section)
    yield f"\n---\nWritten by dsmilctl on {moment(now)}.  Times are UTC."


def _table(section: Section) -> Iterator[str]:
    yield f"\n## {section.title}\n"
    if not section.rows:
        yield f"{section.empty}."
        return
    yield f"| {' | '.join(section.columns)} |"
    yield (
        "|"
        + "|".join("---:" if index in section.right else "---" for index in range(len(section.columns)))
        + "|"
    )
    yield from (f"| {' | '.join(map(escaped, row))} |" for row in section.rows)
    if section.left_out:
        yield f"\nand {section.left_out} more, which the JSON of this report holds."


def escaped(text: str) -> str:
    """Text that Markdown takes for nothing but text."""
    plain = re.sub(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+", " ", text)
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|~!$])", r"\\\1", plain).replace("://", ":&#47;/")


def blocks(series: Series) -> str:
    """A chart in one line; where nothing came, it is empty."""
    low, high = bounds(series.mean, series.mean)
    every = max(1, len(series.mean) // WIDTH)
    drawn = ""
    for first in range(0, len(series.mean), every):
        found = [value for value in series.mean[first : first + every] if value is not None]
        share = (sum(found) / len(found) - low) / (high - low) if found else 0.0
        drawn += BLOCKS[min(len(BLOCKS) - 1, int(share * len(BLOCKS)))] if found else " "
    return drawn
