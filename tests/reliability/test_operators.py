"""Several operators at once: no change is lost, unjournalled or past a stop, and a rehearsal is true."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from dsmilctl.client.interface import BulkOptions, HistoryQuery
from dsmilctl.client.local import LocalClient
from dsmilctl.client.local_drivers import InstalledDrivers
from dsmilctl.client.opening import Opening
from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.config.paths import Paths
from dsmilctl.config.settings import DEFAULTS
from dsmilctl.drivers.registry import Registry
from dsmilctl.errors import Conflict, DSMILError, EmergencyStopActive, NotFound
from dsmilctl.fleet.switches import Switches
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import DeviceId
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.operation import Operation, OperationStatus, OperationType, Request
from dsmilctl.testing.clock import StandingClock
from tests.rack import SAFE, WHY, Lab, Rack, order, write
from tests.reliability.processes import Site, finish

COMMANDS = 10_000
IN_BULKS = 9_600
POLICY = """
version: 1
clearance: {WRITE: SECRET, RESET: TOP_SECRET}
justification: {WRITE: [HIGH, CRITICAL], ACTIVATE: [CRITICAL]}
approval: {RESET: [CRITICAL]}
rates: {CONFIG: {capacity: 40, per_seconds: 60}}
device_rates: {MEDIUM: {capacity: 3, per_seconds: 60}}
"""


def random_request(chance: random.Random) -> Request:
    """Something that somebody might ask for, sensible or not."""
    device = chance.choice([*range(0x8000, 0x8054), 0x9000])
    kind = chance.choice(list(OperationType) * 1 + [OperationType.WRITE] * 6)
    return Request(
        device_id=device,
        type=kind,
        register=chance.choice(["CONFIG", "DATA", "config", "0x02", "TEMP", "STATUS", "NONE"]),
        value=chance.choice([0, 1, 5, 0xFFFFFFFF, -1, 2**32, 1.5, "five", True, None]),
        command=chance.choice(["", "", "", "reset", "activate", "identify", "configure", "explode"]),
        arguments=chance.choice([(), (), (("gain", 3),)]),
        justification=chance.choice(["", "short", WHY, WHY, WHY]),
        if_value=chance.choice([None, None, None, 0, 3, 5]),
    )


def simulated(home: Paths, clock: StandingClock, clearance: Clearance) -> LocalClient:
    """A client over simulated devices that keep nothing, at a time that stands still."""
    registry = Registry()
    options = {"persist": False, "faults": ["disconnect:*/20"]}
    return Opening(
        context=Context(name="sim", drivers=(DriverUse("sim", options),), target="sim", fleet="sim"),
        settings=DEFAULTS,
        folders=home,
        registry=registry,
        installed=InstalledDrivers(registry, Switches(home.driver_switches_file), clock),
        identity=Identity("ada", "bench", clearance),
        read_only=False,
        timeout=2.0,
        clock=clock,
    ).client()


def verdict(operation: Operation) -> tuple[str, str]:
    """What a rehearsal can know: whether it is let through, else why not."""
    return ("PASSES", "") if operation.success else (operation.status, operation.error_code)


async def reset(client: LocalClient) -> None:
    """Put the simulated devices back as they were, past the guard."""
    for driver in client._fleet.drivers.values():
        await driver.forget()


async def one(client: LocalClient, request: Request) -> tuple[str, str]:
    try:
        return verdict(await client.change(request))
    except DSMILError as error:
        return "RAISED", error.code


@pytest.mark.parametrize("clearance", [Clearance.TOP_SECRET, Clearance.CONFIDENTIAL])
async def test_a_dry_run_and_the_change_itself_have_the_same_verdict_on_ten_thousand_random_commands(
    home: Paths, clearance: Clearance
) -> None:
    home.policy_file.parent.mkdir(parents=True)
    home.policy_file.write_text(POLICY)
    clock, chance = StandingClock(), random.Random(f"dry {clearance}")
    count = COMMANDS if clearance is Clearance.TOP_SECRET else 1_000
    seen: set[tuple[str, str]] = set()
    differing: list[object] = []

    async with simulated(home, clock, clearance) as client:
        for _ in range(count * IN_BULKS // COMMANDS // 120):
            requests = [random_request(chance) for _ in range(120)]
            rehearsal = [msgspec.structs.replace(item, dry_run=True) for item in requests]
            planned = [verdict(item) for item in (await client.change_many(rehearsal)).results]
            done = [verdict(item) for item in (await client.change_many(requests)).results]
            differing += [item for item in zip(requests, planned, done, strict=True) if item[1] != item[2]]
            seen |= set(done)
            await reset(client)
            clock.advance(chance.choice([1, 5, 30]))
        for _ in range(count * (COMMANDS - IN_BULKS) // COMMANDS):
            request = random_request(chance)
            planned_one = await one(client, msgspec.structs.replace(request, dry_run=True))
            done_one = await one(client, request)
            differing += [(request, planned_one, done_one)] if planned_one != done_one else []
            await reset(client)
            clock.advance(1)

    assert differing == []
    expected = {"PERMISSION_DENIED"} if clearance is Clearance.CONFIDENTIAL else {
        "", "DEVICE_NOT_FOUND", "DEVICE_QUARANTINED", "JUSTIFICATION_REQUIRED", "APPROVAL_REQUIRED",
        "INVALID_PARAMETER", "CONFLICT", "RATE_LIMITED", "NETWORK_ERROR",
    }  # fmt: skip
    assert {code for _, code in seen} >= expected, "the commands were random enough to meet every check"


class Operator:
    """Somebody who does what comes to mind, and what the rest of the world may know of it."""

    def __init__(self, number: int, client: LocalClient, rack: Rack, stopped: list[list[int]]) -> None:
        self.chance = random.Random(f"operator {number}")
        self.client = client
        self.rack = rack
        self.stopped = stopped
        self.counted = 0

    async def work(self, commands: int) -> None:
        for _ in range(commands):
            await asyncio.sleep(self.chance.random() * 0.002)
            act = self.chance.choices(
                [self.count, self.write, self.bulk, self.order, self.stop, self.release],
                [40, 30, 10, 10, 3, 7],
            )[0]
            try:
                await act()
            except DSMILError as error:
                assert isinstance(error, (EmergencyStopActive, Conflict, NotFound)), repr(error)

    def device(self) -> DeviceId:
        return self.chance.choice(self.rack.devices).device_id

    async def count(self) -> None:
        """Add five to what a register of the first device holds, if it still holds that."""
        (reading,) = await self.client.read(self.rack.devices[:1], ["LEVEL"])
        held = int(reading.value or 0)
        await asyncio.sleep(0)
        new = (held + 5) % 1005
        operation = await self.client.change(write("rack-0", value=new, if_value=held))
        self.counted += operation.success

    async def write(self) -> None:
        await self.client.change(write(self.device(), "MODE", self.chance.choice([1, 2])))

    async def bulk(self) -> None:
        chosen = [write(self.device(), "SETPOINT", self.chance.random()) for _ in range(6)]
        await self.client.change_many(chosen, options=BulkOptions(concurrency=self.chance.choice([0, 1, 2])))

    async def order(self) -> None:
        await self.client.change(order(self.device(), OperationType.ACTIVATE))

    async def stop(self) -> None:
        stop = await self.client.stop(reason="a bad feeling", deadline=0.4)
        self.stopped.append([stop.triggered_at, 0])

    async def release(self) -> None:
        if stops := await self.client.stops():
            asked = self.rack.clock.now()
            released = await self.client.release(stops[0].stop_id, justification="it has passed")
            for stop in released:
                self.stopped.append([stop.triggered_at, asked])


def stops_in_force(stopped: list[list[int]], end: int) -> list[tuple[int, int]]:
    """From when to when each stop was in force for certain."""
    ends: dict[int, int] = {}
    for begun, ended in stopped:
        ends[begun] = max(ends.get(begun, 0), ended)
    return [(begun, ended or end) for begun, ended in ends.items()]


async def test_four_operators_with_a_thousand_commands_never_meet_on_a_device_nor_pass_a_stop(
    home: Paths,
) -> None:
    rack, stopped = Rack(6), list[list[int]]()
    rack.delay = 0.004
    rack.faults |= {("rack-1", "write"): "slow", ("rack-2", "write"): "slow"}
    lab = Lab(home, rack)
    clients = [lab.client(timeout=5) for _ in range(4)]
    operators = [Operator(number, client, rack, stopped) for number, client in enumerate(clients)]
    for client in clients:
        await client.open()
    await asyncio.gather(*(operator.work(250) for operator in operators))
    records = await clients[0].audit(HistoryQuery(limit=0))
    verdict_ = await clients[0].audit_verify()
    for client in clients:
        await client.close()

    assert verdict_.intact
    assert verdict_.unfinished == ()
    assert rack.most_at_work == 1, "never two owners of a device"
    assert len(stopped) > 10
    for begun, ended in stops_in_force(stopped, rack.wire[-1].time + 1):
        passed = [item for item in rack.unsafe_after(begun) if item.time < ended]
        at_once = [item for item in passed if item.device_id not in ("rack-1", "rack-2")]
        assert at_once == [], "a write reached a device while a stop was in force"
        for item in passed:  # it was in the hands of the driver of another process when the stop came
            assert item.time - begun < 500_000_000
            after = [later for later in rack.wire if later.time > item.time and later.value == 0]
            assert {later.device_id for later in after} >= {item.device_id}, "it was not made safe again"
    assert unjournalled(rack, records) == []
    assert miscounted(rack) == []
    assert sum(operator.counted for operator in operators) > 20


def unjournalled(rack: Rack, records: list[AuditRecord]) -> list[object]:
    """What reached a device without an intent that was on disk before; each intent is good for one."""
    intents = [
        (record.time, record.target, record.parameters)
        for record in reversed(records)
        if record.outcome == "INTENT" and record.action.startswith("device.")
    ]
    found: list[object] = []
    for telegram in rack.wire:
        if SAFE.get(telegram.what, object()) == telegram.value:
            continue  # the safe state: the stop's own intent stands for it
        for intent in intents:
            time, target, parameters = intent
            asked = (parameters.get("register"), parameters.get("value"))
            same = asked == (telegram.what, telegram.value) or telegram.what == "activate"
            if time <= telegram.time and target == telegram.device_id and same:
                intents.remove(intent)
                break
        else:
            found.append(telegram)
    return found


def miscounted(rack: Rack) -> list[object]:
    """Writes of the counting register that did not add five to what the wire had brought before."""
    wrong, held = list[object](), 0
    for telegram in rack.wire:
        if telegram.device_id != "rack-0" or telegram.what != "LEVEL":
            continue
        value = int(telegram.value)
        if value not in ((held + 5) % 1005, 0):
            wrong.append((held, telegram))
        held = value
    return wrong


COUNTER = """
import asyncio, json, sys
from dsmilctl.client import connect
from dsmilctl.errors import Conflict
from dsmilctl.model.operation import OperationType, Request

