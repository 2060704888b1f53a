"""Report: one page about a recording, with right figures, and no text of it that is taken for markup."""

from __future__ import annotations

import json
import math
import re
import time
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.archive.places import Places
from dsmilctl.archive.report.contents import Report
from dsmilctl.archive.report.gathering import report_of
from dsmilctl.archive.report.markdown import escaped
from dsmilctl.archive.report.writing import KINDS, write_report
from dsmilctl.errors import InvalidParameter, NotFound
from dsmilctl.model.reading import Quality, Reading
from tests.archive.stand import EVENT, SECOND, START, left_hot, record, recorded, some_readings

HOSTILE = "<script>alert('x')</script> | $\\frac{1}{0}$ `#` [a](http://x) \x00 😀 -->"


def a_night(name: str = "night") -> list[Reading]:
    """A pump that rises, a valve with a spike, a fan that is silent for a minute, a probe that fails."""
    found = []
    for number in range(2000):
        moment = START + number * SECOND // 10
        found.append(Reading("pump", "level", 10 + number / 200 + math.sin(number) / 10, moment, "%"))
        found.append(Reading("valve", "place", 500.0 if number == 77 else math.sin(number), moment))
        if not 800 < number < 1400:
            found.append(Reading("fan", "speed", 1200 + number % 3, moment, "rpm"))
        bad = number % 20 == 0
        quality, error = (Quality.BAD, "above 99, the most that can be") if bad else (Quality.GOOD, "")
        found.append(Reading(name, "TEMP", 120.0 if bad else 50.0, moment, "°C", quality, error=error))
    return found


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """An archive with one such night."""
    places, _ = recorded(
        tmp_path / "archive",
        a_night(),
        name=HOSTILE,
        records=[record(1), record(2, "FAILED")],
        events=[EVENT],
    )
    return places


def test_the_figures_are_those_of_the_readings_and_what_cannot_be_trusted_is_in_none(places: Places) -> None:
    report = report_of(places, "last")

    pump = next(series for series in report.series if series.device == "pump")
    own = [float(str(item.value)) for item in a_night() if item.device_id == "pump"]
    assert (report.readings, report.devices, report.bad) == (len(a_night()), 4, 100)
    assert pump.average == pytest.approx(sum(own) / len(own))
    assert (pump.minimum, pump.maximum, pump.first, pump.last) == (min(own), max(own), own[0], own[-1])
    assert pump.slope == pytest.approx(180, rel=0.01), "0.05 % a second"
    night = next(series for series in report.series if series.device == "night")
    assert (night.minimum, night.maximum, night.bad) == (50.0, 50.0, 100)
    assert report.outcomes == {"SUCCESS": 1, "FAILED": 1}
    assert len(report.events) == 1


def test_what_is_worth_a_word_is_found_with_its_evidence_and_nothing_else(places: Places) -> None:
    report = report_of(places, "last")

    told = {(finding.device, finding.kind) for finding in report.findings}
    assert told == {("pump", "trend"), ("valve", "spike"), ("night", "untrusted")}
    assert all(finding.evidence for finding in report.findings)
    (crossing,) = report.crossings
    assert (crossing.what, crossing.readings, crossing.worst) == (
        "above 99, the most that can be",
        100,
        120.0,
    )
    (silence,) = report.silences
    assert silence.what == "nothing came from fan · speed"
    assert silence.seconds == pytest.approx(60, abs=1)
    advice = " ".join(report.recommendations)
    assert all(
        word in advice for word in ("night TEMP", "pump level", "valve place", "connection", "one operation")
    )


def test_a_recording_in_which_all_is_well_needs_nothing(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path, some_readings(4000))

    report = report_of(places, "last")

    assert (report.findings, report.silences, report.crossings) == ((), (), ())
    assert report.recommendations[0].startswith("Nothing needs to be done")


