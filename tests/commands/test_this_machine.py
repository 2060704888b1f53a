"""This machine: its own sensors, the doctor, the demo, and what a command says of itself."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.commands.shell import STILL, Shell
from tests.commands.terminal import Terminal


def test_the_devices_of_this_machine_are_listed_and_read_without_any_configuration(shell: Shell) -> None:
    devices = shell("dsmilctl device list -o json")
    readings = shell("dsmilctl device read load,memory -o json")

    assert devices.json["context"] == "local"
    assert {"cpu", "load", "memory"} <= {row["device_id"] for row in devices.data}
    assert {row["quality"] for row in readings.data} == {"good"}
    assert {"load1", "used_percent"} == {row["register"] for row in readings.data}
    assert "CAPABILITIES" in shell("dsmilctl driver list").out
    assert shell("dsmilctl system health").exit == 0
    assert shell("dsmilctl system status -o json").data["absent"] is not None


def test_what_is_streamed_agrees_with_the_files_of_the_kernel(shell: Shell) -> None:
    answer = shell("dsmilctl -C local stream devices load --interval 0.05 --count 20 -o ndjson")

    values = [line["value"] for line in answer.lines[1:-1]]
    now = float(Path("/proc/loadavg").read_text().split()[0])
    assert len(values) == 20
    assert all(abs(value - now) <= 4 for value in values)


def test_the_doctor_finds_nothing_wrong_with_a_fresh_home_and_writes_a_report(shell: Shell) -> None:
    answer = shell("dsmilctl doctor --bundle report.json -o json", environment={"DSMIL_TOKEN": "canary-1234"})

    checks = {row["check"]: row for row in answer.data}
    assert answer.exit == 0
    assert {"dsmilctl", "settings", "state folder", "journal", "driver host", "driver sim"} <= set(checks)
    assert checks["DSMIL_TOKEN"]["status"] == "warning"
    report = shell.home / "report.json"
    assert report.stat().st_mode & 0o077 == 0
    assert json.loads(report.read_text())["findings"] == answer.data
    assert "canary-1234" not in report.read_text() + answer.out + answer.err


def test_the_doctor_says_what_is_wrong_and_what_would_mend_it(shell: Shell) -> None:
    shell("dsmilctl -C sim device write 0x8030 CONFIG 5 --yes; dsmilctl -C sim emergency stop 0x8030")
    journal = next((shell.home / "state").glob("journal-*.jsonl"))
    journal.write_bytes(journal.read_bytes().replace(b"device.write", b"device.wrote", 1))
    tokens = shell.home / "state/tokens"
    tokens.mkdir(mode=0o755)

    answer = shell(
        "dsmilctl -C sim doctor -o json", environment={"TERM": "dumb", "PYTHONIOENCODING": "ascii"}
    )

    checks = {row["check"]: row for row in answer.data}
    assert answer.exit == 9
    assert checks["journal"]["status"] == "problem"
    assert checks["journal"]["fix"] == "dsmilctl audit verify"
    assert checks["secrets"] == {
        "check": "secrets",
        "status": "problem",
        "message": f"{tokens} can be read by others",
        "fix": f"chmod go= {tokens}",
    }
    assert checks["emergency stop"]["status"] == "warning"
    assert checks["terminal"]["status"] == checks["encoding"]["status"] == "warning"


def test_a_demo_without_a_terminal_ends_by_itself_with_what_it_really_did(shell: Shell) -> None:
    answer = shell("dsmilctl demo --seconds 0.3 -o json", environment={"TMPDIR": str(shell.home)})

    steps = {row["step"]: row["result"] for row in answer.data}
    assert (answer.exit, answer.err) == (0, "")
    assert "good readings" in steps["sensors"]
    assert steps["list"] == "84 simulated devices, 5 quarantined"
    assert steps["write"] == "0x8030 CONFIG 3 → 5, read back 5: SUCCESS"
    assert steps["stop"].startswith("84 of 84 confirmed")
    assert steps["refused write"] == "refused as it must be: EMERGENCY_STOP"
    assert steps["journal"].endswith("chain intact")
    assert steps["login"] == "admin, TOP_SECRET; supervisor on another line"
    assert steps["approval"].endswith("(asked by admin, approved by supervisor): SUCCESS")
    assert steps["remote stop"] == "84 of 84 confirmed"
    assert steps["logout"] == "both sessions ended"
    kept = int(steps["record"].split()[0])
    assert kept > 0
    assert steps["backup"].startswith(f"{kept} readings in ")
    assert steps["restore"] == f"1 recording with {kept} readings is back"
    assert steps["check"] == "0 problems in five layers"
    assert {path.name for path in shell.home.iterdir()} <= {"bin", "cache", "state"}, "nothing is left"
    assert not list(shell.home.glob("state/journal*"))


def test_an_emergency_stop_names_every_device_and_counts_the_many(shell: Shell) -> None:
    options = json.dumps({**json.loads(STILL["DSMIL_SIM_OPTIONS"]), "faults": ["silent:0x8040"]})

    answer = shell(
        "dsmilctl -C sim emergency stop --deadline 0.4", environment={"DSMIL_SIM_OPTIONS": options}
    )

    lines = answer.err.splitlines()
    assert answer.exit == 8
    assert answer.out.startswith("stop-")
    assert ": 83 of 84 confirmed in " in answer.out
    assert sum("STOPPED" in line for line in lines) == 20
    assert next(line for line in lines if "UNCONFIRMED" in line).startswith("0x8040")
    assert "… 84 devices in all" in lines
    assert lines[-1] == "dsmilctl: warning: 1 did not confirm, look after them by hand: 0x8040"


def test_many_devices_that_did_not_confirm_are_counted_in_a_table_and_all_named_in_json(
    shell: Shell,
) -> None:
    options = json.dumps({**json.loads(STILL["DSMIL_SIM_OPTIONS"]), "faults": ["disconnect:@all"]})
    shell.environment["DSMIL_SIM_OPTIONS"] = options

    stopped = shell("dsmilctl -C sim emergency stop --deadline 0.2")
    table = shell("dsmilctl -C sim emergency status")
    page = shell("dsmilctl -C sim emergency stop --deadline 0.2 --fields unconfirmed")
    document = shell("dsmilctl -C sim emergency status -o json")

    assert stopped.err.splitlines()[-1].endswith("84 did not confirm, look after them by hand: 0x8000-0x8053")
    assert "  84: 0x8000-0x8053  " in table.out
    assert page.out == "unconfirmed  84: 0x8000-0x8053\n"
    assert document.data[0]["unconfirmed"] == [f"0x{number:04X}" for number in range(0x8000, 0x8054)]


def test_a_bulk_on_a_terminal_shows_how_far_it_is_and_wipes_that_away(shell: Shell) -> None:
    options = json.dumps({**json.loads(STILL["DSMIL_SIM_OPTIONS"]), "faults": ["slow:0x8030-0x803B:0.2"]})
    line = ("-C", "sim", "bulk", "write", "0x8030-0x8035", "CONFIG", "5", "--mode", "sequential", "--yes")
    with Terminal(
        shell, *line, "--justification", "night setpoints", environment={"DSMIL_SIM_OPTIONS": options}
    ) as terminal:
        assert terminal.ends() == 0

    assert "\rchanged 2 of 6, " in terminal.raw
    assert " s left\x1b[K" in terminal.raw
    assert "\r\x1b[K" in terminal.raw.rpartition("changed 6 of 6")[2]


def test_the_log_goes_where_it_is_asked_to_go_as_text_and_as_json(shell: Shell) -> None:
    line = "dsmilctl -C sim device write 0x8030 CONFIG 5 --justification 'token=abcdefgh' --yes -o json"

    quiet, loud, louder = shell(line), shell(f"{line} -v"), shell(f"{line} -vv")
    filed = shell(f"{line} --log-file logs/dsmilctl.log --log-format json -v")

    assert quiet.err == ""
    assert "INFO    commands: context sim: simulated devices" in loud.err
    assert "DEBUG" in louder.err and "DEBUG" not in loud.err
    records = [json.loads(line) for line in (shell.home / "logs/dsmilctl.log").read_text().splitlines()]
    assert records[0]["part"] == "commands"
    assert records[-1]["message"] == "done, exit status 0"
    assert filed.exit == 0
    assert "abcdefgh" not in loud.err + louder.err + json.dumps(records)


def test_v_tells_each_step_of_a_change_and_vv_each_call_of_the_driver_with_its_time(shell: Shell) -> None:
    line = "dsmilctl -C sim device write 0x8030 CONFIG 5 --yes"

    loud, louder = shell(f"{line} -v").err, shell(f"{line} -vv").err

    steps = [
        "context sim: simulated devices",
        "driver sim loaded",
        "driver sim found 84 devices",
        "journal-000001.jsonl begun",
        "write CONFIG of 0x8030, 0x00000003 → 0x00000005 intended",
        "ended: SUCCESS, reads back 0x00000005",
        "done, exit status 0",
    ]
    places = [loud.find(step) for step in steps]
    assert -1 not in places and places == sorted(places), loud
    assert "drivers.sim" not in loud
    calls = re.findall(r"drivers\.sim: (.*?): done, [\d.]+ ms", louder)
    assert {"discover", "write 0x8030 CONFIG 5", "read 0x8030 CONFIG", "shutdown"} <= set(calls)
    assert re.search(r"guard\.journal: records \d+ to \d+ written and synced, [\d.]+ ms", louder)


def test_v_tells_of_a_stop_its_latch_its_release_and_what_is_refused_meanwhile(shell: Shell) -> None:
    stopped = shell("dsmilctl -v -C sim emergency stop 0x8030")
    refused = shell("dsmilctl -v -C sim device write 0x8030 CONFIG 5 --yes")
    released = shell("dsmilctl -v -C sim emergency release --justification 'smoke was a drill' --confirm sim")

    assert re.search(
        r"guard\.stop: stop-\w+ engaged in [\d.]+ ms, scope 0x8030: the latch is on disk", stopped.err
    )
    assert "driven: 1 confirmed, 0 not" in stopped.err
    assert "guard: write CONFIG of 0x8030 refused: 0x8030 is under stop-" in refused.err
    assert "(EMERGENCY_STOP)" in refused.err
    assert re.search(r"guard\.stop: stop-\w+ released by ", released.err)


def test_v_tells_what_is_tried_again_and_counts_a_bulk(shell: Shell) -> None:
    options = json.dumps({**json.loads(STILL["DSMIL_SIM_OPTIONS"]), "faults": ["disconnect:0x8031"]})

    again = shell(
        "dsmilctl -v -C sim device read 0x8031 --retry 2", environment={"DSMIL_SIM_OPTIONS": options}
    )
    bulk = "dsmilctl -C sim bulk write 0x8020-0x8050 CONFIG 5 --yes --justification 'night setpoints'"
    many, each = shell(f"{bulk} -v"), shell(f"{bulk} -vv")

    assert again.err.count("retry ") == 2
    assert re.search(r"guard: \d\d changes of bulk-\w+ intended", many.err)
    assert " of 0x8030, " not in many.err
    assert "write CONFIG of 0x8030, 0x00000005 → 0x00000005 intended" in each.err


def test_the_log_tells_what_happens_to_devices_and_tells_it_once(shell: Shell) -> None:
    options = json.dumps({**json.loads(STILL["DSMIL_SIM_OPTIONS"]), "faults": ["disconnect:0x8031"]})
    line = "dsmilctl -v -C sim stream devices 0x8030-0x8031 --interval 0.05 --for 500ms"

    answer = shell(line, environment={"DSMIL_SIM_OPTIONS": options})

    told = [line for line in answer.err.splitlines() if " ERROR " in line]
    assert len(told) == 1
    assert "fleet: 0x8031: connection to 0x8031 refused" in told[0]


def test_a_driver_says_what_this_machine_does_not_have_and_why(shell: Shell) -> None:
    root = shell.home / "machine"
    root.mkdir()
    (root / "proc").symlink_to("/proc")
    shell(f"dsmilctl context add bare --driver host --option root={root}")

    told = shell("dsmilctl -C bare driver show host -o json").data["absent"]
    page = shell("dsmilctl -C bare driver show host").out
    elsewhere = shell("dsmilctl -C sim driver show host -o json").data["absent"]

    assert told["hwmon"] == f"{root}/sys/class/hwmon does not exist"
    assert {"hwmon", "thermal", "fan", "tokens"} <= set(told)
    assert re.search(rf"  hwmon +{root}/sys/class/hwmon does not exist", page)
    assert elsewhere is None, "nobody looked"


def test_words_for_completion_are_kept_by_the_commands_that_learn_them(shell: Shell) -> None:
    shell("dsmilctl context list; dsmilctl -C sim device list; dsmilctl driver list")

    words = shell.home / "cache/completion"
    assert "sim\t" in (words / "contexts").read_text()
    assert "0x8000\t" in (words / "sim/devices").read_text()
    assert "TEMP\t" in (words / "sim/registers").read_text()
    assert "host\t" in (words / "drivers").read_text()


def test_a_home_in_the_xdg_folders_is_used_where_no_other_is_named(shell: Shell) -> None:
    shell.environment.pop("DSMIL_HOME")

    shell("dsmilctl -C sim device write 0x8030 CONFIG 5 --yes")

    assert list((shell.home / ".local/state/dsmilctl").glob("journal-*.jsonl"))
    assert shell("dsmilctl config path -o json").data["settings"] == str(
        shell.home / ".config/dsmilctl/config.toml"
    )


@pytest.mark.skipif(not Path(os.__file__).parents[2].joinpath("bin").exists(), reason="an unusual Python")
def test_the_module_and_the_installed_command_are_the_same(shell: Shell) -> None:
    import sys

    installed = Path(sys.executable).with_name("dsmilctl")
    if not installed.exists():
        pytest.skip("dsmilctl is not installed beside this Python")

    assert shell(f"{installed} --version") == shell("dsmilctl --version")
    assert shell(f"{installed} device raed") == shell("dsmilctl device raed")
