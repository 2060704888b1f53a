"""Changes: plan, question, progress and outcome of what a command does to devices."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from dsmilctl import diagnostics
from dsmilctl.client.interface import BulkOptions, Client
from dsmilctl.commands.rows import OPERATION_COLUMNS, operation_row, parse_value
from dsmilctl.commands.runner import Result, invocation
from dsmilctl.errors import DSMILError, InvalidParameter, Refused
from dsmilctl.model.device import Device, show_id
from dsmilctl.model.operation import BulkResult, Operation, OperationStatus, Request
from dsmilctl.model.register import Register, Value
from dsmilctl.tables import lay_out

SHOWN_IN_PLAN = 20


def ensure_person(*, yes: bool, dry_run: bool) -> None:
    """Raise ConfirmationRequired before anything is opened, where nobody could confirm later."""
    if not yes and not dry_run:
        diagnostics.require_person("this changes devices", "--yes")


async def change_one(
    client: Client, request: Request, *, yes: bool, register: Register | None = None
) -> Result:
    """One change: checked, shown as old → new, confirmed, carried out, read back."""
    planned = await client.change(msgspec.structs.replace(request, dry_run=True))
    if request.dry_run:
        return Result(operation_row(planned))
    if not yes and not diagnostics.confirm(_question(client, planned, register)):
        raise Refused("nothing was changed", hint="answer y, or add --yes")
    operation = await client.change(request)
    if not operation.success:
        raise _failure(operation)
    return Result(operation_row(operation))


def _question(client: Client, planned: Operation, register: Register | None) -> str:
    shown = show_id(planned.device_id)
    if register is None:
        what = planned.register or planned.type.lower()
        return f"{client.context.name}: {what} {shown}?"
    old = register.format(planned.old) or "unknown"
    return f"{client.context.name}: {shown} {register.name} {old} → {register.format(planned.new)}?"


def _failure(operation: Operation) -> DSMILError:
    """The error of a change that was let through and then failed, with its own exit status."""
    from dsmilctl import errors

    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DSMILError)
    ]
    by_code = {kind.code: kind for kind in kinds if kind is not errors.RateLimitError}
    kind = by_code.get(operation.error_code, DSMILError)
    return kind(operation.error, hint=operation.hint, target=show_id(operation.device_id))


async def change_many(
    client: Client,
    requests: Sequence[Request],
    devices: Sequence[Device],
    *,
    yes: bool,
    options: BulkOptions | None = None,
) -> tuple[BulkResult, int]:
    """Many changes: the plan first, one question, progress, and every outcome; with the exit status."""
    plan = await client.change_many(
        [msgspec.structs.replace(request, dry_run=True) for request in requests], options=options
    )
    if requests and requests[0].dry_run:
        return plan, bulk_exit(plan)
    _show_plan(client, plan, devices)
    refused = plan.summary.total - plan.summary.successful
    question = f"{client.context.name}: change {plan.summary.successful} devices"
    question += f" ({refused} refused)?" if refused else "?"
    if not yes and not diagnostics.confirm(question):
        raise Refused("nothing was changed", hint="answer y, or add --yes")
    progress = diagnostics.Progress("changed", len(requests), invocation().progress)
    result = await client.change_many(
        requests, options=options, progress=lambda operation: progress.step(failed=not operation.success)
    )
    progress.end()
    return result, bulk_exit(result)


def _show_plan(client: Client, plan: BulkResult, devices: Sequence[Device]) -> None:
    """The plan on stderr: what each register holds and would hold, and what would be refused."""
    if not sys.stderr.isatty():
        return
    rows = [operation_row(operation) for operation in plan.results]
    wanted = [column for column in OPERATION_COLUMNS if column.field != "read_back" and not column.wide]
    diagnostics.say(f"plan for {len(rows)} changes in {client.context.name} ({len(devices)} devices):")
    for line in lay_out(rows[:SHOWN_IN_PLAN], wanted, 120):
        diagnostics.say(line)
    if len(rows) > SHOWN_IN_PLAN:
        diagnostics.say(f"… and {len(rows) - SHOWN_IN_PLAN} more (--dry-run -o json shows all)")


def bulk_exit(result: BulkResult) -> int:
    """0 when all succeeded, 6 when some did, else the status of the first failure."""
    if result.summary.successful == result.summary.total:
        return 0
    if result.summary.successful:
        return diagnostics.PARTIAL
    first = next(item for item in result.results if not item.success)
    return 5 if first.status is OperationStatus.TIMEOUT else _failure(first).exit_status


def settings_of(words: Sequence[str], file: str = "") -> tuple[tuple[str, Value], ...]:
    """Settings from `KEY=VALUE` words and from a JSON file; raises InvalidParameter."""
    settings: dict[str, Value] = dict(_from_file(file)) if file else {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InvalidParameter(f"{word!r} is not KEY=VALUE", hint="threshold=1024", target=word)
        settings[key] = parse_value(None, value)
    return tuple(settings.items())


def _from_file(name: str) -> dict[str, Value]:
    from pathlib import Path

    content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        return msgspec.json.decode(content, type=dict[str, Value])
    except msgspec.MsgspecError as error:
        hint = 'a JSON object such as {"threshold": 1024}'
        raise InvalidParameter(f"{name}: {error}", hint=hint, target=name) from None
