"""Stops: the safe state of a device behind another server is that server's emergency stop of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.mapping import stop_of
from dsmilctl.drivers.dsmil.conversation import Conversation
from dsmilctl.drivers.dsmil.members import Members
from dsmilctl.errors import DSMILError, HardwareError, OperationTimeout
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.emergency import Confirmation, StopOutcome
from dsmilctl.wire.emergency import StopInfo, StopRequest

REASON = "ordered at a gateway"
PATIENCE = 1.0
"""Seconds that the other server drives its devices before it answers who confirmed."""

LONGEST = 10.0
"""Seconds after which an order that was not answered is given anew by whoever still waits."""

Answers = Mapping[DeviceId, Confirmation]


class Stops:
    """Emergency stops that this driver orders.

    An order under way is joined and not repeated: whoever drives the devices asks again and again, each time
    with more patience, and the other server would latch a stop of its own for every one.
    """

    def __init__(self, conversation: Conversation, members: Members) -> None:
        self._conversation = conversation
        self._members = members
        self._under_way: dict[DeviceId, asyncio.Task[Answers]] = {}

    async def one(self, device: Device) -> None:
        """Stop one device; raises the error of one that did not confirm."""
        theirs = self._members.theirs(device)
        task = self._under_way.get(theirs) or self._order([theirs])
        try:
            answers = await asyncio.shield(task)
        except DSMILError as error:
            raise self._conversation.as_ours(error, device) from error
        if (problem := self._problem(device, answers.get(theirs))) is not None:
            raise problem

    async def many(self, devices: Sequence[Device]) -> list[DSMILError | bool | None]:
        """Stop devices with one order: True for each that confirmed; None is for one to be asked alone."""
        theirs = [self._members.theirs(device) for device in devices]
        fresh = [device_id for device_id in theirs if device_id not in self._under_way]
        task = self._order(fresh) if fresh else None
        answers: Answers = {}
        if task is not None:
            try:
                answers = await asyncio.shield(task)
            except DSMILError:
                return [None] * len(devices)  # a device that is gone spoils the order for all others
        return [
            True if self._problem(device, answers.get(device_id)) is None else None
            for device, device_id in zip(devices, theirs, strict=True)
        ]

    def _order(self, theirs: Sequence[DeviceId]) -> asyncio.Task[Answers]:
        task = asyncio.get_running_loop().create_task(self._ordered(theirs))
        for device_id in theirs:
            self._under_way[device_id] = task
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Answers]) -> None:
        self._under_way = {key: value for key, value in self._under_way.items() if value is not task}
        if not task.cancelled():
            task.exception()  # whoever waited may be gone; without this asyncio would complain

    async def _ordered(self, theirs: Sequence[DeviceId]) -> Answers:
        wanted = StopRequest(
            justification=REASON, scope="SINGLE_DEVICE", target_devices=list(theirs), deadline_s=PATIENCE
        )

        async def post(api: Api) -> StopInfo:
            return await api.post("/emergency/stop", StopInfo, wanted, urgent=True, deadline=LONGEST)

        stop = stop_of(await self._conversation.call(post, urgent=True))
        return {item.device_id: item for item in stop.confirmations}

    @staticmethod
    def _problem(device: Device, answer: Confirmation | None) -> DSMILError | None:
        if answer is None:
            return OperationTimeout(f"{device.shown_id} is not in the answer", device_id=device.device_id)
        if answer.outcome.confirmed:
            return None
        message = f"{device.shown_id} did not confirm there: {answer.error or answer.outcome}"
        kind = OperationTimeout if answer.outcome is StopOutcome.UNCONFIRMED else HardwareError
        return kind(message, device_id=device.device_id)

    async def close(self) -> None:
        """Wait for no order any longer."""
        tasks = set(self._under_way.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