async def main(wanted):
    done = conflicts = 0
    async with connect("sim") as client:
        device = (await client.devices())[48]
        sys.stdin.readline()
        while done < wanted:
            (reading,) = await client.read([device], ["DATA"])
            request = Request(
                device_id=device.device_id, type=OperationType.WRITE, register="DATA",
                value=(reading.value + 1) % 2**32, if_value=reading.value, justification="counting together",
            )
            try:
                done += (await client.change(request)).success
            except Conflict:
                conflicts += 1
    print(json.dumps([done, conflicts]))

asyncio.run(main(int(sys.argv[1])))
"""


def test_two_processes_that_count_together_lose_neither_a_count_nor_a_record(tmp_path: Path) -> None:
    site = Site(tmp_path)
    each = 40
    processes = [site.start(COUNTER, each) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    results = [msgspec.json.decode(finish(process), type=list[int]) for process in processes]

    counted = [line.value for line in site.wire()]
    assert len(counted) == 2 * each
    assert all((later - earlier) % 2**32 == 1 for earlier, later in pairwise(counted))
    assert {line.process for line in site.wire()} == {process.pid for process in processes}
    verified = site.command("audit", "verify", "-o", "json")
    records = msgspec.json.decode(site.command("audit", "log", "--limit", "1000", "-o", "json").stdout)[
        "data"
    ]
    assert verified.returncode == 0, verified.stderr
    outcomes = [record["outcome"] for record in records]
    conflicts = sum(result[1] for result in results)
    assert (outcomes.count("INTENT"), outcomes.count("SUCCESS")) == (2 * each, 2 * each)
    assert outcomes.count("DENIED") == conflicts


async def test_a_compare_and_set_of_two_clients_lets_exactly_one_pass(home: Paths) -> None:
    rack = Rack(1)
    rack.faults["rack-0", "write"] = "slow"
    lab = Lab(home, rack)

    async with lab.client(timeout=5) as one_, lab.client(timeout=5) as other:
        ended = await asyncio.gather(
            *(client.change(write("rack-0", value=5, if_value=0)) for client in (one_, other, one_, other)),
            return_exceptions=True,
        )

    assert sorted(type(item).__name__ for item in ended) == ["Conflict"] * 3 + ["Operation"]
    assert rack.written() == [5]
    (done,) = [item for item in ended if isinstance(item, Operation)]
    assert done.status is OperationStatus.SUCCESS
