"""The policy: a file that is not understood lets nothing be changed, and says where it is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.config.paths import Paths
from dsmilctl.errors import DSMILError, StateUnavailable
from dsmilctl.guard.policy import DSMIL, LOCAL, load_policy
from dsmilctl.guard.rates import Bucket
from dsmilctl.model.device import Risk
from dsmilctl.model.identity import Clearance
from dsmilctl.model.operation import OperationType
from tests.rack import Lab, Rack, write


def loaded(folder: Path, text: str | bytes) -> tuple[object, DSMILError | None]:
    path = folder / "policy.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_policy(path, "local")


def test_without_a_file_the_default_of_the_fleet_is_in_force(tmp_path: Path) -> None:
    assert load_policy(tmp_path / "none.yaml", "local") == (LOCAL, None)
    assert load_policy(tmp_path / "none.yaml", "dsmil") == (DSMIL, None)


def test_a_file_says_what_is_different_from_the_default(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "version: 1\n"
        "clearance: {READ: RESTRICTED, WRITE: TOP_SECRET}\n"
        "justification: {WRITE: [LOW, MEDIUM]}\n"
        "shortest: 5\n"
        "rates: {WRITE: {capacity: 3, per_seconds: 60}}\n"
    )

    policy, problem = load_policy(path, "dsmil")

    assert problem is None
    assert policy.level(OperationType.READ) is Clearance.RESTRICTED
    assert policy.justification == {OperationType.WRITE: (Risk.LOW, Risk.MEDIUM)}
    assert policy.rates == {OperationType.WRITE: Bucket(3, 60)}
    assert (policy.shortest, policy.longest, policy.justify_bulk) == (5, DSMIL.longest, True)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("clearence: {}\n", ":1:1", "no key 'clearence'"),
        ("version: 1\nversion: 1\n", ":2:1", "key version is there already, at 1:1"),
        ("version: 2\n", ":1:1", "version"),
        ("version: 1\nclearance:\n  WRITE: SECRETT\n", ":3:3", "no clearance 'SECRETT'"),
        ("clearance: {WRITE: SECRET, RIGHT: SECRET}\n", ":1:28", "Invalid enum value 'RIGHT'"),
        ("justification: {WRITE: [LOUD]}\n", ":1:17", "Invalid enum value 'LOUD'"),
        ("shortest: ten\n", ":1:1", "shortest"),
        ("shortest: 20\nlongest: 10\n", ":1:1", "a justification of 20 to 10 characters"),
        ("rates: {WRITE: {capacity: 3}}\n", ":1:9", "per_seconds"),
        ("rates: {WRITE: {capacity: -1, per_seconds: 60}}\n", ":1:9", "cannot be -1 in 60 s"),
        ("device_rates: {LOW: {capacity: 1, per_seconds: 0}}\n", ":1:16", "cannot be 1 in 0 s"),
        ("rates: {WRITE: {capacity: 1, per_seconds: .inf}}\n", ":1:43", ".inf is no number"),
        ("a: [1\n", ":2:1", "not YAML"),
        ("version: !!python/object:os.system {}\n", ":1:10", "means nothing here"),
        ("? [1, 2]\n: x\n", ":1:3", "a key is a plain word"),
        ("- version\n", "", "a policy is a mapping"),
        ("", "", "a policy is a mapping"),
        ("# nothing but a comment\n", "", "a policy is a mapping"),
        (b"\xff\xfe\x00", "", "not YAML"),
        (b"version: \x00", "", "not YAML"),
        ("[" * 100_000, "", "nested more than 50 levels deep"),
        ("#" * (1 << 21), "", "larger than"),
    ],
)
def test_every_mistake_is_named_with_its_place(
    tmp_path: Path, text: str | bytes, where: str, what: str
) -> None:
    policy, problem = loaded(tmp_path, text)

    assert policy is LOCAL
    assert problem is not None
    assert f"policy.yaml{where}" in problem.message
    assert what in problem.message


def test_whatever_is_in_the_place_of_the_file_is_no_policy(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")

    for name in ("folder", "dangling", "loop", "pipe"):
        _, problem = load_policy(tmp_path / name, "local")
        assert isinstance(problem, DSMILError), name


async def test_a_damaged_policy_refuses_changes_and_lets_reads_and_stops_pass(home: Paths) -> None:
    rack = Rack(2)
    lab = Lab(home, rack)
    lab.policy("clearance: {WRITE: ")

    async with lab.client() as client:
        with pytest.raises(StateUnavailable, match=r"policy cannot be used: .*policy\.yaml") as refused:
            await client.change(write("rack-0"))
        readings = await client.read(rack.devices, ["LEVEL"])
        stop = await client.stop(reason="smoke")
        with pytest.raises(StateUnavailable):
            await client.release(justification="the smoke was steam")
        health = await client.health()
        denied = await client.audit(HistoryQuery(outcome="DENIED"))

    assert refused.value.hint
    assert all(reading.good for reading in readings)
    assert not stop.unconfirmed
    assert health["status"] == "unhealthy"
    assert "not YAML" in health["components"]["policy"]
    assert {record.action for record in denied} == {"device.write", "emergency.release"}
    assert rack.written("LEVEL") == [0, 0], "nothing but the safe state"


async def test_a_policy_that_is_mended_is_in_force_at_the_next_start(home: Paths) -> None:
    lab = Lab(home, Rack(1))
    lab.policy("nonsense")
    async with lab.client() as client:
        with pytest.raises(StateUnavailable):
            await client.change(write("rack-0"))

    lab.policy("version: 1")

    async with lab.client() as client:
        assert (await client.change(write("rack-0"))).success


async def test_reads_are_counted_once_however_many_devices_they_are_about(home: Paths) -> None:
    rack = Rack(3)
    lab = Lab(home, rack)
    lab.policy("{version: 1, rates: {READ: {capacity: 2, per_seconds: 3600}}}")

    async with lab.client() as client:
        for _ in range(2):
            assert all(reading.good for reading in await client.read(rack.devices, ["LEVEL"]))
        refused = await client.read(rack.devices, ["LEVEL"])
        stream = client.stream(rack.devices, ["LEVEL"], interval=0.01)
        for _ in range(5):
            await anext(stream)
        await stream.aclose()
        denied = await client.audit(HistoryQuery(outcome="DENIED"))

    assert [reading.error_code for reading in refused] == ["RATE_LIMITED"] * 3
    assert [record.target for record in denied] == ["rack-2", "rack-1", "rack-0"]
    assert len([verb for verb, _ in rack.asked if verb == "read"]) >= 6