def test_fault_201_a_recording_that_nobody_ended_and_one_without_readings_are_reported(
    tmp_path: Path,
) -> None:
    places = Places(tmp_path)
    left_hot(places, some_readings(100))
    recorded(tmp_path, [], name="empty")

    assert "without a word" in report_of(places, "interrupted").recommendations[0]
    empty = report_of(places, "empty")
    assert "no reading" in empty.recommendations[0]
    for kind in KINDS:
        write_report(empty, tmp_path / f"empty.{kind}", START)
    with pytest.raises(NotFound):
        report_of(places, "none")


class Tags(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(report: Report, folder: Path) -> Tags:
    write_report(report, folder / "page.html", START)
    tags = Tags()
    tags.feed((folder / "page.html").read_text())
    return tags


def test_the_page_has_a_chart_for_every_series_and_loads_nothing(places: Places, tmp_path: Path) -> None:
    page = parsed(report_of(places, "last"), tmp_path)

    names = [tag for tag, _ in page.tags]
    assert (names.count("figure"), names.count("svg")) == (4, 8)
    assert names.count("polyline") >= 9, "a line is open where nothing came"
    assert not {"script", "link", "img", "iframe", "object"} & set(names)
    assert not any({"src", "href", "onload"} & set(attributes) for _, attributes in page.tags)
    assert "10" in page.text
    assert "What to do" in page.text


@settings(max_examples=8, deadline=None)
@given(
    st.text(min_size=1, max_size=40).filter(lambda text: text.strip() != ""),
    st.sampled_from(["<img src=x onerror=y>", '"><b>', "</style><script>", "&lt;b&gt;"]),
)
def test_no_name_is_taken_for_markup(name: str, hostile: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        readings = [
            Reading(
                f"{hostile}{name}",
                hostile,
                1.0,
                START + number,
                hostile,
                Quality.BAD,
                error=f"{name}{hostile}",
            )
            for number in range(30)
        ]
        places, _ = recorded(Path(folder) / "archive", readings, name=f"{hostile}{name}"[:200])
        plain, _ = recorded(Path(folder) / "plain", [
            Reading("pump", "level", 1.0, START + number, "%", Quality.BAD, error="x") for number in range(30)
        ])  # fmt: skip

        page, usual = (parsed(report_of(where, "last"), Path(folder)) for where in (places, plain))

        assert [tag for tag, _ in page.tags] == [tag for tag, _ in usual.tags]
        assert hostile in page.text


@given(st.text())
def test_no_text_is_taken_for_markdown(text: str) -> None:
    found = escaped(text)

    assert "\n" not in found
    assert not re.search(r"(?<!\\)(?:\\\\)*[|`*_\[\]<>#]", found)


def test_the_text_and_the_json_say_the_same(places: Places, tmp_path: Path) -> None:
    report = report_of(places, "last")
    for kind in ("md", "json"):
        write_report(report, tmp_path / f"report.{kind}", START)

    text = (tmp_path / "report.md").read_text()
    assert "\\<script" not in text
    assert "&lt;script&gt;" in text
    assert "| pump | level | 2,000 |" in text
    assert "▁" in text
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["readings"] == report.readings
    assert [item["device"] for item in told["findings"]] == [item.device for item in report.findings]


def test_the_pdf_has_its_sheets_and_takes_formulas_and_emoji_for_text(places: Places, tmp_path: Path) -> None:
    write_report(report_of(places, "last"), tmp_path / "report.pdf", time.time_ns())

    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", content)) == 2
    streams = [zlib.decompress(part) for part in re.findall(rb"stream\n(.*?)\nendstream", content, re.DOTALL)
               if part[:1] == b"x"]  # fmt: skip
    assert sum(b" l\n" in stream for stream in streams) >= 1, "lines are drawn"


def test_a_kind_that_there_is_not_is_told_and_a_file_is_whole_or_not_there(
    places: Places, tmp_path: Path
) -> None:
    with pytest.raises(InvalidParameter, match="no kind of report 'htlm'"):
        write_report(report_of(places, "last"), tmp_path / "report.htlm", START)
    assert not [path for path in tmp_path.iterdir() if path.is_file()]
