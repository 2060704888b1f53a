"""Kills at any moment: what was acknowledged is there afterwards, and what was not is called unknown."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.guard.journal import Journal
from dsmilctl.guard.latch import UNREADABLE, Latch
from dsmilctl.model.audit import AuditRecord
from tests.reliability.processes import SAFE, Site

KILLS = 50
SIDE_BY_SIDE = 2

SCRIPTED = """
import asyncio, json
from dsmilctl.client import connect
from dsmilctl.model.operation import OperationType, Request

def say(what, **facts):
    print(json.dumps({"what": what, **facts}), flush=True)

def write(device_id, register, value):
    return Request(
        device_id=device_id, type=OperationType.WRITE, register=register, value=value,
        justification="a scripted run",
    )

async def main():
    async with connect("sim") as client:
        devices = [device.device_id for device in await client.devices()][:20]
        await client.release(justification="the run before was killed")
        say("ready")
        for turn in range(1, 10_000):
            result = await client.change_many([write(item, "DATA", turn) for item in devices])
            for operation in result.results:
                say("write", id=operation.operation_id, status=operation.status, device=operation.device_id,
                    register="DATA", value=turn)
            for item in devices[:3]:
                operation = await client.change(write(item, "CONFIG", turn))
                say("write", id=operation.operation_id, status=operation.status, device=item,
                    register="CONFIG", value=turn)
            stop = await client.stop(reason=f"turn {turn}")
            say("stop", id=stop.stop_id, unconfirmed=len(stop.unconfirmed))
            released = await client.release(stop.stop_id, justification="the script goes on")
            say("release", ids=[item.stop_id for item in released])

asyncio.run(main())
"""

NEXT_START = """
import asyncio, json
from dsmilctl.client import connect
from dsmilctl.errors import DSMILError
from dsmilctl.model.operation import OperationType, Request

async def main():
    async with connect("sim") as client:
        before = await client.audit_verify()
        try:
            await client.change(Request(
                device_id=0x8053, type=OperationType.WRITE, register="DATA", value=1,
                justification="the first change after the kill",
            ))
            refusal = ""
        except DSMILError as error:
            refusal = error.code
        devices = await client.devices()
        readings = await client.read(devices[:20], ["CONFIG", "DATA"])
        after = await client.audit_verify()
        print(json.dumps({
            "intact": before.intact and after.intact, "problem": before.problem or after.problem,
            "unfinished": list(after.unfinished), "refusal": refusal,
            "stops": [stop.stop_id for stop in await client.stops()],
            "values": [[item.device_id, item.register, item.value] for item in readings],
        }))

