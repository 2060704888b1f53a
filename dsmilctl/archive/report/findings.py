"""Findings: what the statistics of a recording show, and what should be done about it.

Each rests on figures that stand beside it; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator

from dsmilctl.archive.report.contents import Finding, Report, Series

LEAST = 20
"""Readings from which on anything is said about a register."""

TREND = 0.8
"""The share of the variance that a line has to explain to be called a trend."""

SPIKE = 6.0
"""Standard deviations from the mean at which a value is a spike."""

UNTRUSTED = 0.01
"""The share of readings that cannot be trusted from which on it is worth a word."""

MOST_CHARTS = 12
HOUR = 3.6e12
"""Nanoseconds."""


def findings_of(report: Report) -> tuple[Finding, ...]:
    """What is worth telling, most severe first."""
    found = [
        finding for series in report.series if series.readings >= LEAST for finding in _of(report, series)
    ]
    order = ("error", "warning", "info")
    return tuple(sorted(found, key=lambda item: order.index(item.severity)))


def _of(report: Report, series: Series) -> Iterator[Finding]:
    found = (_untrusted(series), _trend(series, (report.last - report.first) / HOUR), _spike(series))
    yield from (finding for finding in found if finding is not None)


def _finding(series: Series, kind: str, severity: str, what: str, evidence: str) -> Finding:
    return Finding(
        kind=kind, severity=severity, what=what, evidence=evidence, device=series.device,
        register=series.register,
    )  # fmt: skip


def _untrusted(series: Series) -> Finding | None:
    share = series.bad / series.readings
    if share < UNTRUSTED:
        return None
    what = f"{100 * share:.3g} % of its readings cannot be trusted"
    return _finding(series, "untrusted", "error", what, f"{series.bad} of {series.readings} readings")


def _trend(series: Series, hours: float) -> Finding | None:
    slope, explained, deviation = series.slope or 0.0, series.r2 or 0.0, series.deviation or 0.0
    drift = slope * hours
    if explained < TREND or abs(drift) <= 2 * deviation:
        return None
    by = _with_unit(abs(drift), series.unit)
    what = f"it {'rose' if drift > 0 else 'fell'} by {by} while it was recorded"
    return _finding(
        series, "trend", "warning", what, f"{_with_unit(slope, series.unit)}/h, r² {explained:.2f}"
    )


def _spike(series: Series) -> Finding | None:
    mean, ends = series.average, (series.maximum, series.minimum)
    if mean is None or not series.deviation:
        return None
    furthest = max((value for value in ends if value is not None), key=lambda value: abs(value - mean))
    distance = abs(furthest - mean) / series.deviation
    if distance < SPIKE:
        return None
    what = f"a value of {_with_unit(furthest, series.unit)} stands far from all others"
    evidence = f"{distance:.1f} standard deviations from the mean of {number(mean)}"
    return _finding(series, "spike", "warning", what, evidence)


def _with_unit(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".rstrip()


def recommendations_of(report: Report, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """What to do, each with its reason."""
    said = list(_about_recording(report))
    kinds = {
        kind: [item for item in findings if item.kind == kind] for kind in ("untrusted", "trend", "spike")
    }
    if found := kinds["untrusted"]:
        said.append(f"Look at {_names(found)}: {found[0].what}, and they are in no average.")
    if found := kinds["trend"]:
        said.append(f"Record {_names(found)} for longer: {found[0].what}, and it is open where that ends.")
    if found := kinds["spike"]:
        said.append(f"Give {_names(found)} a dead band or a count before an alarm: {found[0].what}.")
    return tuple(said) or ("Nothing needs to be done: every reading is good, and nothing is missing.",)


def _about_recording(report: Report) -> Iterator[str]:
    if report.recording.status == "aborted":
        yield "Find out why the recorder ended without a word: what came after its last commit is lost."
    if not report.readings:
        yield "Record again: there is no reading in it."
    missed = sum(item.missed or 0 for item in report.silences)
    if missed:
        yield f"Record less often, or fewer registers: {missed} readings were missed."
    if any(item.missed is None for item in report.silences):
        yield "See to the connection: for some time nothing came (see Gaps)."
    failed = sum(
        count for outcome, count in report.outcomes.items() if outcome in ("FAILED", "TIMEOUT", "UNKNOWN")
    )
    if failed:
        many = f"{failed} operations were" if failed > 1 else "one operation was"
        yield f"Read back what {many} to change: it failed, or nobody knows how it ended."


def _names(found: list[Finding]) -> str:
    names = [f"{item.device} {item.register}" for item in found]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def charts_of(report: Report, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """The series to draw: those with findings first, then those that moved most."""
    told = {f"{item.device} · {item.register}" for item in findings}
    drawn = [item for item in report.series if any(value is not None for value in item.mean)]
    drawn.sort(key=lambda item: (item.title not in told, -_movement(item), item.title))
    return tuple(item.title for item in drawn[:MOST_CHARTS])


def _movement(series: Series) -> float:
    """How much a register moved beside how large it is."""
    if series.maximum is None or series.minimum is None:
        return 0.0
    return (series.maximum - series.minimum) / (abs(series.average or 0.0) + 1e-9)


def number(value: float | None) -> str:
    """A figure with as many digits as are worth reading."""
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}"
    return f"{value:.4g}"
