"""Writing: a report as a file of the kind that its name asks for."""

from __future__ import annotations

from pathlib import Path

import msgspec

from dsmilctl.archive.exporting import Whole
from dsmilctl.archive.report.contents import Report
from dsmilctl.errors import InvalidParameter, nearest

KINDS = ("html", "pdf", "md", "json")


def kind_of(path: Path) -> str:
    """The kind that a file's name asks for; raises InvalidParameter."""
    kind = path.suffix.removeprefix(".").lower()
    if kind not in KINDS:
        hint = nearest(kind, KINDS) or f"a name that ends with {', '.join(KINDS)}"
        raise InvalidParameter(f"no kind of report {kind or path.name!r}", hint=hint, target="--output")
    return kind


def write_report(report: Report, path: Path, now: int) -> None:
    """Write a report to a file that is whole or not there; raises OSError and MissingExtraError."""
    kind = kind_of(path)
    with Whole(path) as file:
        if kind == "pdf":
            from dsmilctl.archive.report.paper import write_paper

            write_paper(report, file, now)
            return
        file.write(_text(report, kind, now).encode("utf-8", "backslashreplace"))


def _text(report: Report, kind: str, now: int) -> str:
    if kind == "html":
        from dsmilctl.archive.report.page import page_of

        return page_of(report, now)
    if kind == "md":
        from dsmilctl.archive.report.markdown import markdown_of

        return markdown_of(report, now)
    return msgspec.json.format(msgspec.json.encode(report), indent=1).decode() + "\n"
