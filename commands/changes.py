"""Changes: plan, question, progress and outcome of what a command does to devices."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from dsmilctl import diagnostics
from dsmilctl.client.interface import BulkOptions, Client, new_bulk_id
from dsmilctl.commands.execution import ending, time_left
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.progress import Progress
from dsmilctl.commands.questions import confirm, require_person
from dsmilctl.commands.rows import bulk_row, operation_columns, operation_row
from dsmilctl.commands.runner import Result
from dsmilctl.errors import DSMILError, OperationTimeout, Refused, Unreachable, kind_of
from dsmilctl.model.device import Device, show_id
from dsmilctl.model.operation import BulkResult, Operation, Request
from dsmilctl.model.register import Register
from dsmilctl.tables import lay_out

SHOWN_IN_PLAN = 20
TO_TELL = 0.5
"""Seconds of a deadline that are kept for telling what became of changes."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a bulk of changes, the exit status, and whether it was carried out and `kept`."""

    result: BulkResult
    status: int
    kept: bool

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every operation as a row."""
        return [operation_row(operation) for operation in self.result.results]

    def found(self, devices: Sequence[Device]) -> Result:
        """The bulk with its counts, as `bulk` commands show it."""
        row = bulk_row(self.result, self.rows, kept=self.kept)
        return Result(row, self.status, columns=operation_columns(devices))


def ensure_person(*, yes: bool, dry_run: bool = False) -> None:
    """Raise ConfirmationRequired before anything is opened, where nobody could confirm later."""
    if not yes and not dry_run:
        require_person("this changes devices", "--yes")


async def change_one(
    client: Client, request: Request, device: Device, *, yes: bool, register: Register | None = None
) -> Result:
    """One change: checked, shown as old → new, confirmed, carried out, read back."""
    columns = operation_columns([device])
    if request.dry_run:
        return Result(operation_row(await client.change(request)), columns=columns)
    if not yes:
        planned = await client.change(msgspec.structs.replace(request, dry_run=True, attempt=True))
        if not await confirm(_question(client, planned, register)):
            raise Refused("nothing was changed")
    operation = await client.change(request)
    if not operation.success:
        raise failure_of(operation)
    return Result(operation_row(operation), columns=columns)


def _question(client: Client, planned: Operation, register: Register | None) -> str:
    shown = show_id(planned.device_id)
    if register is None:
        return f"{client.context.name}: {planned.register or planned.type.lower()} {shown}?"
    old = register.format(planned.old) or "unknown"
    return f"{client.context.name}: {shown} {register.name} {old} → {register.format(planned.new)}?"


def failure_of(operation: Operation) -> DSMILError:
    """The error of a change that was let through and then failed, with its own exit status."""
    kind = kind_of(operation.error_code)
    return kind(operation.error, hint=operation.hint, target=show_id(operation.device_id))


async def change_many(
    client: Client,
    requests: Sequence[Request],
    devices: Sequence[Device],
    *,
    yes: bool,
    options: BulkOptions | None = None,
) -> Outcome:
    """Many changes: the plan first, one question, progress, and every outcome.

    Nothing is asked and nothing is done where no change of the plan would be let through.
    """
    options = msgspec.structs.replace(options or BulkOptions(), bulk_id=new_bulk_id())
    plan = await client.change_many(
        [msgspec.structs.replace(request, dry_run=True) for request in requests], options=options
    )
    if not plan.summary.successful:
        _tell_refusal(plan)
        await _record_refusals(client, requests)
    if not plan.summary.successful or requests[0].dry_run:
        return Outcome(plan, bulk_exit(plan), kept=False)
    if not yes or diagnostics.is_terminal():
        _show_plan(client, plan, devices)
    if not yes and not await confirm(_bulk_question(client, plan)):
        raise Refused("nothing was changed")
    result = await _carry_out(client, requests, options)
    if diagnostics.is_terminal():
        counts = result.summary
        diagnostics.say(f"{result.id}: {counts.successful} of {counts.total} changes made ({result.status})")
    return Outcome(result, bulk_exit(result), kept=True)


async def _record_refusals(client: Client, requests: Sequence[Request]) -> None:
    """A plan that is refused wholly was still asked for: its refusals belong into the journal."""
    if not requests[0].dry_run:
        tried = [msgspec.structs.replace(request, dry_run=True, attempt=True) for request in requests]
        await client.change_many(tried)


def _tell_refusal(plan: BulkResult) -> None:
    first = next(operation for operation in plan.results if not operation.success)
    hint = f" ({first.hint})" if first.hint else ""
    diagnostics.warn(f"no change of the plan is let through: {first.error}{hint}")


async def _carry_out(client: Client, requests: Sequence[Request], options: BulkOptions) -> BulkResult:
    with Progress("changed", len(requests), invocation().progress) as progress:
        try:
            return await client.change_many(
                requests,
                options=msgspec.structs.replace(options, timeout=_time_for_changes()),
                progress=lambda operation: progress.step(failed=not operation.success),
            )
        except asyncio.CancelledError:
            told = f"ended by its {ending()} after {progress.done} of {len(requests)} changes"
            undo = f"dsmilctl -C {client.context.name} bulk undo {options.bulk_id}"
            diagnostics.warn(f"{told}; {undo} puts them back")
            raise


def _time_for_changes() -> float | None:
    """Seconds that changes have where the command has a deadline: what became of each is told in the rest."""
    left = time_left()
    return None if left is None else max(left - TO_TELL, left / 2)


def _show_plan(client: Client, plan: BulkResult, devices: Sequence[Device]) -> None:
    """The plan on stderr: what each register holds and would hold, and what would be refused."""
    rows = [operation_row(operation) for operation in plan.results]
    left_out = ("read_back", "status")
    columns = [item for item in operation_columns(devices) if not item.wide and item.field not in left_out]
    diagnostics.say(f"plan: {len(rows)} changes in {client.context.name}")
    for line in lay_out(rows[:SHOWN_IN_PLAN], columns, diagnostics.width()):
        diagnostics.say(line)
    if len(rows) > SHOWN_IN_PLAN:
        diagnostics.say(f"… and {len(rows) - SHOWN_IN_PLAN} more; --dry-run shows all of them")


def _bulk_question(client: Client, plan: BulkResult) -> str:
    """How many would be changed, and how many not, for which reason."""
    refused = [operation for operation in plan.results if not operation.success]
    silent = sum(
        issubclass(kind_of(operation.error_code), (Unreachable, OperationTimeout)) for operation in refused
    )
    reasons = [f"{len(refused) - silent} refused"] if len(refused) > silent else []
    reasons += [f"{silent} unreachable"] if silent else []
    left_out = f" ({', '.join(reasons)})" if reasons else ""
    total = plan.summary.total
    return f"{client.context.name}: make {plan.summary.successful} of {total} changes{left_out}?"


def bulk_exit(result: BulkResult) -> int:
    """0 when all succeeded, 6 when some did, 5 when nobody knows of one, else that of the first failure."""
    if result.summary.successful == result.summary.total:
        return 0
    if result.summary.successful:
        return diagnostics.PARTIAL
    codes = [item.error_code for item in result.results if not item.success]
    unknown = [code for code in codes if code == OperationTimeout.code]
    return kind_of((unknown or codes)[0]).exit_status
