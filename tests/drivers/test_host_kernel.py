"""The host driver's kernel messages and SMBIOS tokens, from files and from other programs."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.drivers.contract import DriverContext
from dsmilctl.drivers.host import HostDriver, HostOptions
from dsmilctl.drivers.host.machine import Nonsense
from dsmilctl.drivers.host.message import KernelMessage, parse_record
from dsmilctl.drivers.host.ring import Ring
from dsmilctl.errors import DSMILError, HardwareError
from tests.drivers.fake_machine import KMSG, FakeMachine, Host, laptop

ENTRIES = (
    '{"MESSAGE":"first","PRIORITY":"3","SYSLOG_FACILITY":"0","_SOURCE_MONOTONIC_TIMESTAMP":"5","__CURSOR":"a"}',
    '{"MESSAGE":[27,91,49,109,98,255],"PRIORITY":"4","__MONOTONIC_TIMESTAMP":"9","__CURSOR":"b"}',
)
TOKEN_TABLE = """\
ID,Type,Value,Name,Setting
0x0480,bool,true,Some Name,Enable
0x0481,bool,false,Some Name,Disable
0x00c0,string,ASSET-7,Asset Tag,
0x0482,<weird unknown type>,<unknown value>,unknown,unknown
"""


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return laptop(tmp_path / "machine")


@pytest.fixture
def host(machine: FakeMachine) -> Host:
    return Host(machine.root)


def program(path: Path, script: str) -> str:
    """A program that does what `script` says."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


async def test_the_kernels_messages_are_counted_by_level_and_other_peoples_lines_are_not(host: Host) -> None:
    names = ("errors", "warnings", "messages", "lost", "last_message", "last_error")

    assert await host.answers("kernel", *names) == {
        "errors": 1,
        "warnings": 1,
        "messages": 4,
        "lost": 0,
        "last_message": "eth0: link becomes ready",
        "last_error": "nvme nvme0: I/O timeout, completion polled",
    }


async def test_later_messages_add_to_the_count(machine: FakeMachine, host: Host) -> None:
    await host.answers("kernel")
    with (machine.root / "dev/kmsg").open("a") as kmsg:
        kmsg.write("2,5,6000000,-;Out of memory: Killed process 42")
    assert await host.value("kernel", "errors") == 1  # the line is not complete yet

    with (machine.root / "dev/kmsg").open("a") as kmsg:
        kmsg.write(" (shell)\n")

    assert await host.answers("kernel", "errors", "last_error") == {
        "errors": 2,
        "last_error": "Out of memory: Killed process 42 (shell)",
    }


async def test_a_new_discovery_does_not_count_the_messages_twice(host: Host) -> None:
    await host.answers("kernel")
    await host.discover()

    assert await host.value("kernel", "messages") == 4


async def test_messages_that_were_overwritten_are_counted_as_lost(machine: FakeMachine, host: Host) -> None:
    machine.write("dev/kmsg", "6,10,0,-;a\n6,11,0,-;b\n6,15,0,-;c\n")

    assert await host.answers("kernel", "messages", "lost") == {"messages": 3, "lost": 13}


async def test_the_property_of_a_message_cannot_pass_for_a_message(machine: FakeMachine, host: Host) -> None:
    machine.write("dev/kmsg", "6,0,0,-;true\n 3,1,9,-;forged\n")

    assert await host.answers("kernel", "messages", "errors") == {"messages": 1, "errors": 0}


async def test_a_ring_without_any_message_is_an_error(machine: FakeMachine, host: Host) -> None:
    machine.write("dev/kmsg", "this is no ring\n")

    assert "is not a kernel message" in (await host.error("kernel", "errors")).message


async def test_after_shutdown_the_ring_is_closed_and_counts_anew(host: Host) -> None:
    await host.answers("kernel")
    before = len(list(Path("/dev/fd").iterdir()))

    await host.driver.shutdown()

    assert len(list(Path("/dev/fd").iterdir())) == before - 1
    assert await host.value("kernel", "messages") == 4


