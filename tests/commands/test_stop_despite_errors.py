"""An emergency stop of a fleet that is written down wrongly: what can be stopped is, the rest is named."""

from __future__ import annotations

import pytest

from tests.commands.shell import Shell

RIGHT = "version: 2\nname: hall\ndevices:\n- {id: rack, driver: sim, options: {devices: 3}}\n"
RACK = {"0x8000", "0x8001", "0x8002"}
ANSWERED = {"STOPPED", "NOT_APPLICABLE"}


@pytest.fixture
def hall(shell: Shell) -> Shell:
    """A shell with a context `hall` of a fleet file that is right so far."""
    (shell.home / "hall.yaml").write_text(RIGHT)
    assert shell("dsmilctl context add hall --fleet hall.yaml").exit == 0
    return shell


@pytest.mark.parametrize(
    ("wrong", "named", "reached"),
    [
        (f"{RIGHT}- {{id: here, driver: host, options: {{colour: red}}}}\n", "driver here", RACK),
        (f"{RIGHT}- {{id: here, driver: nonesuch}}\n", "driver here", RACK),
        (f"{RIGHT}- {{id: here, drver: host}}\n", "driver devices[1]", RACK),
        (f"{RIGHT}- {{id: rack, driver: host}}\n", "driver devices[1]", RACK),
        (f"{RIGHT}color: red\n", "", RACK),
        ("version: [\n", "driver hall.yaml", set()),
        ("", "driver hall.yaml", set()),
    ],
)
def test_what_is_right_in_a_fleet_file_is_stopped_and_what_is_wrong_is_named(
    hall: Shell, wrong: str, named: str, reached: set[str]
) -> None:
    (hall.home / "hall.yaml").write_text(wrong)

    answer = hall("dsmilctl -C hall emergency stop -o json")
    status = hall("dsmilctl -C hall emergency status -o json")

    assert answer.exit == (8 if named else 0)
    assert set(answer.data["confirmed"]) == reached
    assert answer.data["unconfirmed"] == ([named] if named else [])
    assert {row["outcome"] for row in answer.data["devices"]} - ANSWERED == (
        {"UNCONFIRMED"} if named else set()
    )
    assert status.exit == 0
    assert [stop["stop_id"] for stop in status.data] == [answer.data["stop_id"]]
    assert ("does not reach all of hall" in status.err) == bool(named)

    (hall.home / "hall.yaml").write_text(RIGHT)
    refused = hall(
        "dsmilctl -C hall device write 0x8000 CONFIG 5 --yes --justification 'a test of stops' -o json"
    )
    assert (refused.exit, refused.error.code) == (1, "EMERGENCY_STOP")


def test_options_in_the_environment_that_cannot_be_read_hold_no_stop_up(shell: Shell) -> None:
    broken = {"DSMIL_SIM_OPTIONS": "{"}

    answer = shell("dsmilctl -C sim emergency stop -o json", environment=broken)
    status = shell("dsmilctl -C sim emergency status -o json", environment=broken)

    assert (answer.exit, len(answer.data["confirmed"])) == (0, 84)
    assert "DSMIL_SIM_OPTIONS is not a JSON object" in answer.err
    assert (status.exit, len(status.data)) == (0, 1)


def test_a_stop_and_its_status_do_without_right_settings(shell: Shell) -> None:
    config = shell.home / "config" / "config.toml"
    config.parent.mkdir()
    config.write_text("outptu = 'json'\n")

    assert shell("dsmilctl -C sim emergency stop").exit == 0
    status = shell("dsmilctl -C sim emergency status -o json")

    assert (status.exit, len(status.data)) == (0, 1)
