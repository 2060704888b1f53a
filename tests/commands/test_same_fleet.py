"""One fleet, opened in several ways: a stop and a server are those of the fleet, not of a file's name."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.commands.shell import Running, Shell

FLEET = "version: 2\ndevices:\n  - {id: rack, driver: sim, options: {devices: 50}}\n"
ELSEWHERE = "version: 2\ndevices:\n  - {id: row, driver: sim, options: {devices: 50}}\n"
WRITE = "device write 0x8030 CONFIG 5 --yes --justification 'a test of one fleet' -o json"
PASSWORD = "a password of this test"


@pytest.fixture
def hall(shell: Shell) -> Shell:
    """A shell with a fleet file `hall.yaml`, a context `hall` of it, and somebody who may use its server."""
    (shell.home / "hall.yaml").write_text(FLEET)
    assert shell("dsmilctl context add hall --fleet hall.yaml").exit == 0
    add = "dsmilctl user add ada --users users.json --clearance TOP_SECRET --password-stdin"
    assert shell(f"echo '{PASSWORD}' | {add}").exit == 0
    return shell


@contextmanager
def served(shell: Shell, file: str) -> Iterator[Running]:
    """Serve a fleet file, with a context `far` that is logged in to it."""
    server = shell.start("serve", file, "--users", "users.json", "--port", "0", "--json", anew=False)
    try:
        url = json.loads(server.line())["url"]
        assert shell(f"dsmilctl context add far --url {url}").exit == 0
        assert shell(f"echo '{PASSWORD}' | dsmilctl -C far auth login ada --password-stdin").exit == 0
        yield server
    finally:
        server.end(signal.SIGKILL)


def copies(shell: Shell) -> None:
    """The same fleet under two other names: a link, and a copy with a comment."""
    (shell.home / "linked.yaml").symlink_to("hall.yaml")
    (shell.home / "copied.yaml").write_text(f"# a copy\n{FLEET}")
    (shell.home / "other.yaml").write_text(ELSEWHERE)
    for name in ("linked", "copied", "other"):
        assert shell(f"dsmilctl context add {name} --fleet {name}.yaml").exit == 0


def test_a_stop_of_a_server_that_was_killed_holds_for_whoever_opens_its_fleet_otherwise(hall: Shell) -> None:
    copies(hall)
    with served(hall, "hall.yaml"):
        assert hall("dsmilctl -C far emergency stop --reason smoke").exit == 0

    for name in ("hall", "linked", "copied"):
        (stop,) = hall(f"dsmilctl -C {name} emergency status -o json").data
        assert (stop["reason"], len(stop["confirmed"])) == ("emergency stop: smoke", 50)
        refused = hall(f"dsmilctl -C {name} {WRITE}")
        assert (refused.exit, refused.error.code) == (1, "EMERGENCY_STOP")
    assert hall("dsmilctl -C other emergency status -o json").data == []

    released = hall("dsmilctl -C copied emergency release --confirm copied --justification 'it was a drill'")

    assert released.exit == 0, released.err
    assert hall("dsmilctl -C hall emergency status -o json").data == []
    assert hall(f"dsmilctl -C hall {WRITE}").exit == 0


def test_a_stop_from_a_context_holds_for_the_server_of_its_fleet(hall: Shell) -> None:
    copies(hall)
    with served(hall, "hall.yaml"):
        assert hall("dsmilctl -C copied emergency stop --reason smoke").exit == 0

        refused = hall(f"dsmilctl -C far {WRITE}")

    assert (refused.exit, refused.error.code) == (1, "EMERGENCY_STOP")


def test_a_fleet_has_one_server_whatever_its_file_is_called(hall: Shell) -> None:
    copies(hall)
    with served(hall, "hall.yaml"):
        for name in ("hall", "linked", "copied"):
            second = hall(f"dsmilctl serve {name}.yaml --users users.json --port 0 -o json")

            assert (second.exit, second.error.code) == (7, "CONFLICT"), name
            assert str(hall.home / "hall.yaml") in second.error.message
        other = hall.start(
            "serve", "other.yaml", "--users", "users.json", "--port", "0", "--json", anew=False
        )
        assert "url" in other.line()
        other.end(signal.SIGTERM)


def test_what_a_server_wrote_to_its_simulated_devices_is_there_without_it(hall: Shell) -> None:
    with served(hall, "hall.yaml"):
        assert hall(f"dsmilctl -C far {WRITE}").exit == 0

    (read,) = hall("dsmilctl -C hall device read 0x8030 CONFIG -o json").data

    assert read["value"] == 5


def test_a_fleet_whose_file_changes_while_it_is_stopped_stays_stopped(hall: Shell) -> None:
    assert hall("dsmilctl -C hall emergency stop").exit == 0

    (hall.home / "hall.yaml").write_text(FLEET.replace("devices: 50", "devices: 51"))

    assert len(hall("dsmilctl -C hall emergency status -o json").data) == 1


def test_the_sensors_of_this_machine_are_one_fleet_in_a_file_and_without_one(shell: Shell) -> None:
    (shell.home / "here.yaml").write_text("version: 2\ndevices: [{id: here, driver: host}]\n")
    assert shell("dsmilctl context add here --fleet here.yaml").exit == 0

    assert shell("dsmilctl -C local emergency stop").exit in (0, 8)

    assert len(shell("dsmilctl -C here emergency status -o json").data) == 1