async def test_control_characters_of_a_message_do_not_reach_the_reader(
    machine: FakeMachine, host: Host
) -> None:
    machine.write("dev/kmsg", b"3,0,0,-;\x1b[31mred\x07 \xff alert\n")

    told = await host.value("kernel", "last_error")

    assert isinstance(told, str)
    assert told.isprintable()
    assert "red" in told


async def test_without_kmsg_the_kernel_is_absent_with_the_reason(machine: FakeMachine, host: Host) -> None:
    (machine.root / "dev/kmsg").unlink()

    assert "kernel" not in await host.discover()

    assert (await host.driver.absent())["kernel"] == f"{machine.root}/dev/kmsg does not exist"


async def test_the_journal_tells_kernel_messages_and_later_ones_after_its_cursor(tmp_path: Path) -> None:
    arguments = tmp_path / "arguments"
    script = f"""echo "$@" >> {arguments}
case "$*" in *--after-cursor=b*) echo '{ENTRIES[0].replace("first", "later")}';; *) cat <<'END'
{ENTRIES[0]}
{ENTRIES[1]}
END
;; esac"""
    journalctl = program(tmp_path / "journalctl", script)
    host = Host(tmp_path, HostOptions(root=str(tmp_path), kernel="journal", journalctl=journalctl))

    first, second = await host.answers("kernel"), await host.answers("kernel")

    assert (first["errors"], first["warnings"], first["last_error"]) == (1, 1, "first")
    assert (second["errors"], second["messages"], second["last_error"]) == (2, 3, "later")
    assert "--dmesg --boot" in arguments.read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'No journal files were found' >&2; exit 1", "ended with 1 and said: No journal files"),
        ("echo 'not json'", "is not a journal entry"),
        ('echo \'{"PRIORITY": "loud"}\'', "is not a whole number"),
    ],
)
async def test_a_journal_that_fails_says_why(tmp_path: Path, script: str, told: str) -> None:
    journalctl = program(tmp_path / "journalctl", script)
    host = Host(tmp_path, HostOptions(root=str(tmp_path), kernel="journal", journalctl=journalctl))

    error = await host.error("kernel", "errors")

    assert isinstance(error, HardwareError)
    assert told in error.message


async def test_a_journal_that_is_not_installed_makes_the_kernel_absent(tmp_path: Path) -> None:
    options = HostOptions(root=str(tmp_path), kernel="journal", journalctl="no-such-program")
    host = Host(tmp_path, options)

    await host.discover()

    assert (await host.driver.absent())["kernel"] == "no-such-program is not installed"


