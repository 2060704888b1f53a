"""Recordings of a context whose devices are behind a server: the recorder knows only the client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.served import RemoteShell, serving

WHY = "--yes --justification 'tested on the recorder'"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[RemoteShell]:
    """A server of simulated devices, and an operator who is logged in to it."""
    with serving(tmp_path, "--no-rate-limit") as shell:
        shell.log_in("operator", "dsmil_op_2024")
        yield shell
        shell("dsmilctl record stop")


def test_devices_behind_a_server_are_recorded_with_operations_and_the_machine_here(
    shell: RemoteShell,
) -> None:
    line = "dsmilctl -C plant record start -n far 0x8030-0x8033 TEMP"
    begun = shell(f"{line} --interval 100ms --host-metrics -o json")
    assert begun.exit == 0, begun.err
    for _ in range(200):
        status = shell("dsmilctl record status -o json").data
        if status["health"]["readings"] >= 20:
            break
        time.sleep(0.1)
    written = shell(f"dsmilctl -C plant device write 0x8030 CONFIG 5 {WHY}")
    time.sleep(1.5)
    ended = shell("dsmilctl record stop -o json")

    assert written.exit == 0, written.err
    assert (ended.exit, ended.data["status"], ended.data["context"]) == (0, "completed", "plant")
    rows = shell("dsmilctl -C sim record query 0x8030-0x8033 TEMP --limit 0 -o json").data
    assert {row["device"] for row in rows} == {"0x8030", "0x8031", "0x8032", "0x8033"}
    assert len(rows) == ended.data["readings"]
    assert shell("dsmilctl record check").exit == 0


def test_readings_around_an_event_behind_a_server_are_kept(shell: RemoteShell) -> None:
    script = f"sleep 1; dsmilctl -C plant device write 0x8030 CONFIG 7 {WHY} >&2; sleep 1"
    run = "dsmilctl -C plant record run -n far 0x8030 --interval 100ms --when 'CONFIG == 7'"

    done = shell(f'{run} --pre-trigger 500ms -o json -- sh -c "{script}"')

    assert done.exit == 0, done.err
    rows = shell("dsmilctl -C sim record query 0x8030 CONFIG -o json").data
    values = [row["value"] for row in rows]
    assert 7 in values
    assert 1 <= values.index(7) <= 20, "some of what came before, not all of it"
