"""The README's tour, run as a reader would run it, and its links."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.contract.source import ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PATIENCE = 30.0
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Step(NamedTuple):
    """One command of the tour, what it prints in the README, and the exit status told behind `# exit`."""

    command: str
    expected: list[str]
    status: int


def tour() -> list[Step]:
    """Every command of every console block, in order."""
    steps: list[Step] = []
    for block in BLOCK.findall(README.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                command, _, status = line[2:].partition("  # exit ")
                steps.append(Step(command, [], int(status or 0)))
            else:
                steps[-1].expected.append(line)
    return steps


def pattern(line: str) -> re.Pattern[str]:
    """A line of the README as a pattern: numbers, times and the width of columns may differ."""
    loose = re.escape(line.strip())
    loose = re.sub(r"(?:\\ )+", r"\\s+", loose)
    loose = re.sub(r"(?<![\w\\])-?\d+(?:\\\.\d+)?", r"-?[0-9.]+", loose)
    return re.compile(rf"^\s*{loose.replace('…', '.*')}\s*$")


def unmet(expected: list[str], printed: list[str]) -> list[str]:
    """The lines of the README that were not printed, in this order; `…` alone stands for any lines."""
    position, missing = 0, []
    for line in expected:
        if line == "…":
            continue
        hits = [at for at in range(position, len(printed)) if pattern(line).match(printed[at])]
        if hits:
            position = hits[0] + 1
        else:
            missing.append(line)
    return missing


def test_the_tour_of_the_readme_does_what_the_readme_says(tmp_path: Path) -> None:
    program = tmp_path / "bin/dsmilctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m dsmilctl \"$@\"\n")
    program.chmod(0o755)
    home = {"HOME": str(tmp_path), "PATH": f"{program.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}

    wrong = []
    with ExitStack() as running:
        for step in tour():
            if step.command.endswith(" &"):
                status, printed = 0, running.enter_context(left_running(step, tmp_path, home))
            else:
                done = subprocess.run(
                    ["bash", "-c", f"exec 2>&1; {step.command}"],
                    cwd=tmp_path, env=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                    check=False,
                )  # fmt: skip
                status, printed = done.returncode, done.stdout
            missing = unmet(step.expected, printed.splitlines())
            if missing or status != step.status:
                wrong.append((step.command, status, missing, printed))

    assert wrong == []


@contextmanager
def left_running(step: Step, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """A command that goes on in the background until the tour is over; the first line that it says."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {step.command.removesuffix(' &')} 2>&1"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None, "it was asked for"
    try:
        yield process.stdout.readline()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def test_the_tour_shows_every_part_of_the_program() -> None:
    commands = " ".join(step.command for step in tour())

    assert len(tour()) >= 15
    for noun in ("context", "device", "bulk", "stream", "emergency", "audit", "auth", "approval", "sim"):
        assert f" {noun} " in commands


@pytest.mark.parametrize(
    ("line", "printed", "met"),
    [
        ("load    load1      0.42  processes  good", "load    load1  12.5   processes  good", True),
        ("load    load1      0.42  processes  good", "load    load1         processes  bad", False),
        ("0x8000  TEMP  47  °C", "0x8001  TEMP  47  °C", False),
        ("dsmilctl: error: 0x8030 is stopped…", "dsmilctl: error: 0x8030 is stopped by stop-1", True),
    ],
)
def test_a_line_of_the_tour_is_compared_loosely_in_numbers_and_strictly_in_words(
    line: str, printed: str, met: bool
) -> None:
    assert bool(pattern(line).match(printed)) is met


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_test_that_the_reliability_page_names_exists() -> None:
    named = re.findall(
        r"`(tests/\S+\.py)::(\w+)`", (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    )

    assert len(named) >= 20
    assert [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).exists() or f"def {test}(" not in (ROOT / file).read_text(encoding="utf-8")
    ] == []


def test_the_readme_shows_the_two_commands_the_platforms_and_a_picture_made_by_the_program() -> None:
    words = README.read_text(encoding="utf-8")

    assert {"make demo", "make test"} <= set(re.findall(r"^make \w+", words, re.MULTILINE))
    assert "Windows is not supported" in words
    assert "<svg" in (ROOT / "docs/fleet.svg").read_text(encoding="utf-8")