asyncio.run(main())
"""


class Killed:
    """A site on which a scripted run is killed again and again, and what must be true after each time."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.site = Site(folder)
        self.chance = random.Random(seed)
        self.settled = 0
        self.moments: set[str] = set()

    def kill_many(self, kills: int) -> None:
        for _ in range(kills):
            acknowledged = self._run_and_kill()
            self._check_before(acknowledged)
            self._check_after(acknowledged, self.site.run(NEXT_START))

    def _run_and_kill(self) -> list[dict[str, Any]]:
        """Kill a run a moment behind a write, a stop or a release; what it had said until then."""
        process = self.site.start(SCRIPTED)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["what"] == "ready"
        kind = self.chance.choice(("write", "stop", "release"))  # by time alone a stop is seldom hit
        left = self.chance.randrange(30) if kind == "write" else 1
        lines: list[str] = []
        while left and (line := process.stdout.readline()):
            lines.append(line.removesuffix("\n"))
            left -= json.loads(line)["what"] == kind
        # At once, or a moment later: it is this moment at which the kill comes that the test is about.
        time.sleep(self.chance.choice((0, self.chance.random() * 0.02)))
        process.kill()
        output = process.stdout.read()  # `communicate` would leave out what was read ahead for a line
        process.communicate(timeout=30)
        lines += output.split("\n")[:-1]  # what follows the last line feed was not said in full
        self.moments.add(json.loads(lines[-1])["what"] if lines else "nothing")
        return [json.loads(line) for line in lines]

    def _journal(self) -> list[AuditRecord]:
        return list(reversed(Journal(self.site.home / "state").records(limit=0)))

    def _latch(self) -> Latch:
        return Latch(self.site.home / "state" / "latch", "sim", self.site.home / "run" / "latch")

    def _check_before(self, acknowledged: list[dict[str, Any]]) -> None:
        """Before anything is started again: the latch as it lies there, and the journal."""
        stops = {stop.stop_id for stop in self._latch().stops()}
        assert UNREADABLE not in stops
        assert Journal(self.site.home / "state").verify().intact
        outcomes = {
            record.operation_id: record.outcome for record in self._journal() if record.outcome != "INTENT"
        }
        for said in acknowledged:
            if said["what"] == "write":
                assert outcomes[said["id"]] == said["status"], "an acknowledged outcome is in the journal"
        last = next((said for said in reversed(acknowledged) if said["what"] in ("stop", "release")), None)
        if last is not None and last["what"] == "stop" and last is acknowledged[-1]:
            released = {"emergency.release"} & {record.action for record in self._journal()[-1:]}
            assert last["id"] in stops or released, "an acknowledged stop is in force until it is released"
        for said in acknowledged:
            if said["what"] == "release":
                assert not stops & set(said["ids"]), "an acknowledged release is for good"

    def _check_after(self, acknowledged: list[dict[str, Any]], found: dict[str, Any]) -> None:
        assert found["intact"], found["problem"]
        standing = found["stops"]
        assert found["refusal"] == ("EMERGENCY_STOP" if standing else "")
        if not standing:
            assert found["unfinished"] == [], "what was cut off is settled by the next change"
        records = self._journal()
        unknown = {record.operation_id for record in records if record.outcome == "UNKNOWN"}
        intents = {record.operation_id for record in records if record.outcome == "INTENT"}
        assert unknown <= intents
        self.settled = len(unknown)
        self._check_values(acknowledged, found["values"], records)

    def _check_values(
        self, acknowledged: list[dict[str, Any]], values: list[list[Any]], records: list[AuditRecord]
    ) -> None:
        """Each register holds what was acknowledged last, or what somebody had begun after that."""
        last = {(said["device"], said["register"]): said for said in acknowledged if said["what"] == "write"}
        for device, register, value in values:
            said = last.get((device, register))
            if said is None:
                continue
            begun = {value for _, value in self._later(records, said)}
            assert value in {said["value"], SAFE[register], *begun}, (device, register, value, said)
            stopped = self._stopped_after(records, said) or self._latch().stops()
            if not begun and not stopped:
                assert value == said["value"], "an acknowledged write is lost"

    @staticmethod
    def _later(records: list[AuditRecord], said: dict[str, Any]) -> list[tuple[str, Any]]:
        """The intents on the same register that came after an acknowledged write."""
        place = max(number for number, item in enumerate(records) if item.operation_id == said["id"])
        return [
            (item.operation_id, item.parameters["value"])
            for item in records[place:]
            if item.outcome == "INTENT"
            and item.target == f"0x{said['device']:04X}"
            and item.parameters.get("register") == said["register"]
        ]

    @staticmethod
    def _stopped_after(records: list[AuditRecord], said: dict[str, Any]) -> bool:
        place = max(number for number, item in enumerate(records) if item.operation_id == said["id"])
        return any(item.action == "emergency.stop" for item in records[place:])


@pytest.mark.timeout(600)
def test_after_each_of_fifty_kills_latch_and_journal_are_whole_and_nothing_acknowledged_is_lost(
    tmp_path: Path,
) -> None:
    killed = [Killed(tmp_path / str(number), number) for number in range(SIDE_BY_SIDE)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        for done in [threads.submit(item.kill_many, KILLS // SIDE_BY_SIDE) for item in killed]:
            done.result()

    assert sum(item.settled for item in killed) > 0, "some kills came between an intent and its outcome"
    assert set.union(*(item.moments for item in killed)) >= {"write", "stop", "release"}
