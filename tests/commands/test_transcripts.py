"""Transcripts: what every command prints, for people and for programs, as it was agreed."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from dsmilctl.commands.nouns import nouns
from tests.commands.served import serving
from tests.commands.shell import Shell
from tests.commands.transcript import Transcript, commands

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.txt"))
NO_DATA = {"completion bash", "completion zsh", "completion fish", "tui"}
"""Commands that print no document."""

ELSEWHERE = {"doctor", "demo", "serve", "sim serve"}
"""Commands whose output is this machine's, or that go on: their own tests look at them."""

SERVER = "server"
"""The transcript beside a server, whose context is `plant`."""


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_transcript_comes_out_as_it_was_agreed(
    file: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    agreed = file.read_text(encoding="utf-8")

    with (
        serving(tmp_path, "--no-rate-limit") if file.stem == SERVER else nullcontext(Shell(tmp_path)) as shell
    ):
        again = Transcript(shell).again(agreed)

    if request.config.getoption("--golden"):
        file.write_text(again, encoding="utf-8")
    assert again == agreed or request.config.getoption("--golden")


def test_every_command_is_in_a_transcript_as_a_table_and_as_json() -> None:
    lines = [line for file in FILES for line in commands(file.read_text(encoding="utf-8"))]
    wanted = {
        f"{noun.name} {verb}".strip() for noun in nouns() for verb in noun.verbs
    } - NO_DATA - ELSEWHERE  # fmt: skip

    def shows(command: str, format: str) -> bool:
        asked = re.compile(rf"dsmilctl (-\S+ \S+ )*{command}\b.* -o {format}")
        plain = re.compile(rf"dsmilctl (-\S+ \S+ )*{command}\b(?!.* -o )")
        return any((asked if format == "json" else plain).search(line) for line in lines)

    assert {command for command in wanted if not shows(command, "table")} == set()
    assert {command for command in wanted if not shows(command, "json")} == set()


def test_the_fields_of_every_document_are_those_that_scripts_rely_on(shell: Shell) -> None:
    fields = {
        "context list": "name kind target current read_only",
        "device list 0x8000": "device_id name driver group risk state quarantined last_seen",
        "device registers 0x8000": "register address type unit access min max",
        "device read 0x8000": (
            "device_id register value raw unit quality timestamp latency_ms error"
        ),
        "device state 0x8000": "device_id state reason since",
        "emergency history": "stop_id scope reason triggered_by confirmed unconfirmed",
    }  # fmt: skip
    shell("dsmilctl -C sim emergency stop 0x8000")

    for command, wanted in fields.items():
        rows = shell(f"dsmilctl -C sim {command} -o json").data
        assert set(wanted.split()) <= set(rows[0]), command
