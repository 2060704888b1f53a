"""Page: a report as one HTML file that needs nothing else: no script, no font, no server."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from dsmilctl.archive.report.contents import Report, Series
from dsmilctl.archive.report.drawing import chart, spark
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

STYLE = Path(__file__).with_name("page.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may load for the page: nothing."""


def page_of(report: Report, now: int) -> str:
    """The whole page; every text of the recording is escaped."""
    name = escape(report.recording.name)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name} - recording</title>
<style>
{STYLE.read_text()}</style>
</head>
<body>
<header>
<p class="kind">Recording report</p>
<h1>{name} <span class="status {escape(report.recording.status)}">{_status(report)}</span></h1>
<dl>{"".join(_fact(*fact) for fact in facts(report))}</dl>
</header>
<main>
<section class="figures">{"".join(_figure(*figure) for figure in key_figures(report))}</section>
{"".join(_parts(report))}
</main>
<footer>Written by dsmilctl on {moment(now)}. Times are UTC; readings that cannot be trusted are in no
figure but their own.</footer>
</body>
</html>
"""


def _status(report: Report) -> str:
    return escape(STATUS_WORDS.get(report.recording.status, report.recording.status))


def _fact(what: str, text: str) -> str:
    return f"<div><dt>{escape(what)}</dt><dd>{escape(text)}</dd></div>"


def _figure(value: str, what: str) -> str:
    return f"<div><b>{escape(value)}</b><span>{escape(what)}</span></div>"


def _parts(report: Report) -> Iterator[str]:
    advice = "".join(f"<li>{escape(text)}</li>" for text in report.recommendations)
    yield f'<section class="advice"><h2>What to do</h2><ul>{advice}</ul></section>'
    if report.findings:
        yield f"<section><h2>Patterns</h2><ul class='findings'>{''.join(_findings(report))}</ul></section>"
    if report.charts:
        drawn = "".join(_chart(report, series) for series in report.charted)
        yield f'<section><h2>Charts</h2><div class="charts">{drawn}</div></section>'
    yield _table(statistics(report), report.series)
    for section in sections(report):
        yield _table(section)


def _findings(report: Report) -> Iterator[str]:
    for item in report.findings[:24]:
        where = f"{item.device} {item.register}".strip()
        yield (
            f'<li class="{escape(item.severity)}"><b>{escape(where)}</b> {escape(item.what)} '
            f"<small>{escape(item.evidence)}</small></li>"
        )
    if len(report.findings) > 24:
        more = len(report.findings) - 24
        yield f"<li><small>and {more} more, which the JSON of this report holds</small></li>"


def _chart(report: Report, series: Series) -> str:
    unit = f" <small>{escape(series.unit)}</small>" if series.unit else ""
    title = f"{escape(series.device)} <em>{escape(series.register)}</em>{unit}"
    times = f"<p><span>{clock(report.first)}</span><span>{clock(report.last)}</span></p>"
    return f"<figure><figcaption>{title}</figcaption>{chart(series)}{times}</figure>"


def _table(section: Section, series: tuple[Series, ...] = ()) -> str:
    if not section.rows:
        return f'<section><h2>{section.title}</h2><p class="empty">{escape(section.empty)}</p></section>'
    head = "".join(_cell("th", index, name, section) for index, name in enumerate(section.columns))
    body = "".join(_row(section, index, series) for index in range(len(section.rows)))
    more = f'<p class="empty">and {section.left_out} more, which the JSON of this report holds</p>'
    return (
        f"<section><h2>{section.title}</h2><div class='wide'><table><thead><tr>{head}"
        f"{'<th>Over time</th>' if series else ''}</tr></thead><tbody>{body}</tbody></table></div>"
        f"{more if section.left_out else ''}</section>"
    )


def _row(section: Section, index: int, series: tuple[Series, ...]) -> str:
    cells = "".join(_cell("td", place, text, section) for place, text in enumerate(section.rows[index]))
    drawn = f"<td>{spark(series[index])}</td>" if series else ""
    return f"<tr>{cells}{drawn}</tr>"


def _cell(tag: str, index: int, text: str, section: Section) -> str:
    return f"<{tag}{' class=n' if index in section.right else ''}>{escape(text)}</{tag}>"
