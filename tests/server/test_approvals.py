"""Two persons: what an approval opens, and everything that it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.server.identity.users import User, Users
from tests.server.doors import (
    CRITICAL,
    LOW,
    MEDIUM,
    QUARANTINED,
    WHY,
    Doors,
    Wall,
    code,
    doors,
    everybody,
    somebody,
)


async def test_a_critical_device_is_written_with_the_consent_of_a_second_person_and_once(home: Paths) -> None:
    async with doors() as server:
        alone = await server.write("ada")
        assert code(alone) == (403, "APPROVAL_REQUIRED")
        assert alone.json()["error"]["details"]["approval_url"] == "/api/v2/approvals"

        approval = await server.approved()
        done = await server.write("ada", approval_id=approval)
        again = await server.write("ada", approval_id=approval)

        assert (done.status_code, done.json()["status"]) == (200, "SUCCESS")
        assert code(again) == (403, "APPROVAL_REQUIRED")
        listed = await server.ask("grace", "GET", "/approvals?status=used")
        assert [item["approval_id"] for item in listed.json()["approvals"]] == [approval]
        records = await server.journal()
        assert {"approval.request", "approval.approve"} <= {record["action"] for record in records}
        refused = [
            item for item in records if item["action"] == "device.write" and item["outcome"] == "DENIED"
        ]
        assert [item["parameters"].get("approval", "") for item in refused] == [approval, ""]


async def test_an_answer_says_whether_a_second_person_was_asked_and_a_client_may_insist_on_one(
    home: Paths,
) -> None:
    async with doors() as server:
        approved = await server.write("ada", approval_id=await server.approved())
        plain = await server.write("ada", MEDIUM)
        alone = await server.write("ada", MEDIUM, dual_auth_required=True)
        approval = await server.approved(device=MEDIUM)
        both = await server.write("ada", MEDIUM, dual_auth_required=True, approval_id=approval)
        again = await server.write("ada", MEDIUM, dual_auth_required=True, approval_id=approval)

    completed = [item.json()["authorization"]["dual_auth_completed"] for item in (approved, plain, both)]
    assert completed == [True, False, True]
    assert code(alone) == code(again) == (403, "APPROVAL_REQUIRED")


async def test_what_needs_no_second_person_goes_without_one(home: Paths) -> None:
    async with doors() as server:
        assert (await server.write("operator", MEDIUM)).status_code == 200
        body = {"operation_type": "CONFIG", "operation_data": {"settings": {"threshold": 5}}}
        config = await server.ask("operator", "POST", f"/devices/{MEDIUM}/operations", body)
        assert code(config) == (403, "APPROVAL_REQUIRED")


@pytest.mark.parametrize(
    "twin",
    [
        somebody("ADA", "TOP_SECRET"),
        somebody("аda", "TOP_SECRET"),  # noqa: RUF001 - a Cyrillic letter is what this is about
        somebody("a\u0301da", "TOP_SECRET"),
        somebody("twin", "TOP_SECRET", user_id="id-ada"),
        somebody("alias", "TOP_SECRET", person="ada"),
        somebody("same-card", "TOP_SECRET", certificates=("ada-card",)),
    ],
    ids=["case", "cyrillic", "accent", "id", "alias", "certificate"],
)
async def test_nobody_approves_what_the_same_person_asked_for(home: Paths, twin: User) -> None:
    people = everybody()
    people["ada"] = msgspec.structs.replace(people["ada"], certificates=("ada-card",))
    async with doors(users=Users(users=people | {twin.name: twin})) as server:
        approval = (await server.wish("ada")).json()["approval_id"]

        own, second_face = await server.decide("ada", approval), await server.decide(twin.name, approval)

        assert code(own) == code(second_face) == (403, "PERMISSION_DENIED")
        assert code(await server.write("ada", approval_id=approval)) == (403, "APPROVAL_REQUIRED")
        denied = [item for item in await server.journal() if item["action"] == "approval.approve"]
        assert [item["outcome"] for item in denied] == ["DENIED", "DENIED"]


async def test_an_approver_needs_the_clearance_and_the_device_too(home: Paths) -> None:
    async with doors() as server:
        approval = (await server.wish("ada")).json()["approval_id"]
        assert code(await server.decide("analyst", approval)) == (403, "PERMISSION_DENIED")
        assert (await server.decide("operator", approval)).status_code == 200

        far = (await server.wish("ada", 0x8053, operation_type="CONFIG", operation_data={})).json()[
            "approval_id"
        ]
        assert code(await server.decide("operator", far)) == (403, "PERMISSION_DENIED")
        seen = (await server.ask("operator", "GET", "/approvals")).json()["approvals"]
        assert far not in [item["approval_id"] for item in seen]


async def test_an_approval_covers_no_other_value_device_register_operation_or_person(home: Paths) -> None:
    async with doors() as server:
        approval = await server.approved()
        others = [
            await server.write("ada", value="0x6", approval_id=approval),
            await server.write("ada", 0x8002, approval_id=approval),
            await server.write("ada", register="DATA", approval_id=approval),
            await server.write("grace", approval_id=approval),
            await server.ask(
                "ada",
                "POST",
                f"/devices/{CRITICAL}/operations",
                {"operation_type": "RESET", "justification": WHY, "approval_id": approval},
            ),
            await server.write("ada", approval_id="approval-made-up"),
            await server.write("ada", approval_id="../../../etc/passwd"),
        ]
        assert [code(other) for other in others] == [(403, "APPROVAL_REQUIRED")] * len(others)
        records = await server.journal()
        denied = [item for item in records if item["outcome"] == "DENIED" and item["action"] != "device.read"]
        assert len(denied) == len(others)

        assert (await server.write("ada", approval_id=approval)).status_code == 200


async def test_a_refusal_or_a_dry_run_leaves_the_approval_as_it_was(home: Paths) -> None:
    async with doors() as server:
        approval = await server.approved()
        assert (await server.write("ada", approval_id=approval, dry_run=True)).json()["status"] == "PLANNED"
        short = await server.write("ada", approval_id=approval, justification="short")
        assert code(short) == (422, "JUSTIFICATION_REQUIRED")
        assert (await server.write("ada", approval_id=approval)).status_code == 200


async def test_an_approval_ends_after_its_time_and_setting_the_clock_back_prolongs_nothing(
    home: Paths,
) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        approval = await server.approved()
        clock.advance(901)
        clock.ahead -= 3600
        assert code(await server.write("ada", approval_id=approval)) == (403, "APPROVAL_REQUIRED")
        clock.ahead = 0
        late = (await server.wish()).json()["approval_id"]
        clock.ahead += 901
        assert code(await server.decide("grace", late)) == (409, "CONFLICT")


async def test_every_refused_attempt_around_an_approval_is_on_record(home: Paths) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        approval = (await server.wish("ada")).json()["approval_id"]
        await server.decide("ada", approval)
        await server.decide("analyst", approval)
        await server.decide("grace", approval)
        await server.write("ada", value="0x6", approval_id=approval)
        await server.write("operator", approval_id=approval)
        await server.write("ada", approval_id="approval-000000000000000000")
        clock.advance(901)
        await server.write("ada", approval_id=approval)
        journal = [item for item in await server.journal() if item["outcome"] == "DENIED"]

    told = [(item["action"], item["user"], item["parameters"]["code"]) for item in reversed(journal)]
    assert told == [
        ("approval.approve", "ada", "PERMISSION_DENIED"),
        ("approval.approve", "analyst", "PERMISSION_DENIED"),
        ("device.write", "ada", "APPROVAL_REQUIRED"),
        ("device.write", "operator", "APPROVAL_REQUIRED"),
        ("device.write", "ada", "APPROVAL_REQUIRED"),
        ("device.write", "ada", "APPROVAL_REQUIRED"),
    ]


async def test_a_rejected_approval_opens_nothing_and_is_final(home: Paths) -> None:
    async with doors() as server:
        approval = (await server.wish()).json()["approval_id"]
        assert (await server.decide("grace", approval, "reject")).json()["status"] == "REJECTED"
        assert code(await server.decide("grace", approval)) == (409, "CONFLICT")
        assert code(await server.write("ada", approval_id=approval)) == (403, "APPROVAL_REQUIRED")
        assert code(await server.decide("grace", "approval-none")) == (404, "NOT_FOUND")


async def test_an_approval_survives_the_server_but_not_another_policy(home: Paths) -> None:
    async with doors() as server:
        kept, other = await server.approved(), await server.approved()
    async with doors() as server:
        assert (await server.write("ada", approval_id=kept)).status_code == 200
    home.policy_file.parent.mkdir(parents=True, exist_ok=True)
    home.policy_file.write_text("version: 1\nshortest: 12\n")
    async with doors() as server:
        assert code(await server.write("ada", approval_id=other)) == (403, "APPROVAL_REQUIRED")


@pytest.mark.parametrize("change", [{"disabled": True}, {"clearance": "CONFIDENTIAL"}, {"devices": (LOW,)}])
async def test_an_approval_opens_nothing_when_its_approver_could_not_give_it_any_more(
    home: Paths, change: dict[str, Any]
) -> None:
    async with doors(users=Users(users=everybody())) as server:
        approval = await server.approved("ada", "grace")
        server.users.change("grace", **change)

        refused = await server.write("ada", approval_id=approval)

        assert code(refused) == (403, "APPROVAL_REQUIRED")
        assert "grace" in refused.json()["error"]["message"]


async def test_an_approval_that_somebody_edits_opens_nothing(home: Paths) -> None:
    async with doors() as server:
        approval = (await server.wish()).json()["approval_id"]
        (path,) = Path(home.state).rglob(f"{approval}.json")
        path.write_bytes(path.read_bytes().replace(b'"PENDING"', b'"APPROVED"'))
        assert code(await server.write("ada", approval_id=approval)) == (403, "APPROVAL_REQUIRED")


async def test_a_quarantined_device_takes_clearance_a_second_person_and_a_reason(home: Paths) -> None:
    async with doors() as server:
        assert code(await server.read("operator", QUARANTINED)) == (423, "DEVICE_QUARANTINED")
        assert code(await server.read("ada", QUARANTINED)) == (423, "DEVICE_QUARANTINED")
        read = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
        approval = await server.approved("ada", "grace", QUARANTINED, **read)
        assert code(await server.read("ada", QUARANTINED, approval_id=approval)) == (
            422,
            "JUSTIFICATION_REQUIRED",
        )
        opened = await server.read("ada", QUARANTINED, approval_id=approval, justification=WHY)
        assert (opened.status_code, opened.json()["status"]) == (200, "SUCCESS")
        again = await server.read("ada", QUARANTINED, approval_id=approval, justification=WHY)
        assert code(again) == (423, "DEVICE_QUARANTINED")

        write = await server.approved("ada", "grace", QUARANTINED)
        assert (await server.write("ada", QUARANTINED, approval_id=write)).status_code == 200
        about = [item for item in await server.journal() if item["target"] == "0x8009"]
        reads = [item["outcome"] for item in about if item["action"] == "device.read"]
        assert sorted(reads) == ["DENIED", "DENIED", "DENIED", "DENIED", "SUCCESS"]


async def test_a_request_that_could_never_be_carried_out_is_refused_at_once(home: Paths) -> None:
    async with doors() as server:
        assert code(await server.wish("analyst")) == (403, "PERMISSION_DENIED")
        assert code(await server.wish("operator", QUARANTINED)) == (403, "PERMISSION_DENIED")
        assert code(await server.wish("ada", justification="short")) == (422, "JUSTIFICATION_REQUIRED")
        assert code(await server.wish("ada", 0x9999)) == (404, "DEVICE_NOT_FOUND")
        assert code(await server.wish("ada", operation_type="FORMAT")) == (422, "INVALID_PARAMETER")
        status = {"register": "STATUS", "value": 1}
        assert code(await server.wish("ada", operation_data=status)) == (422, "INVALID_PARAMETER")


async def test_a_release_takes_a_second_person_only_where_the_policy_says_so(home: Paths) -> None:
    async with doors() as server:
        await order_stop(server)
        assert await release_all(server) == (200, "")
    home.policy_file.parent.mkdir(parents=True, exist_ok=True)
    home.policy_file.write_text("version: 1\napprove_release: true\n")
    async with doors() as server:
        await order_stop(server)
        assert await release_all(server) == (403, "APPROVAL_REQUIRED")
        approval = await server.approved(**RELEASE)
        assert await release_all(server, approval_id=approval) == (200, "")


async def test_an_approval_to_release_all_stops_covers_none_that_was_ordered_later(home: Paths) -> None:
    home.policy_file.parent.mkdir(parents=True, exist_ok=True)
    home.policy_file.write_text("version: 1\napprove_release: true\n")
    async with doors() as server:
        await order_stop(server)
        early = await server.approved(**RELEASE)
        await order_stop(server)

        assert await release_all(server, approval_id=early) == (403, "APPROVAL_REQUIRED")
        of_both = await server.approved(**RELEASE)
        assert await release_all(server, approval_id=of_both) == (200, "")


RELEASE: dict[str, Any] = {"operation_type": "EMERGENCY_RELEASE", "device_id": None, "operation_data": {}}


async def order_stop(server: Doors) -> None:
    """A stop of everything."""
    await server.ask("operator", "POST", "/emergency/stop", {"justification": "smoke"})


async def release_all(server: Doors, **fields: str) -> tuple[int, str]:
    """What becomes of a release of all stops."""
    answer = await server.ask("ada", "POST", "/emergency/release", {"justification": WHY} | fields)
    return (200, "") if answer.status_code == 200 else code(answer)


async def test_over_the_api_only_the_stops_that_somebody_has_seen_are_released(home: Paths) -> None:
    async with doors() as server:
        body = {"scope": "SINGLE_DEVICE", "target_devices": [MEDIUM]}
        seen = (await server.ask("ada", "POST", "/emergency/stop", body)).json()
        later = (
            await server.ask("analyst", "POST", "/emergency/stop", body | {"target_devices": [LOW]})
        ).json()
        wanted = {"justification": WHY, "standing": [seen["stop_id"]]}
        released = (await server.ask("ada", "POST", "/emergency/release", wanted)).json()
        status = (await server.ask("ada", "GET", "/emergency/status")).json()

    assert [stop["stop_id"] for stop in released["stops"]] == [seen["stop_id"]]
    assert [stop["stop_id"] for stop in status["stops"]] == [later["stop_id"]]
