"""The same command on a server and on this machine gives the same JSON, field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.served import RemoteShell, serving

# What a command says of the past depends on those before it, so all run in one process and in order.
pytestmark = pytest.mark.xdist_group("parity")

WHY = "--justification 'the night shift asked for it'"
REMOTE, LOCAL = "plant", "sim"

DIFFERENT = {
    "context": "the name of the context",
    "timestamp": "a time",
    "time": "a time",
    "since": "a time",
    "last_seen": "a time",
    "triggered_at": "a time",
    "released_at": "a time",
    "latency_ms": "a duration",
    "duration_ms": "a duration",
    "elapsed_ms": "a duration",
    "latched_ms": "a duration",
    "avg_response_time_ms": "a duration: of the server here, of the devices there",
    "operation_id": "made at random",
    "stop_id": "made at random",
    "id": "of a bulk, made at random",
    "user": "an account of the server here, the user of the process there",
    "host": "where the user is",
    "triggered_by": "the user",
    "released_by": "the user",
    "hash": "a chain over all of the above",
    "previous": "a chain over all of the above",
    "records": "the server's journal has other records",
    "sha256": "of the journal left behind",
    "first_bad": "the number of a record: the journals have others",
    "last_hash": "a chain over all of the above",
    "files": "the journal of another place",
    "file": "the journal of another place",
    "sequence": "the server's journal began with other records",
    "bulk": "made at random",
    "origin": "a server knows that the API was asked, not by which command",
    "process": "the process that did it",
    "read_back": "compared by its own test: a word of the driver",
    "reads": "counted since the process began: a server has asked its devices before",
    "writes": "counted since the process began",
    "errors": "counted since the process began",
    "late": "counted since the process began",
    "policy": "a server has its own policy: buckets and second persons",
    "requests_per_minute": "a server has buckets",
    "concurrent_operations": "a server has buckets",
}
"""Fields that may hold something else, and why; they have to be there, and be null in both or in neither."""

MAY_BE_NULL = {
    "last_seen": "a server goes on and remembers; a process on this machine has just begun",
    "latency_ms": "a refused reading took no time here, and is not timed there",
    "avg_response_time_ms": "a process that has just begun knows none",
    "requests_per_minute": "unlimited on this machine",
    "concurrent_operations": "unlimited on this machine",
}

OTHER_WORDS = (
    (r"(is quarantined): .* needs the approval of a second person$", r"\1"),
    (r"^ask for one: dsmilctl approval request$", "HINT"),
    (r"^quarantined devices need an approval by two persons, which only a server can give$", "HINT"),
    (r"^a server keeps the bulks of each user while it runs$", "HINT"),
    (r"^the last \d+ bulks of a context are kept; .*$", "HINT"),
    (r"^\S*/journal-\d+\.jsonl", "JOURNAL"),
    (r"\b(stop|op|bulk|session)-[0-9a-f]{4,}\b", r"\1-ID"),
)
"""Sentences that may differ: a local fleet knows no second person, a server keeps bulks in memory."""

OF_SERVERS = {
    "api_version": "only a server speaks a version of the API",
    "server_capabilities": "only a server has clients",
    "threat_level": "the API's own word for a stop",
    "active_sessions": "only a server has sessions",
    "failed_auth_attempts": "only a server has logins",
    "requests_per_second": "only a server is asked",
    "cpu_usage_percent": "of the server's machine",
    "memory_usage_percent": "of the server's machine",
    "client_sdks": "only a server offers libraries",
    "rate_limits": "the API's own place for buckets",
    "context": "the name of the context at the server",
    "read_only": "of the context at the server",
    "metrics": "only a server counts requests",
    "authentication": "a part that only a server has",
    "websockets": "a part that only a server has",
    "database": "the API's name for the journal",
    "device_controllers": "the API's name for the devices",
}
"""Fields that a server adds."""

READS = [
    "device list @all",
    "device list 0x8000-0x800F --risk CRITICAL",
    "device list @all --quarantined --fields device_id,quarantined",
    "device show 0x8001",
    "device show 0x8009",
    "device registers 0x8030",
    "device read 0x8000-0x8003",
    "device read 0x8030 STATUS CONFIG DATA ERROR",
    "device read 0x8009",
    "device read 0x8030 DATA --offset 0 --length 4",
    "device read 0x8030 DATA --offset 0 --length 9",
    "device read risk=HIGH STATUS",
    "device read 0x9999",
    "device read 0x8000 NOPE",
    "device state 0x8030-0x8031",
    "bulk read 0x8000-0x8010 STATUS",
    "bulk read 0x8000-0x8010 STATUS --mode sequential",
    "bulk read 0x8008-0x800A STATUS",
    "bulk status bulk-0000",
    "emergency status",
    "system status",
    "system capabilities",
    "system health",
    "driver list",
    "stream devices 0x8030-0x8031 STATUS CONFIG --interval 0.2 --count 4",
    "stream devices 0x8030 --transport poll --interval 0.2 --count 2",
    "stream devices 0x8030 --transport pigeon",
    "stream events --for 300ms",
]

CHANGES = [
    "device write 0x8030 CONFIG 5 --yes",
    "device write 0x8030 CONFIG 6 --dry-run",
    "device write 0x8030 CONFIG 6 --if-value 99 --yes",
    "device write 0x8030 STATUS 1 --yes",
    "device write 0x8030 CONFIG 0x1FFFFFFFF --yes",
    "device write 0x8000 CONFIG 5 --yes",
    f"device write 0x8009 CONFIG 5 --yes {WHY}",
    "device write 0x8030 CONFIG 5",
    f"--read-only device write 0x8030 CONFIG 5 --yes {WHY}",
    "device configure 0x8030 threshold=1024 --yes",
    "device configure 0x8030 nonsense=1 --yes",
    "device activate 0x8030-0x8031 --yes",
    "device deactivate 0x8031 --yes",
    f"device reset 0x8031 --yes {WHY}",
    "device command 0x8030 identify --yes",
    "device command 0x8030 nonsense --yes",
    "device connect 0x8050",
    f"bulk write 0x8030-0x8033 CONFIG 7 --yes {WHY}",
    "bulk write 0x8030-0x8033 CONFIG 7 --yes",
    f"bulk write 0x8030-0x8033 CONFIG 7 --dry-run {WHY}",
    f"bulk write 0x8030,0x8009 CONFIG 8 --yes {WHY}",
    "device history 0x8030 --limit 1",
    "audit log --limit 3",
]

JOURNAL = [
    "audit verify",
    "audit verify --anchor " + "1" * 64,
    "audit show 999999",
    "audit export anchor.json",
    "audit restart --reason 'a new disk' --yes",
]

EMERGENCY = [
    "emergency stop 0x8030-0x8031 --reason smoke",
    "emergency status",
    "device write 0x8030 CONFIG 5 --yes",
    f"bulk write 0x8030-0x8033 CONFIG 7 --yes {WHY}",
    f"emergency release --confirm wrong {WHY}",
    f"emergency release --confirm CONTEXT {WHY}",
    "emergency stop --reason fire",
    "system status",
    "emergency history",
    "emergency release stop-nonsense --confirm CONTEXT " + WHY,
    f"emergency release --confirm CONTEXT {WHY}",
    f"emergency release --confirm CONTEXT {WHY}",
    "emergency status",
]


READ_ONLY = [
    "device write 0x8030 CONFIG 5 --yes",
    "device activate 0x8030-0x8031 --yes",
    "device command 0x8030 identify --yes",
    f"bulk write 0x8030-0x8031 CONFIG 7 --yes {WHY}",
    "device read 0x8030",
    "emergency stop 0x8040 --reason smoke",
    f"emergency release --confirm CONTEXT {WHY}",
    "audit restart --reason 'a new disk' --yes",
    "sim reset --yes",
]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteShell]:
    with serving(tmp_path_factory.mktemp("plant"), "--no-rate-limit", "--no-approvals") as shell:
        shell.log_in("admin", "dsmil_admin_2024")
        shell(f"dsmilctl context add {REMOTE}-look --url {shell.url} --read-only")
        shell(f"dsmilctl context add {LOCAL}-look --driver sim --read-only")
        shell.log_in("admin", "dsmil_admin_2024", f"{REMOTE}-look")
        for name in (REMOTE, LOCAL):  # for its alarms a server reads its devices by itself
            shell(f"dsmilctl -C {name} bulk read @all TEMP")
        yield shell


@pytest.mark.parametrize("line", [*READS, *CHANGES, *EMERGENCY, *JOURNAL])
def test_a_command_says_the_same_on_a_server_as_on_this_machine(
    plant: RemoteShell, line: str, kind: str = ""
) -> None:
    there, here = (
        plant(f"dsmilctl -C {name}{kind} {line.replace('CONTEXT', name + kind)} -o json")
        for name in (REMOTE, LOCAL)
    )

    assert there.exit == here.exit, there.err + here.err
    assert list(differences(documents(there.out), documents(here.out))) == []
    assert list(differences(documents(there.err), documents(here.err))) == []


@pytest.mark.parametrize("line", READ_ONLY)
def test_a_context_that_only_looks_says_the_same_too(plant: RemoteShell, line: str) -> None:
    test_a_command_says_the_same_on_a_server_as_on_this_machine(plant, line, "-look")


def documents(text: str) -> list[Any]:
    """What a command said: one document, or one on each line."""
    shown = re.sub(rf"(-C|confirm|context) ({REMOTE}|{LOCAL})\b", r"\1 NAME", text)
    shown = re.sub(rf'"target": ?"({REMOTE}|{LOCAL})-look"', '"target":"NAME"', shown)
    decoder, found = json.JSONDecoder(), []
    while shown := shown.strip():
        document, end = decoder.raw_decode(shown)
        found.append(document)
        shown = shown[end:]
    return found


def differences(there: Any, here: Any, place: str = "$") -> Iterator[str]:
    """Where two documents differ in what they may not differ in."""
    if isinstance(there, dict) and isinstance(here, dict):
        yield from _of_tables(there, here, place)
    elif isinstance(there, list) and isinstance(here, list):
        if len(there) != len(here):
            yield f"{place}: {len(there)} and {len(here)} items"
        for number, pair in enumerate(zip(there, here, strict=False)):
            yield from differences(*pair, f"{place}[{number}]")
    elif in_common_words(there) != in_common_words(here) or type(there) is not type(here):
        yield f"{place}: {there!r} and {here!r}"


def _of_tables(there: dict[str, Any], here: dict[str, Any], place: str) -> Iterator[str]:
    for key in sorted({*there, *here}):
        where = f"{place}.{key}"
        if key not in here and key in OF_SERVERS:
            continue
        if key not in there or key not in here:
            yield f"{where}: only {'there' if key in there else 'here'}"
        elif key not in DIFFERENT:
            yield from differences(there[key], here[key], where)
        elif (there[key] is None) != (here[key] is None) and key not in MAY_BE_NULL:
            yield f"{where}: {there[key]!r} and {here[key]!r}"


def in_common_words(value: Any) -> Any:
    """A text without what may differ in it."""
    if isinstance(value, str):
        for pattern, word in OTHER_WORDS:
            value = re.sub(pattern, word, value)
    return value


def test_the_comparison_finds_what_differs() -> None:
    """A test that finds nothing has to be known to look."""
    here = {"data": [{"value": 1, "timestamp": "now", "unit": "V"}]}

    assert list(differences({"data": [{"value": 1, "timestamp": "then", "unit": "V"}]}, here)) == []
    assert list(differences({"data": [{"value": 2, "timestamp": "then", "unit": "V"}]}, here)) != []
    assert list(differences({"data": [{"value": 1.0, "timestamp": "then", "unit": "V"}]}, here)) != []
    assert list(differences({"data": [{"value": 1, "timestamp": None, "unit": "V"}]}, here)) != []
    assert list(differences({"data": [{"value": 1, "timestamp": "then"}]}, here)) != []
    assert list(differences({"data": []}, here)) != []


@pytest.mark.parametrize("transport", ["ws", "sse", "poll"])
def test_every_way_to_stream_brings_the_same(plant: RemoteShell, transport: str) -> None:
    line = f"stream devices 0x8030-0x8031 STATUS --interval 0.2 --count 4 --transport {transport} -o json"
    lines = plant(f"dsmilctl -C {REMOTE} {line}").lines

    assert [item.get("event", item.get("device_id")) for item in lines] == [
        "start", "0x8030", "0x8031", "0x8030", "0x8031", "end",
    ]  # fmt: skip
    assert plant(f"dsmilctl -C {LOCAL} {line}").exit == (0 if transport == "poll" else 2)


@pytest.mark.parametrize(
    "line",
    [
        "bulk write 0x8036-0x8039 CONFIG 7 --yes",
        f"bulk write 0x8036-0x8039 STATUS 7 --yes {WHY}",
        f"bulk write 0x8036-0x8037,0x8009 CONFIG 7 --yes {WHY}",
        f"bulk write 0x8036-0x8039 CONFIG 7 --mode sequential --yes {WHY}",
        "bulk write 0x8036-0x8039 CONFIG 7 --dry-run",
    ],
)
def test_the_journals_tell_the_same_of_a_bulk_whether_it_was_refused_or_not(
    plant: RemoteShell, line: str
) -> None:
    journals = []
    for name in (REMOTE, LOCAL):
        log = f"dsmilctl -C {name} audit log --limit 40 -o json"
        before = {record["sequence"] for record in plant(log).data}
        plant(f"dsmilctl -C {name} {line} -o json")
        journals.append([item for item in plant(log).data if item["sequence"] not in before])

    there, here = (sorted(found, key=lambda item: (item["target"], item["outcome"])) for found in journals)
    assert list(differences(there, here)) == []
    assert (there == []) == line.endswith("--dry-run")
    assert len({item["parameters"]["bulk"] for item in there if "bulk" in item["parameters"]}) <= 1


def test_files_of_changes_run_the_same_on_both(plant: RemoteShell) -> None:
    file = Path(plant.home) / "changes.ndjson"
    file.write_text(
        '{"device_id": "0x8034", "type": "write", "register": "CONFIG", "value": 9}\n'
        '{"device_id": "0x8035", "type": "activate"}\n'
    )
    answers = [plant(f"dsmilctl -C {name} bulk run {file} --yes {WHY} -o json") for name in (REMOTE, LOCAL)]
    assert [answer.exit for answer in answers] == [0, 0], answers
    assert list(differences(answers[0].data, answers[1].data)) == []

    undone = [plant(f"dsmilctl -C {name} bulk undo {answer.data['id']} --yes {WHY} -o json")
              for name, answer in zip((REMOTE, LOCAL), answers, strict=True)]  # fmt: skip

    assert [answer.exit for answer in undone] == [0, 0], undone
    assert list(differences(undone[0].data, undone[1].data)) == []
