"""Settling: what a process that is no more has left open is read back and called unknown, once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.guard.evidence import is_alive, process_name
from dsmilctl.guard.journal import Entry, Journal
from dsmilctl.model.audit import AuditRecord
from tests.rack import Lab, Rack, write


def ended_process() -> str:
    """The name of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        return process_name(process.pid)


def intent(home: Paths, process: str, *, context: str = "lab", **changes: Any) -> None:
    parameters = {"register": "LEVEL", "value": 10, "process": process} | changes
    action = str(parameters.pop("action", "device.write"))
    target = str(parameters.pop("target", "rack-0"))
    entry = Entry(
        user="ada",
        host="bench",
        context=context,
        action=action,
        target=target,
        parameters=parameters,
        outcome="INTENT",
        operation_id=f"op-{os.urandom(4).hex()}",
    )
    Journal(home.journal_folder).append([entry])


async def unknown(client: LocalClient) -> list[AuditRecord]:
    return await client.audit(HistoryQuery(outcome="UNKNOWN"))


async def test_a_change_that_was_cut_off_is_read_back_at_the_next_change(home: Paths) -> None:
    rack = Rack(1)
    rack.values["rack-0", "LEVEL"] = 10
    intent(home, ended_process())

    async with Lab(home, rack).client() as client:
        await client.change(write("rack-0", value=15))
        (settled,) = await unknown(client)
        verdict = await client.audit_verify()

    assert settled.parameters == {"found": "LEVEL reads 10"}
    assert verdict.intact
    assert verdict.unfinished == ()
    assert rack.written() == [15], "it was not sent again"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"target": "gone-7"}, "it cannot be read back"),
        ({"register": "HORN"}, "it cannot be read back"),
        ({"register": "", "action": "device.reset"}, "it cannot be read back"),
        ({"action": "emergency.stop", "target": "stop-1"}, "in force: none"),
        ({"action": "emergency.release", "target": "all"}, "in force: none"),
    ],
)
async def test_what_cannot_be_read_back_is_unknown_as_well(
    home: Paths, changes: dict[str, Any], found: str
) -> None:
    intent(home, ended_process(), **changes)

    async with Lab(home, Rack(1)).client() as client:
        await client.change(write("rack-0"))
        (settled,) = await unknown(client)

    assert settled.parameters == {"found": found}


async def test_an_intent_of_a_process_that_lives_or_of_another_context_is_left_alone(home: Paths) -> None:
    intent(home, process_name(os.getpid()))
    intent(home, ended_process(), context="other")

    async with Lab(home, Rack(1)).client() as client:
        await client.change(write("rack-0"))

        assert await unknown(client) == []


async def test_several_changes_at_once_settle_once_and_wait_for_it(home: Paths) -> None:
    intent(home, ended_process())
    rack = Rack(8)

    async with Lab(home, rack).client() as client:
        await asyncio.gather(*(client.change(write(device.device_id)) for device in rack.devices))

        assert len(await unknown(client)) == 1


async def test_a_silent_device_is_settled_with_what_it_did_not_say(home: Paths) -> None:
    intent(home, ended_process())
    rack = Rack(2)
    rack.faults["rack-0"] = "silent"

    async with Lab(home, rack).client(timeout=0.1) as client:
        await client.change(write("rack-1"))
        (settled,) = await unknown(client)

    assert (
        "did not answer" in settled.parameters["found"]
        or "could not be reached" in settled.parameters["found"]
    )


async def test_a_read_only_context_settles_nothing(home: Paths) -> None:
    intent(home, ended_process())
    rack = Rack(1)

    async with Lab(home, rack).client(read_only=True) as client:
        assert (await client.change_many([write("rack-0")])).results[0].error_code == "READ_ONLY"
        assert await unknown(client) == []


async def test_a_journal_that_cannot_be_read_does_not_come_before_the_checks(home: Paths) -> None:
    rack = Rack(1)
    rack.change(0, quarantined=True)
    (home.state / "journal-000001.jsonl").mkdir(parents=True)

    async with Lab(home, rack).client() as client:
        (refused,) = (await client.change_many([write("rack-0")])).results

    assert refused.error_code == "DEVICE_QUARANTINED"


def test_a_process_is_known_by_its_number_and_its_beginning() -> None:
    own = process_name(os.getpid())

    assert is_alive(own)
    assert is_alive(f"{os.getpid()}-")
    assert not is_alive(f"{os.getpid()}-1"), "the number was given to another one"
    assert not is_alive(ended_process())
    for nobody in (None, "", "x-1", "-5-", "99999999999999999999-1"):
        assert not is_alive(nobody)


def test_a_process_that_ended_and_was_not_waited_for_is_no_more() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = process_name(process.pid)
        assert is_alive(name)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert not is_alive(name)
