"""When devices fail: ERROR with its reason, one event per turn for the worse or better, and the way back."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.drivers.managed import Reconnect
from dsmilctl.errors import (
    DSMILError,
    HardwareError,
    NetworkError,
    OperationTimeout,
    ProtocolError,
)
from dsmilctl.model.device import DeviceState
from dsmilctl.model.event import Severity
from tests.unit.pumps import REGISTERS, SPEED, VALVE, BatchPumps, Plant


async def test_a_silent_device_is_in_error_with_the_reason_when_its_deadline_is_over() -> None:
    plant = Plant()
    plant.driver.hanging = {"read"}

    readings = await plant.lifecycle.read(plant.pump, REGISTERS, deadline=0.02)

    assert [reading.error_code for reading in readings] == ["TIMEOUT", "TIMEOUT"]
    assert plant.pump.state is DeviceState.ERROR
    assert plant.pump.reason == "pump-0 did not answer within 0.02 s"
    assert plant.pump.statistics.errors == 1
    (event,) = plant.events
    assert (event.type, event.severity, event.device_id) == ("device.state", Severity.ERROR, "pump-0")
    assert event.message == plant.pump.reason


async def test_a_device_that_cannot_even_be_opened_in_time_was_never_asked_so_its_outcome_is_known() -> None:
    plant = Plant()
    plant.driver.hanging = {"open"}

    with pytest.raises(NetworkError, match=r"could not be reached within 0\.02 s"):
        await plant.lifecycle.apply_write(plant.pump, VALVE, 1, 0.02)

    assert plant.pump.state is DeviceState.ERROR
    assert plant.driver.did("write") == []


async def test_a_write_without_an_answer_is_a_timeout_for_its_outcome_is_unknown() -> None:
    plant = Plant()
    plant.driver.hanging = {"write"}

    with pytest.raises(OperationTimeout, match=r"did not answer within 0\.02 s"):
        await plant.lifecycle.apply_write(plant.pump, VALVE, 1, 0.02)

    assert plant.driver.did("write") == ["write"], "it is never sent a second time"


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        (ConnectionResetError(), NetworkError, "pump-0: ConnectionResetError"),
        (OSError(113, "No route to host"), NetworkError, "No route to host"),
        (TimeoutError(), OperationTimeout, "did not answer"),
        (ProtocolError("a page of HTML"), ProtocolError, "a page of HTML"),
        (KeyError("speed"), HardwareError, "driver pumps failed on pump-0: KeyError"),
    ],
)
async def test_whatever_a_driver_raises_becomes_one_of_our_errors_and_the_reason_of_the_state(
    trouble: Exception, kind: type[DSMILError], words: str
) -> None:
    plant = Plant()
    plant.driver.trouble["command"] = plant.driver.trouble["prime"] = lambda: trouble

    with pytest.raises(kind, match=words):
        await plant.lifecycle.apply_command(plant.pump, "prime", {})

    assert plant.pump.state is DeviceState.ERROR
    assert words in plant.pump.reason


@pytest.mark.parametrize("verb", ["initialize", "open"])
async def test_a_device_that_fails_on_the_way_is_in_error_and_starts_again_from_there(verb: str) -> None:
    plant = Plant()
    plant.driver.trouble[verb] = ConnectionRefusedError

    with pytest.raises(NetworkError):
        await plant.lifecycle.connect(plant.pump)
    state_then = plant.pump.state
    plant.driver.trouble.clear()
    plant.driver.calls.clear()
    await plant.lifecycle.connect(plant.pump)

    assert state_then is DeviceState.ERROR
    assert plant.pump.state is DeviceState.CONNECTED
    expected = {"initialize": ["initialize", "open"], "open": ["close", "open"]}
    assert plant.driver.did() == expected[verb]


async def test_an_order_to_initialise_that_fails_leaves_the_device_in_error() -> None:
    plant = Plant()
    plant.driver.trouble["initialize"] = ConnectionRefusedError

    with pytest.raises(NetworkError):
        await plant.lifecycle.initialize(plant.pump)

    assert plant.pump.state is DeviceState.ERROR
    assert not plant.pump.lock.locked()


async def test_a_broken_conversation_is_closed_before_the_next_one_even_when_closing_fails() -> None:
    plant = Plant()
    await plant.lifecycle.connect(plant.pump)
    plant.driver.trouble = {"read": ConnectionResetError, "close": BrokenPipeError}
    await plant.lifecycle.read(plant.pump, [SPEED])
    del plant.driver.trouble["read"]

    (reading,) = await plant.lifecycle.read(plant.pump, [SPEED])

    assert reading.good
    assert plant.driver.did() == ["initialize", "open", "read", "close", "open", "read"]


async def test_a_device_that_cannot_be_closed_is_disconnected_and_says_so() -> None:
    plant = Plant()
    await plant.lifecycle.connect(plant.pump)
    plant.driver.hanging = {"close"}

    await plant.lifecycle.disconnect(plant.pump, 0.02)

    assert plant.pump.state is DeviceState.DISCONNECTED
    assert "closing failed" in plant.pump.reason


async def test_a_failed_device_can_be_disconnected_by_order() -> None:
    plant = Plant()
    plant.driver.trouble["read"] = ConnectionResetError
    await plant.lifecycle.read(plant.pump, [SPEED])

    await plant.lifecycle.disconnect(plant.pump)

    assert plant.pump.state is DeviceState.DISCONNECTED
    assert plant.driver.did("close") == ["close"]


async def test_a_failure_is_told_once_and_the_recovery_once_however_often_it_was_tried() -> None:
    plant = Plant()
    plant.driver.trouble["read"] = ConnectionResetError
    for _ in range(3):
        await plant.lifecycle.read(plant.pump, [SPEED])
    plant.driver.trouble.clear()
    for _ in range(3):
        await plant.lifecycle.read(plant.pump, [SPEED])

    assert plant.told == ["pump-0: ConnectionResetError", "pump-0 answers again after 3 failures"]
    assert [event.severity for event in plant.events] == [Severity.ERROR, Severity.INFO]
    assert (plant.pump.state, plant.pump.reason) == (DeviceState.CONNECTED, "")
    assert plant.pump.statistics.errors == 3


async def test_a_change_that_succeeds_is_an_answer_too() -> None:
    plant = Plant()
    plant.driver.trouble["read"] = ConnectionResetError
    await plant.lifecycle.read(plant.pump, [SPEED])

    await plant.lifecycle.apply_write(plant.pump, VALVE, 1)

    assert plant.told[-1] == "pump-0 answers again after 1 failure"
    assert plant.pump.status.last_seen == plant.clock.now()


async def test_a_device_that_answers_the_wrong_number_of_questions_has_failed() -> None:
    plant = Plant()
    plant.driver.values["pump-0"] = []

    readings = await plant.lifecycle.read(plant.pump, REGISTERS)

    assert [reading.error for reading in readings] == ["pump-0 gave 0 answers to 2 questions"] * 2
    assert plant.pump.state is DeviceState.ERROR


async def test_a_poll_that_reached_no_register_is_a_failure_and_one_that_reached_a_part_is_not() -> None:
    plant = Plant()
    lost = NetworkError("the line is cut")

    plant.driver.values["pump-0"] = [lost, 1]
    partial = await plant.lifecycle.read(plant.pump, REGISTERS)
    state_then = plant.pump.state
    plant.driver.values["pump-0"] = [lost, lost]
    nothing = await plant.lifecycle.read(plant.pump, REGISTERS)

    assert [reading.good for reading in partial] == [False, True]
    assert state_then is DeviceState.CONNECTED
    assert [reading.error for reading in nothing] == ["the line is cut"] * 2
    assert plant.pump.state is DeviceState.ERROR


async def test_after_a_failure_a_device_is_due_again_only_when_its_backoff_is_over() -> None:
    plant = Plant(reconnect=Reconnect(first=1.0, cap=3.0, jitter=0.0))
    plant.driver.trouble["read"] = ConnectionResetError

    waits = []
    for _ in range(4):
        await plant.lifecycle.read(plant.pump, [SPEED])
        waits.append(0.0)
        while not plant.lifecycle.may_retry(plant.pump):
            plant.clock.advance(0.5)
            waits[-1] += 0.5

    assert waits == [1.0, 2.0, 3.0, 3.0]


async def test_a_healthy_device_is_always_due() -> None:
    plant = Plant()

    assert plant.lifecycle.may_retry(plant.pump)
    await plant.lifecycle.connect(plant.pump)
    assert plant.lifecycle.may_retry(plant.pump)


async def test_a_device_that_failed_too_often_waits_for_an_order() -> None:
    plant = Plant(reconnect=Reconnect(first=1.0, jitter=0.0, give_up=2))
    plant.driver.trouble["read"] = ConnectionResetError
    for _ in range(2):
        await plant.lifecycle.read(plant.pump, [SPEED])

    plant.clock.advance(1_000_000)
    due = plant.lifecycle.may_retry(plant.pump)
    await plant.lifecycle.connect(plant.pump)

    assert not due
    assert plant.pump.state is DeviceState.CONNECTED


async def test_with_a_cool_down_giving_up_ends_by_itself() -> None:
    plant = Plant(reconnect=Reconnect(first=1.0, jitter=0.0, give_up=2, cool_down=600.0))
    plant.driver.trouble["read"] = ConnectionResetError
    for _ in range(2):
        await plant.lifecycle.read(plant.pump, [SPEED])

    plant.clock.advance(599)
    early = plant.lifecycle.may_retry(plant.pump)
    plant.clock.advance(1)

    assert not early
    assert plant.lifecycle.may_retry(plant.pump)


@given(
    st.builds(Reconnect, first=st.floats(0.01, 10), cap=st.floats(10, 100), jitter=st.floats(0, 1)),
    st.integers(1, 10_000),
)
def test_a_backoff_grows_to_its_cap_and_its_jitter_stays_within_its_part(
    reconnect: Reconnect, failures: int
) -> None:
    plain = min(reconnect.cap, reconnect.first * 2.0 ** min(failures - 1, 16))

    delay = reconnect.delay(failures)

    assert plain * (1 - reconnect.jitter / 2) <= delay <= plain * (1 + reconnect.jitter / 2)


async def test_a_batch_of_reads_that_fails_as_a_whole_is_asked_device_by_device(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plant = Plant(BatchPumps(), pumps=3)
    plant.driver.trouble["read_many"] = RuntimeError

    with caplog.at_level(logging.WARNING):
        readings = await plant.lifecycle.read_many([(pump, [SPEED]) for pump in plant.pumps])

    assert [reading.good for (reading,) in readings] == [True, True, True]
    assert plant.driver.did("read") == ["read"] * 3
    assert "driver pumps failed on a batch of reads" in caplog.text


async def test_a_batch_stop_that_hangs_or_fails_leaves_every_device_to_be_driven_on_its_own() -> None:
    plant = Plant(BatchPumps(), pumps=3)

    plant.driver.hanging = {"safe_many"}
    hung = await plant.lifecycle.apply_safe_many(plant.pumps, 0.02)
    plant.driver.trouble["safe_many"] = OSError
    failed = await plant.lifecycle.apply_safe_many(plant.pumps)
    plant.driver.trouble.clear()
    plant.driver.hanging.clear()
    good = await plant.lifecycle.apply_safe_many(plant.pumps)

    assert hung == failed == [None, None, None]
    assert good == [True, True, True]


async def test_a_batch_stop_leaves_a_failed_device_to_be_opened_and_driven_on_its_own() -> None:
    plant = Plant(BatchPumps(), pumps=2)
    plant.driver.trouble["read"] = ConnectionResetError
    await plant.lifecycle.read(plant.pumps[0], [SPEED])

    answers = await plant.lifecycle.apply_safe_many(plant.pumps)
    await plant.lifecycle.apply_safe_state(plant.pumps[0])

    assert answers == [None, True]
    assert plant.driver.calls[-3:] == [("safe_many", "pump-1"), ("open", "pump-0"), ("write", "pump-0")]


async def test_one_slow_device_delays_no_other() -> None:
    plant = Plant(pumps=5)
    await plant.lifecycle.read_many([(pump, [SPEED]) for pump in plant.pumps])
    finished: list[str] = []

    async def read(number: int) -> None:
        await plant.lifecycle.read(plant.pumps[number], [SPEED], deadline=0.2)
        finished.append(f"pump-{number}")

    plant.driver.hanging = {"read"}
    slow = asyncio.create_task(read(0))
    await asyncio.sleep(0)
    plant.driver.hanging = set()
    await asyncio.gather(*(read(number) for number in range(1, 5)))
    healthy = list(finished)
    await slow

    assert sorted(healthy) == ["pump-1", "pump-2", "pump-3", "pump-4"]
    assert finished[-1] == "pump-0"
