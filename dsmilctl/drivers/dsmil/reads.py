"""Reads: everything that is asked for at the same time travels in one bulk request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.bulk import Bulks, Mode
from dsmilctl.client.remote.mapping import readings_of
from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.dsmil.conversation import Conversation
from dsmilctl.drivers.dsmil.members import Members
from dsmilctl.errors import DSMILError, HardwareError, OperationTimeout, error_of
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Quality, Reading, Span
from dsmilctl.model.register import Register
from dsmilctl.wire.operations import BulkAnswer, BulkItem, OperationAnswer, OperationData

Question = tuple[Device, Sequence[Register], Span | None]

SHARE = 0.75
"""The part of a request's time that the other server has for its devices; the rest is for the way."""


class Reads:
    """Questions of one driver to one server."""

    def __init__(self, conversation: Conversation, members: Members) -> None:
        self._conversation = conversation
        self._members = members
        self._timeout = conversation.options.timeout
        self._waiting: list[tuple[Question, asyncio.Future[list[Answer]]]] = []
        self._travelling: set[asyncio.Task[None]] = set()

    async def one(self, question: Question) -> list[Answer]:
        """The answers of one device; questions of the same moment travel together."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._depart)
        future: asyncio.Future[list[Answer]] = loop.create_future()
        self._waiting.append((question, future))
        return await future

    def _depart(self) -> None:
        waiting, self._waiting = self._waiting, []
        task = asyncio.get_running_loop().create_task(self._travel(waiting))
        self._travelling.add(task)
        task.add_done_callback(self._travelling.discard)

    async def _travel(self, waiting: Sequence[tuple[Question, asyncio.Future[list[Answer]]]]) -> None:
        try:
            answers = await self.many([question for question, _ in waiting])
        except Exception as error:  # whoever waits hears it, whatever it is
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(waiting, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    async def many(self, questions: Sequence[Question]) -> list[list[Answer]]:
        """An answer per register of each device; where the server fails, its error is everybody's answer."""
        try:
            items = [self._item(*question) for question in questions]
            async with asyncio.timeout(self._timeout):
                answer = await self._conversation.call(lambda api: _asked(api, items, self._timeout * SHARE))
        except TimeoutError:
            late = OperationTimeout(f"{self._conversation.options.server}: no answer in {self._timeout:g} s")
            return self._all_alike(questions, late)
        except DSMILError as error:
            return self._all_alike(questions, error)
        return [self._answers(*pair) for pair in zip(questions, answer.results, strict=True)]

    def _all_alike(self, questions: Sequence[Question], error: DSMILError) -> list[list[Answer]]:
        return [
            [self._conversation.as_ours(error, device) for _ in registers]
            for device, registers, _ in questions
        ]

    def _item(self, device: Device, registers: Sequence[Register], span: Span | None) -> BulkItem:
        names = list(dict.fromkeys(register.name for register in registers))
        data = OperationData(
            register=names[0] if len(names) == 1 else "",
            registers=names if len(names) > 1 else [],
            offset=span.offset if span else None,
            length=span.length if span else None,
        )
        return BulkItem(device_id=self._members.theirs(device), operation_type="READ", operation_data=data)

    def _answers(self, question: Question, answer: OperationAnswer) -> list[Answer]:
        device, registers, _ = question
        names = [register.name for register in registers]
        found = {reading.register: reading for reading in readings_of(answer, names)}
        return [self._answer(device, name, found.get(name)) for name in names]

    def _answer(self, device: Device, name: str, reading: Reading | None) -> Answer:
        if reading is None:
            error: DSMILError = HardwareError(f"no answer about {name}", device_id=device.device_id)
        elif reading.quality is Quality.STALE:
            error = HardwareError(f"{name} is stale there: {reading.error}", device_id=device.device_id)
        elif reading.value is None:
            error = error_of(reading.error_code or "HARDWARE_ERROR", reading.error or f"{name} has no value")
        else:
            return reading.value
        return self._conversation.as_ours(error, device)

    async def close(self) -> None:
        """Give up whatever is under way."""
        for task in self._travelling:
            task.cancel()
        if self._travelling:
            await asyncio.wait(self._travelling)


async def _asked(api: Api, items: Sequence[BulkItem], seconds: float) -> BulkAnswer:
    """Each device on its own within the bulk, so that a silent one costs its own answer alone."""
    return await Bulks(api).run(items, Mode(max_concurrency=max(1, len(items)), timeout=seconds))
