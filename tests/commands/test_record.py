"""`dsmilctl record`: record, look, take along, prove, as a person or a script does it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.commands.shell import PROGRAM, Shell


def test_a_recording_for_a_time_is_listed_queried_exported_and_checked(shell: Shell, tmp_path: Path) -> None:
    done = shell("dsmilctl -C sim record run --name tour --for 1s --interval 0.2 @all TEMP -o json")
    assert done.exit == 0
    assert done.data["status"] == "completed"

    (listed,) = shell("dsmilctl record list -o json").data
    assert (listed["name"], listed["readings"]) == ("tour", done.data["readings"])

    assert shell("dsmilctl record status -o json").data["sealed_readings"] == listed["readings"]

    rows = shell("dsmilctl record query 0x8000 TEMP --every 1m --agg count -o json").data
    assert sum(row["value"] for row in rows) >= 3

    exported = shell("dsmilctl record export last tour.parquet -o json")
    assert exported.data["readings"] == done.data["readings"]
    imported = shell("dsmilctl record import tour.parquet --name again --archive other -o json")
    assert imported.data["readings"] == done.data["readings"]

    checked = shell("dsmilctl record check -o json")
    assert checked.exit == 0
    assert {row["severity"] for row in checked.data} <= {"hint"}


def test_devices_and_registers_stand_before_the_dashes_and_a_program_with_its_options_behind_them(
    shell: Shell,
) -> None:
    program = "sh -c 'sleep 0.5; exit 3'"
    done = shell(f"dsmilctl -C sim record run 0x8000,0x8001 TEMP -n x --interval 0.1 -o json -- {program}")

    assert (done.exit, done.data["status"]) == (3, "failed")
    rows = shell("dsmilctl record query --recording x -o json").data
    assert {(row["device"], row["register"]) for row in rows} == {("0x8000", "TEMP"), ("0x8001", "TEMP")}


def test_a_recording_around_a_command_has_its_operations_and_its_exit_status(shell: Shell) -> None:
    write = "dsmilctl -C sim device write 0x8001 CONFIG 5 --yes --justification 'tested at night'"

    done = shell(f'dsmilctl -C sim record run -n nightly -o json -- sh -c "{write}; exit 3"')

    assert done.exit == 3
    assert shell("dsmilctl record show nightly -o json").data["status"] == "failed"
    rows = shell(
        "dsmilctl record query -o json --sql 'SELECT outcome, target FROM operations ORDER BY sequence'"
    ).data
    assert rows[0] == {"outcome": "INTENT", "target": "0x8001"}
    assert "SUCCESS" in {row["outcome"] for row in rows}


def test_a_program_that_is_not_there_is_told_and_the_recording_has_failed(shell: Shell) -> None:
    answer = shell("dsmilctl -C sim record run -n x -o json -- no-such-program")

    assert answer.exit == 2
    assert "no-such-program" in answer.error.message
    assert shell("dsmilctl record show x -o json").data["status"] == "failed"


def test_an_interrupted_recording_is_completed_and_keeps_what_it_has(shell: Shell) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "-C", "sim", "record", "run", "-n", "open end", "--progress", "json", "-o", "json"],
        cwd=shell.home, env=shell.environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    while b'"readings":0' in (line := process.stderr.readline()) or b"progress" not in line:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate()

    assert process.returncode == 130
    shown = shell("dsmilctl record show last -o json").data
    assert shown["status"] == "completed"
    assert shown["notes"] == "ended by a signal"
    assert shown["readings"] > 0


def test_a_second_recorder_is_refused_while_one_is_at_work(shell: Shell) -> None:
    inner = "dsmilctl -C sim record run -n inner --for 1s -o json"

    answer = shell(f"dsmilctl -C sim record run -n outer -o json -- {inner}")

    assert answer.exit == 7
    assert "another recorder is at work" in answer.err
    assert "process" in answer.err


def test_a_damaged_archive_ends_the_check_with_9_and_names_the_file(shell: Shell) -> None:
    shell("dsmilctl -C sim record run -n x --for 0.5s")
    segment, _ = sorted((shell.home / "data/archive/segments").iterdir(), key=lambda path: "-1m" in path.name)
    content = bytearray(segment.read_bytes())
    content[100] ^= 4
    segment.write_bytes(content)

    found = shell("dsmilctl record check -o json")

    assert found.exit == 9
    assert segment.name in {Path(row["where"]).name for row in found.data}
    assert shell("dsmilctl record check --repair").exit == 0
    assert shell("dsmilctl record check").exit == 0


def test_without_its_packages_record_names_the_extra_to_install(shell: Shell) -> None:
    program = (
        "import sys; sys.modules['duckdb'] = None; sys.argv = ['dsmilctl', 'record', 'check', '-o', 'json'];"
        "import importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *rest: None if name == 'duckdb' else find(name, *rest);"
        "from dsmilctl.cli import program; program()"
    )
    done = ran(shell, program)

    assert done.returncode == 2
    assert "dsmilctl[archive]" in done.stderr


def test_lists_of_recordings_load_none_of_the_heavy_packages(shell: Shell) -> None:
    program = (
        "import sys, atexit; sys.argv = ['dsmilctl', 'record', 'list'];"
        "heavy = {'duckdb', 'pyarrow'};"
        "atexit.register(lambda: sys.stderr.write(str(heavy & set(sys.modules))));"
        "from dsmilctl.cli import main; main()"
    )
    done = ran(shell, program)

    assert done.stderr == "set()"


def ran(shell: Shell, program: str) -> subprocess.CompletedProcess[str]:
    """A Python program in the shell's environment."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env=shell.environment,
        cwd=shell.home,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_export_is_packed_described_and_harmless_where_that_is_asked_for(
    shell: Shell, tmp_path: Path
) -> None:
    shell("dsmilctl -C sim record run --name '=tour()' --for 1s --interval 0.2 @all TEMP -o json")

    exported = shell("dsmilctl record export last --format csv --output tour.csv.zst --metadata -o json")
    assert exported.exit == 0
    assert (shell.home / "tour.csv.zst").read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    described = json.loads((shell.home / "tour.csv.zst.meta.json").read_text())
    assert described["recording"]["name"] == "=tour()"
    imported = shell("dsmilctl record import tour.csv.zst --archive other -o json").data
    assert (imported["name"], imported["readings"]) == ("tour", exported.data["readings"])

    table = shell("dsmilctl record export last events.csv --table events -o json")
    assert table.data["rows"] == 0
    assert (shell.home / "events.csv").read_text().startswith('"event_id","session_id","timestamp"')

    assert shell("dsmilctl record export last x.parquet --escape-formulas -o json").exit == 2
    assert shell("dsmilctl record export last x.csv --table secrets -o json").exit == 2
    assert shell("dsmilctl record export last -o json").exit == 2
    assert shell("dsmilctl record export last tour.csv.zst -o json").exit == 7


