"""Alarms over the API: they rise, are answered, return, and outlive the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from dsmilctl import DSMILClient, SyncDSMILClient
from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.config.paths import Paths
from dsmilctl.errors import Conflict
from dsmilctl.model.event import Event, Severity
from dsmilctl.server.assembly import ServerOptions
from dsmilctl.server.gateway import Limits
from dsmilctl.testing import DeviceSimulator
from tests.server.doors import CHEAP, WHY, Doors, code, doors
from tests.server.served import PASSWORDS, PATIENCE, TLS, Served
from tests.server.test_sim_serve import Person, simulator

QUICK = Limits(rate_limiting=False, alarm_watch=0.05)
HOT, COOL = 95, 40
CALM, NEAR, FAR = 0x8030, 0x8020, 0x8050
"""Devices of little risk; the analyst sees the second one alone, the operator all but the third."""
TOO_HOT = "0x8030:TEMP:HIGH"


async def until(ask: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """What is answered, as soon as it is what is wanted."""
    async with asyncio.timeout(PATIENCE):
        while not wanted(found := await ask()):
            await asyncio.sleep(0.02)
    return found


class People:
    """Users of one simulator."""

    def __init__(self, url: str) -> None:
        self.http = httpx.AsyncClient(base_url=f"{url}/api/v2", timeout=PATIENCE, verify=TLS)
        self.tokens: dict[str, str] = {}

    async def __aenter__(self) -> People:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.http.aclose()

    async def ask(
        self, user: str, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """A request of somebody."""
        if user not in self.tokens:
            login = {"username": user, "password": PASSWORDS[user]}
            self.tokens[user] = (await self.http.post("/auth/login", json=login)).json()["access_token"]
        sent = {"Authorization": f"Bearer {self.tokens[user]}", **headers}
        return await self.http.request(method, path, json=body, headers=sent)

    async def answer(self, verb: str, *, key: str = "", **body: Any) -> httpx.Response:
        """What the administrator does to the alarm of the hot device."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self.ask("admin", "POST", f"/alarms/{TOO_HOT}/{verb}", body, **headers)

    async def journal(self, action: str) -> list[dict[str, Any]]:
        """The records of an action, newest first."""
        answer = await self.ask("admin", "GET", f"/audit?action={action}")
        found: list[dict[str, Any]] = answer.json()["records"]
        return found

    async def state_of(self, device_id: int) -> str:
        """The lifecycle state of a device."""
        answer = await self.ask("admin", "GET", f"/devices/0x{device_id:04X}")
        return str(answer.json()["state"])

    async def listeners(self) -> int:
        """How many WebSockets are open."""
        text = (await self.ask("admin", "GET", "/monitoring/metrics")).text
        return int(text.partition("\ndsmil_websockets ")[2].partition("\n")[0])

    async def alarms(self, user: str = "admin", query: str = "") -> list[dict[str, Any]]:
        """The alarms that somebody sees."""
        answer = await self.ask(user, "GET", f"/alarms{query}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["alarms"]
        return found


@asynccontextmanager
async def plant(limits: Limits = QUICK, **registers: int) -> AsyncIterator[tuple[DeviceSimulator, People]]:
    """A server on three cool devices, and those who ask it."""
    async with DeviceSimulator(limits=limits) as simulator:
        simulator.add_device(CALM, **{"TEMP": COOL, "VOLTAGE": 24, **registers})
        for device_id in (NEAR, FAR):
            simulator.add_device(device_id, TEMP=COOL, VOLTAGE=24)
        async with People(simulator.url) as people:
            yield simulator, people


async def test_a_hot_device_raises_an_alarm_although_nobody_reads_it() -> None:
    async with plant() as (simulator, people):
        assert await people.alarms() == []

        simulator.set_register(CALM, "TEMP", HOT)
        (alarm,) = await until(people.alarms, bool)

    assert (alarm["alarm_id"], alarm["state"], alarm["priority"]) == (TOO_HOT, "UNACKNOWLEDGED", "MEDIUM")
    assert (alarm["value"], alarm["limit"], alarm["unit"], alarm["active"]) == (HOT, 80, "°C", True)
    assert alarm["message"] == "0x8030 TEMP is 95 °C, above 80 °C"


async def test_an_alarm_is_acknowledged_once_and_ends_when_the_value_is_back() -> None:
    async with plant(TEMP=HOT) as (simulator, people):
        await until(people.alarms, bool)
        seen = await people.answer("acknowledge", justification=WHY)
        again = await people.answer("acknowledge")
        simulator.set_register(CALM, "TEMP", COOL)
        await until(people.alarms, lambda alarms: not alarms)
        over = await people.answer("acknowledge")
        records = await people.journal("alarm.acknowledge")

    assert (seen.json()["state"], seen.json()["acknowledged_by"]) == ("ACKNOWLEDGED", "admin")
    assert code(again) == (409, "CONFLICT")
    assert code(over) == (404, "NOT_FOUND")
    assert [(item["outcome"], item["target"]) for item in records] == [
        ("DENIED", "0x8030"), ("SUCCESS", "0x8030"), ("INTENT", "0x8030"),
    ]  # fmt: skip
    assert records[-1]["parameters"]["alarm"] == TOO_HOT
    assert records[-1]["parameters"]["justification"] == WHY


async def test_an_alarm_that_is_over_waits_until_somebody_has_seen_it() -> None:
    async with plant(TEMP=HOT) as (simulator, people):
        await until(people.alarms, bool)
        simulator.set_register(CALM, "TEMP", COOL)
        (over,) = await until(people.alarms, lambda alarms: not alarms[0]["active"])
        seen = await people.answer("ack")
        left = await people.alarms()

    assert over["state"] == "RETURNED_UNACKNOWLEDGED"
    assert over["message"] == "0x8030 TEMP is 40 °C, back behind 80 °C"
    assert (seen.json()["state"], left) == ("NORMAL", [])


async def test_a_shelved_alarm_is_kept_quiet_for_a_while_and_always_says_why() -> None:
    async with plant(TEMP=HOT) as (_, people):
        await until(people.alarms, bool)
        wordless = await people.answer("shelve")
        endless = await people.answer("shelve", justification=WHY, seconds=1e9)
        misplaced = await people.answer("ack", seconds=60)
        shelved = await people.answer("shelve", justification=WHY, seconds=600)
        (listed,) = await people.alarms(query="?state=shelved")
        reset = await people.answer("reset")
        back = await people.answer("unshelve")
        await people.answer("shelve", justification=WHY, seconds=1)
        (alone,) = await until(people.alarms, lambda alarms: alarms[0]["state"] != "SHELVED")

    assert code(wordless) == (422, "JUSTIFICATION_REQUIRED")
    assert code(endless) == code(misplaced) == (422, "INVALID_PARAMETER")
    assert (shelved.json()["state"], shelved.json()["shelved_by"]) == ("SHELVED", "admin")
    assert listed["shelved_until"] > listed["since"]
    assert code(reset) == (409, "CONFLICT")
    assert (back.json()["state"], back.json()["shelved_until"]) == ("UNACKNOWLEDGED", None)
    assert (alone["state"], alone["shelved_by"]) == ("UNACKNOWLEDGED", "")


async def test_who_may_not_write_a_device_answers_none_of_its_alarms_and_who_may_not_see_it_sees_none() -> (
    None
):
    async with plant(TEMP=HOT) as (simulator, people):
        for device_id in (NEAR, FAR):
            simulator.set_register(device_id, "TEMP", HOT)
        await until(people.alarms, lambda alarms: len(alarms) == 3)
        others = await people.ask("operator", "POST", f"/alarms/0x{FAR:04X}:TEMP:HIGH/ack", {})
        seen = await people.alarms("analyst")
        near, far = f"/alarms/0x{NEAR:04X}:TEMP:HIGH", f"/alarms/{TOO_HOT}"
        low = await people.ask("analyst", "POST", f"{near}/ack", {"justification": WHY})
        kept = await people.ask("analyst", "POST", f"{far}/ack", {"justification": WHY})
        asked = await people.ask("analyst", "GET", f"/alarms?device_ids=0x{CALM:04X}")
        nowhere = await people.ask("analyst", "GET", "/alarms?device_ids=0x8200")
        unknown = await people.ask("operator", "POST", "/alarms/0x8030:TEMP:LOW/ack", {})
        word = await people.ask("operator", "POST", f"{far}/acknowlege", {})
        refused = await people.journal("alarm.acknowledge")

    assert [alarm["device_id"] for alarm in seen] == [NEAR]
    assert code(others) == code(low) == code(kept) == code(asked) == (403, "PERMISSION_DENIED")
    assert code(nowhere) == (404, "DEVICE_NOT_FOUND")
    assert code(unknown) == (404, "NOT_FOUND")
    assert code(word) == (422, "INVALID_PARAMETER")
    assert "acknowledge" in word.json()["error"]["details"]["hint"]
    assert [(item["outcome"], item["user"]) for item in refused] == [
        ("DENIED", "analyst"), ("DENIED", "analyst"), ("DENIED", "operator"),
    ]  # fmt: skip


async def test_the_same_answer_sent_twice_under_one_key_is_given_once() -> None:
    async with plant(TEMP=HOT) as (_, people):
        await until(people.alarms, bool)
        one = await people.answer("ack", key="k-1")
        two = await people.answer("ack", key="k-1")

    assert (one.status_code, two.status_code) == (200, 200)
    assert two.headers["idempotent-replay"] == "true"
    assert one.json() == two.json()


async def test_alarms_come_in_pages_by_urgency_and_with_the_fields_asked_for() -> None:
    async with plant(TEMP=HOT, VOLTAGE=5) as (simulator, people):
        simulator.set_fault(NEAR, "disconnect")
        await until(people.alarms, lambda alarms: len(alarms) == 3)
        pages = [
            (await people.ask("admin", "GET", f"/alarms?limit=2&offset={offset}&fields=alarm_id")).json()
            for offset in (0, 2)
        ]
        urgent = await people.alarms(query="?priority=high,critical")
        wrong = [
            await people.ask("admin", "GET", f"/alarms?{query}")
            for query in ("priority=loud", "state=normal", "fields=colour", "limit=0", "sort=id")
        ]

    listed = [alarm for page in pages for alarm in page["alarms"]]
    assert listed[0] == {"alarm_id": f"0x{NEAR:04X}:ERROR"}
    assert {item["alarm_id"] for item in listed[1:]} == {TOO_HOT, "0x8030:VOLTAGE:LOW"}
    assert [page["pagination"]["has_more"] for page in pages] == [True, False]
    assert {page["pagination"]["total"] for page in pages} == {3}
    assert [(alarm["condition"], alarm["priority"], alarm["register"]) for alarm in urgent] == [
        ("ERROR", "HIGH", "")
    ]
    assert [code(answer) for answer in wrong] == [(422, "INVALID_PARAMETER")] * 5


async def test_without_a_watch_a_reading_that_somebody_makes_raises_the_alarm() -> None:
    asleep = Limits(rate_limiting=False, alarm_watch=0.0)
    async with plant(asleep, TEMP=HOT) as (_, people):
        await asyncio.sleep(0.3)
        before = await people.alarms()
        read = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
        await people.ask("operator", "POST", f"/devices/0x{CALM:04X}/operations", read)
        (alarm,) = await until(people.alarms, bool)

    assert before == []
    assert alarm["alarm_id"] == TOO_HOT


async def test_a_device_that_somebody_disconnected_is_left_alone() -> None:
    async with plant() as (simulator, people):
        path = f"/devices/0x{CALM:04X}"
        await until(lambda: people.state_of(CALM), lambda state: state == "connected")
        await people.ask("operator", "POST", f"{path}/lifecycle/disconnect", {})
        simulator.set_register(CALM, "TEMP", HOT)
        await asyncio.sleep(0.5)
        state, alarms = await people.state_of(CALM), await people.alarms()

    assert (state, alarms) == ("disconnected", [])


async def test_subscribers_hear_of_alarms_and_the_metrics_count_them() -> None:
    async with plant() as (simulator, people), DSMILClient(simulator.url) as client:
        await client.authenticate("operator", PASSWORDS["operator"])
        events = client.events()
        hearing = asyncio.ensure_future(anext(events))
        await until(people.listeners, bool)
        simulator.set_register(CALM, "TEMP", HOT)
        heard = await asyncio.wait_for(hearing, PATIENCE)
        metrics = (await people.ask("admin", "GET", "/monitoring/metrics")).text
        await events.aclose()

    assert isinstance(heard, Event)
    assert (heard.type, heard.device_id, heard.severity) == ("alarm.state", CALM, Severity.WARNING)
    assert heard.message == f"{TOO_HOT} UNACKNOWLEDGED: 0x8030 TEMP is 95 °C, above 80 °C"
    assert "\ndsmil_alarms 1\n" in metrics
    assert "\ndsmil_alarms_unacknowledged 1\n" in metrics


async def test_a_program_lists_and_answers_alarms(home: Paths) -> None:
    async with plant(TEMP=HOT, VOLTAGE=5) as (simulator, people), DSMILClient(simulator.url) as client:
        await until(people.alarms, lambda alarms: len(alarms) == 2)
        await client.authenticate("operator", PASSWORDS["operator"])
        (hot,) = [alarm for alarm in await client.list_alarms(device_ids=[CALM]) if alarm.register == "TEMP"]
        seen = await client.acknowledge_alarm(hot.alarm_id)
        shelved = await client.shelve_alarm(hot.alarm_id, WHY, seconds=60)
        back = await client.unshelve_alarm(hot.alarm_id)
        with pytest.raises(Conflict):
            await client.reset_alarm(hot.alarm_id)
        waiting = await client.list_alarms("unacknowledged", limit=1)
        plain = await asyncio.to_thread(plainly, simulator.url)

    assert [item.state for item in (seen, shelved, back)] == ["ACKNOWLEDGED", "SHELVED", "UNACKNOWLEDGED"]
    assert len(waiting) == 1
    assert sorted(plain) == [TOO_HOT, "0x8030:VOLTAGE:LOW"]


def plainly(url: str) -> list[str]:
    """What a program without a loop does: the ids, all acknowledged."""
    with SyncDSMILClient(url) as client:
        client.authenticate("operator", PASSWORDS["operator"])
        return [client.acknowledge_alarm(alarm.alarm_id).alarm_id for alarm in client.list_alarms()]


async def test_what_was_answered_survives_the_server(home: Paths) -> None:
    silent, refusing = "0x8030:ERROR", "0x8031:ERROR"
    faults = {"devices": 84, "faults": ["disconnect:0x8030-0x8032"]}
    options = ServerOptions(limits=QUICK, password_cost=CHEAP)

    async with doors(driver=faults, options=options) as server:
        await until(lambda: listed(server), lambda alarms: len(alarms) == 3)
        body = {"justification": "the night shift knows of it"}
        shelved = await server.ask("operator", "POST", f"/alarms/{silent}/shelve", body)
        seen = await server.ask("operator", "POST", f"/alarms/{refusing}/acknowledge", body)
    kept = await told_anew(home)

    assert (shelved.status_code, seen.status_code) == (200, 200)
    assert {name: alarm["state"] for name, alarm in kept.items()} == {
        silent: "SHELVED", refusing: "ACKNOWLEDGED", "0x8032:ERROR": "UNACKNOWLEDGED",
    }  # fmt: skip
    assert kept[refusing] == seen.json()
    assert kept[silent]["shelved_until"] == shelved.json()["shelved_until"]


async def told_anew(home: Paths) -> dict[str, dict[str, Any]]:
    """What another server of the same fleet tells, whose devices are whole and read by nobody."""
    asleep = ServerOptions(limits=Limits(rate_limiting=False, alarm_watch=0.0), password_cost=CHEAP)
    async with doors(options=asleep) as server:
        return {alarm["alarm_id"]: alarm for alarm in await listed(server)}


async def listed(server: Doors) -> list[dict[str, Any]]:
    """The alarms of the three devices, as an operator sees them: the heat of others is no matter."""
    answer = await server.ask("operator", "GET", "/alarms?device_ids=0x8030,0x8031,0x8032")
    found: list[dict[str, Any]] = answer.json()["alarms"]
    return found


async def test_a_server_that_is_read_only_tells_of_alarms_and_lets_nobody_answer(home: Paths) -> None:
    drivers = (DriverUse("sim", {"faults": ["disconnect:0x8030"]}),)
    context = Context(name="museum", drivers=drivers, target="simulated", fleet="museum", read_only=True)
    with Served(ServerOptions(limits=QUICK, password_cost=CHEAP), context) as server:
        async with server.http() as http:

            async def alarms() -> list[dict[str, Any]]:
                found: list[dict[str, Any]] = (await http.get("/alarms")).json()["alarms"]
                return found

            await until(alarms, bool)
            refused = await http.post("/alarms/0x8030:ERROR/ack", json={})
            (still,) = await alarms()

    assert code(refused) == (403, "READ_ONLY")
    assert still["state"] == "UNACKNOWLEDGED"


def test_what_somebody_acknowledged_is_still_so_after_the_simulator_was_killed(home: Paths) -> None:
    faults = ("--fault", "wrong:0x8030", "--fault", "disconnect:0x8031", "--no-rate-limit")
    error = "0x8031:ERROR"
    with simulator(*faults) as (url, _), Person(url, "operator") as operator:
        found = standing(operator, error, "0x8030:TEMP:BAD_VALUE")
        operator.post(f"/alarms/{error}/acknowledge", json={}).raise_for_status()

    with simulator(*faults) as (url, _), Person(url, "operator") as operator:
        again = standing(operator, error)

    assert found[error]["state"] == "UNACKNOWLEDGED"
    assert (again[error]["state"], again[error]["acknowledged_by"]) == ("ACKNOWLEDGED", "operator")


def standing(person: Person, *wanted: str) -> dict[str, dict[str, Any]]:
    """The alarms by their ids, as soon as those wanted are among them."""
    deadline = time.monotonic() + PATIENCE
    while True:
        alarms = {alarm["alarm_id"]: alarm for alarm in person.get("/alarms?limit=1000").json()["alarms"]}
        if alarms.keys() >= set(wanted):
            return alarms
        assert time.monotonic() < deadline, f"{wanted} are not all among {sorted(alarms)}"
        time.sleep(0.1)  # the alarms of a server in another process are asked for until they are there