async def test_a_source_that_takes_long_stops_no_other_part_and_is_never_asked_twice_at_once(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    slow = program(tmp_path / "journalctl", f"echo begin >> {log}; sleep 0.4; echo end >> {log}")
    laptop(tmp_path / "machine")
    options = HostOptions(root=str(tmp_path / "machine"), kernel="journal", journalctl=slow)
    host = Host(tmp_path, options)
    await host.discover()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await host.answers("kernel")
    waiting = asyncio.create_task(host.answers("kernel"))
    load = await host.value("load", "load1")

    assert load == 0.58
    assert not waiting.done()
    assert (await waiting)["messages"] == 0
    assert log.read_text().split() == ["begin", "end", "begin", "end"]


async def test_a_part_that_does_not_answer_costs_one_thread_however_often_it_is_asked(tmp_path: Path) -> None:
    stuck = program(tmp_path / "journalctl", "sleep 1")
    host = Host(tmp_path, HostOptions(root=str(tmp_path), kernel="journal", journalctl=stuck))
    await host.discover()
    before = threading.active_count()

    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await host.answers("kernel")

    assert threading.active_count() - before <= 1


async def test_the_firmwares_tokens_are_told_by_number(host: Host) -> None:
    answers = await host.answers("tokens")

    assert answers == {
        "count": 2,
        "0x0480_value": 1,
        "0x0480_location": 0xFF01,
        "0x0481_value": 0,
        "0x0481_location": 0xFF01,
    }
    assert host.register("tokens", "0x0480_value").address == 0x480
    assert not any(register.writable for register in host.devices["tokens"].registers)


async def test_a_token_that_is_no_number_is_that_tokens_error(machine: FakeMachine, host: Host) -> None:
    machine.tokens({0x480: ("0x0000ff01", "secret")})

    answers = await host.answers("tokens")

    assert isinstance(answers["0x0480_value"], HardwareError)
    assert answers["0x0480_location"] == 0xFF01


async def test_libsmbios_tells_how_each_token_is_set(tmp_path: Path) -> None:
    tool = program(tmp_path / "smbios-token-ctl", f"cat <<'END'\n{TOKEN_TABLE}END")
    host = Host(tmp_path, HostOptions(root=str(tmp_path), tokens="tool", token_tool=tool))

    answers = await host.answers("tokens")

    assert answers == {"count": 3, "0x0480": True, "0x0481": False, "0x00C0": "ASSET-7"}
    assert "Some Name: Enable" in host.register("tokens", "0x0480").description


async def test_a_machine_without_tokens_says_so(tmp_path: Path) -> None:
    tool = program(tmp_path / "smbios-token-ctl", "echo 'could not open /dev/mem' >&2; exit 3")
    plain = HostDriver(HostOptions(root=str(tmp_path)), DriverContext(tmp_path))
    with_tool = HostDriver(
        HostOptions(root=str(tmp_path), tokens="tool", token_tool=tool), DriverContext(tmp_path)
    )

    assert "tokens does not exist" in (await plain.absent())["tokens"]
    assert "ended with 3 and said: could not open /dev/mem" in (await with_tool.absent())["tokens"]


def test_every_record_of_a_ring_is_read_once_however_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "kmsg"
    path.write_text("")
    ring = Ring(path)
    found: list[KernelMessage] = []
    for start in range(0, len(KMSG), 7):
        with path.open("a") as kmsg:
            kmsg.write(KMSG[start : start + 7])
        found += ring.new()
    ring.close()

    assert [message.text for message in found] == [
        "Linux version 6.1.0 (made up)",
        "thermal thermal_zone0: failed to read out thermal zone (-61)",
        "nvme nvme0: I/O timeout, completion polled",
        "systemd[1]: a line of somebody else",
        "eth0: link becomes ready",
    ]
    assert [message.level for message in found] == [6, 4, 3, 6, 6]
    assert [message.facility for message in found] == [0, 0, 0, 3, 0]


@given(st.text())
def test_a_record_is_a_message_or_nonsense(record: str) -> None:
    try:
        sequence, message = parse_record(record)
    except Nonsense:
        return
    assert sequence >= 0
    assert 0 <= message.level <= 7
    assert message.text.isprintable()


@given(
    st.integers(0, 2**40), st.integers(0, 2**62), st.integers(0, 7), st.integers(0, 23),
    st.text(st.characters(whitelist_categories=("L", "N")), min_size=1),
)  # fmt: skip
def test_what_the_kernel_writes_is_what_is_read(
    sequence: int, timestamp: int, level: int, facility: int, told: str
) -> None:
    record = f"{facility << 3 | level},{sequence},{timestamp},-,caller=T1;{told}"

    assert parse_record(record) == (sequence, KernelMessage(timestamp, level, facility, told[:1000]))


async def test_the_ring_of_this_machine_is_read_without_waiting(tmp_path: Path) -> None:
    host = Host(tmp_path, HostOptions())
    devices = await host.discover()
    if "kernel" not in devices:
        pytest.skip((await host.driver.absent())["kernel"])

    answers = await host.answers("kernel")
    await host.driver.shutdown()

    assert not [answer for answer in answers.values() if isinstance(answer, DSMILError)]