def test_a_recording_is_replayed_and_is_a_context_beside_the_live_one(shell: Shell) -> None:
    done = shell("dsmilctl -C sim record run --name tour --for 1s --interval 0.2 @all TEMP -o json").data

    lines = shell("dsmilctl record replay tour --speed 0 -o ndjson").lines
    assert (lines[0]["event"], lines[-1]["event"]) == ("start", "end")
    assert len(lines) - 2 == done["readings"]
    times = [line["timestamp"] for line in lines[1:-1]]
    assert times == sorted(times)
    later = shell(f"dsmilctl record replay tour 0x8000 TEMP --speed 0 --from {times[-1]} -o ndjson").lines
    assert len(later) < 5

    (reading,) = shell("dsmilctl -C replay:last device read 0x8000 TEMP -o json").data
    assert reading["timestamp"] in times
    refused = shell(
        "dsmilctl -C replay:last device write 0x8000 TEMP 5 --yes --justification 'just to see' -o json"
    )
    assert (refused.exit, refused.error.code) == (1, "READ_ONLY")
    stop = shell("dsmilctl -C replay:last emergency stop -o json")
    assert stop.exit != 0
    assert shell("dsmilctl record replay tour --speed fast -o ndjson").exit == 2
    assert shell("dsmilctl -C replay:none device list -o json").error.code == "NOT_FOUND"


def test_a_report_is_written_as_a_page_and_shown_on_a_terminal(shell: Shell) -> None:
    done = shell("dsmilctl -C sim record run --name tour --for 1s --interval 0.2 @all TEMP -o json").data

    for kind in ("html", "md", "json", "pdf"):
        written = shell(f"dsmilctl record report tour --output tour.{kind} -o json")
        assert (written.exit, written.data["readings"]) == (0, done["readings"])
    assert "0x8000" in (shell.home / "tour.html").read_text()
    assert shell("dsmilctl record report tour -o json").data["readings"] == done["readings"]
    assert "what to do" in shell("dsmilctl record report tour").out
    assert shell("dsmilctl record report tour --output tour.md -o json").exit == 7
    assert shell("dsmilctl record report tour --output tour.doc -o json").exit == 2


def test_other_formats_are_written_beside_as_an_option_or_a_setting_says(shell: Shell) -> None:
    line = "dsmilctl -C sim record run --name tour --for 1s --interval 0.2 @all TEMP -o json"
    done = shell(f"{line} --also csv,parquet --also ndjson").data

    assert [Path(file).suffix for file in done["beside"]] == [".csv", ".parquet", ".ndjson"]
    for file in done["beside"]:
        imported = shell(f"dsmilctl record import {file} --archive other{Path(file).suffix} -o json")
        assert imported.data["readings"] == done["readings"]
    assert shell("dsmilctl record check -o json").exit == 0

    assert shell("dsmilctl config set archive.also dsm").exit == 0
    (file,) = shell(line).data["beside"]
    assert file.endswith(".dsm")
    assert shell(f"{line} --also xls").exit == 2
    assert shell("dsmilctl config set archive.also xls").exit == 2
