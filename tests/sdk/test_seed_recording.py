"""The snippets of the recording system's summary (seed 001), with our names for what is called otherwise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dsmilctl import Archived
from dsmilctl.config.paths import Paths
from tests.commands.shell import STILL, Shell
from tests.contract.source import ROOT
from tests.fixtures import home as home  # noqa: PLC0414 - a fixture of this module, too
from tests.sdk.seed import SEEDS, run

FOUND = sorted(SEEDS.glob("001_*.txt"))
pytestmark = pytest.mark.skipif(
    not FOUND, reason="the summary does not lie beside this checkout (../shared/seeds)"
)
TEXT = FOUND[0].read_text(encoding="utf-8") if FOUND else ""
REPLACED = (ROOT / "docs/replaced.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def renamed() -> dict[str, str]:
    """What stood before, and what stands now, of docs/replaced.md."""
    section = REPLACED.partition("## manage_database.py")[2]
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|$", section, re.MULTILINE)
    return {before: now for names, now in rows for before in re.findall(r"`([^`]+)`", names)}


def commands() -> list[str]:
    """The old command lines, without the program's name."""
    (script,) = blocks("bash")
    lines = [line.strip() for line in script.splitlines()]
    return [line.removeprefix("./manage_database.py ") for line in lines if line.startswith("./")]


def now(line: str) -> str:
    """What replaces an old line, by the table: its words in capitals are what the old line has there."""
    line = line.replace('"Test Session"', "Test-Session")
    for before, told in renamed().items():
        pattern = re.sub(r"\b([A-Z]{2,})\b", r"(?P<\1>\\S+)", before)
        if match := re.fullmatch(rf"{pattern}(?: --session \S+)?", line):
            after = told
            for word, given in match.groupdict().items():
                after = re.sub(rf"\b{word}\b", given, after)
            return after
    raise AssertionError(f"docs/replaced.md does not say what replaces: {line}")


def test_the_summary_has_the_snippets_that_these_tests_are_about() -> None:
    assert len(blocks("python")) == 2
    assert len(commands()) == 7


async def test_the_first_snippet_records_a_session_with_its_token_test(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSMIL_CONTEXT", "sim")
    monkeypatch.setenv("DSMIL_SIM_OPTIONS", STILL["DSMIL_SIM_OPTIONS"])
    code = blocks("python")[0].replace("database.scripts.auto_recorder", "dsmilctl")
    names: dict[str, Any] = {"__name__": "summary"}

    await run(code, "basic session recording", names)

    summary = Archived().get_session_summary()
    assert (summary["session_name"], summary["session_type"]) == ("Token Test", "comprehensive")
    assert (summary["status"], summary["context"]) == ("completed", "sim")
    (test,) = Archived().query_token_tests()
    assert (test.test_id, test.hex_id, test.group_id) == (names["test_id"], "0x480", 0)
    assert (test.success, test.final_value, test.notes) == (True, "1", "Success")
    assert test.access_method == "smbios-token-ctl"


def test_the_old_commands_do_what_they_did_under_their_new_names(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {**STILL, "DSMIL_CONTEXT": "sim"})
    lines = {line: now(line) for line in commands()}

    for old, new in lines.items():
        if not new.startswith("`dsmilctl"):
            assert old.split()[0] in ("init", "analyze"), old
    for old in (line for line in lines if line.startswith(("record", "backup"))):
        line = re.findall(r"`([^`]+)`", lines[old])[0]
        answer = shell(f"{line} --confirm milestone" if "restore" in line else line, timeout=90)
        assert answer.exit == 0, (line, answer.err)
    (recording,) = shell("dsmilctl record list -o json").data
    assert (recording["name"], recording["status"]) == ("Test-Session", "completed")
    assert recording["readings"] > 0


@pytest.mark.skip(reason="QueryAnalyzer comes with the analysis edition")
def test_the_second_snippet_analyses_a_session() -> None:
    raise AssertionError
