"""`dsmilctl audit`: the journal of every change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from dsmilctl import diagnostics
from dsmilctl.client.interface import Client, HistoryQuery
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.questions import confirm, require_person
from dsmilctl.commands.rows import AUDIT_COLUMNS, audit_row
from dsmilctl.commands.runner import Result, run
from dsmilctl.commands.targets import Offset, one_device, tell_rest
from dsmilctl.commands.times import moment
from dsmilctl.errors import CheckFailed, InvalidParameter, NotFound, Refused, nearest
from dsmilctl.model.audit import ACTIONS, OUTCOMES
from dsmilctl.model.dotted import pattern_of

app = Noun("audit")
_HASH = re.compile(r"([0-9]{1,18}:)?[0-9a-fA-F]{64}")


class ExportedAnchor(msgspec.Struct, frozen=True):
    """What of an exported file is held against the journal."""

    sequence: Annotated[int, msgspec.Meta(ge=0)]
    hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")]


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which records are wanted."""

    device: str
    since: str
    until: str
    action: str
    outcome: str
    user: str
    limit: int
    offset: int


@app.command(impact="read")
def log(
    device: Annotated[str, typer.Option(metavar="DEV", help="only of this device")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="from: 2026-11-20T10:00Z, 2h (ago)")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="up to")] = "",
    action: Annotated[str, typer.Option(metavar="ACTION", help="only these: device.write, device.*, …")] = "",
    outcome: Annotated[
        str, typer.Option(metavar="OUTCOME", help="only INTENT, SUCCESS, FAILED, DENIED, TIMEOUT, UNKNOWN")
    ] = "",
    user: Annotated[str, typer.Option(metavar="NAME", help="only of this user")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="at most so many")] = 50,
    offset: Offset = 0,
) -> None:
    """Show the journal, newest first: who asked for what, what was decided, how it ended.

    Example: dsmilctl audit log --since 1d --outcome DENIED
    """
    options = LogOptions(
        device=device,
        since=since,
        until=until,
        action=pattern_of(action, ACTIONS, "--action"),
        outcome=_outcome(outcome),
        user=user,
        limit=limit,
        offset=offset,
    )
    run(show_log, options, schema="audit.log/1", columns=AUDIT_COLUMNS, empty="no record fits")


def _outcome(text: str) -> str:
    if text and text.upper() not in OUTCOMES:
        hint = nearest(text, OUTCOMES) or f"one of {', '.join(OUTCOMES)}"
        raise InvalidParameter(f"--outcome cannot be {text!r}", hint=hint, target="--outcome")
    return text.upper()


async def show_log(client: Client, options: LogOptions) -> list[dict[str, Any]]:
    """Records, newest first."""
    device = await one_device(client, options.device) if options.device else None
    query = HistoryQuery(
        device_id=device.device_id if device else None,
        since=moment(options.since),
        until=moment(options.until),
        action=options.action,
        outcome=options.outcome,
        user=options.user,
        limit=options.limit,
        offset=options.offset,
    )
    rows = [audit_row(record) for record in await client.audit(query)]
    if diagnostics.is_terminal() and len(rows) == options.limit:
        tell_rest(len(rows), options.offset, await client.audit_count(query), "records")
    return rows


@app.command(impact="read")
def show(sequence: Annotated[int, typer.Argument(metavar="SEQ", min=1, help="the record's number")]) -> None:
    """Show one record whole.

    Example: dsmilctl audit show 1
    """
    run(show_record, sequence, schema="audit.show/1")


async def show_record(client: Client, sequence: int) -> dict[str, Any]:
    """One record."""
    for record in await client.audit(HistoryQuery(limit=0)):
        if record.sequence == sequence:
            return audit_row(record)
    raise NotFound(f"no record {sequence}", hint="dsmilctl audit log", target=str(sequence))


@app.command(impact="read")
def verify(
    anchor: Annotated[
        str | None, typer.Option(metavar="HASH|FILE", help="an exported anchor that must be there")
    ] = None,
) -> None:
    """Check that no record was changed, removed, inserted or reordered; exit status 9 and the first bad one.

    That the end was cut off shows only against an anchor exported before.

    Example: dsmilctl audit verify --anchor /media/safe/anchor.json
    """
    run(check, anchor, schema="audit.verify/1")


async def check(client: Client, anchor: str | None) -> Result:
    """What the check of the whole chain found."""
    verdict = await client.audit_verify("" if anchor is None else _anchor(anchor))
    if not verdict.intact:
        diagnostics.warn(f"{verdict.file}:{verdict.line or '?'}: {verdict.problem}")
    return Result(msgspec.to_builtins(verdict), 0 if verdict.intact else CheckFailed.exit_status)


def _anchor(text: str) -> str:
    """A hash as it is, or the hash in an exported file."""
    if _HASH.fullmatch(text):
        return text
    if not Path(text).is_file():
        message = f"{text or 'an empty text'} is neither a file nor a hash of 64 digits"
        raise InvalidParameter(message, hint="dsmilctl audit export FILE makes one", target="--anchor")
    try:
        exported = msgspec.json.decode(Path(text).read_bytes(), type=ExportedAnchor)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        message = f"{text} is no exported anchor: it lacks a sequence, or a hash of 64 digits"
        raise InvalidParameter(message, hint="dsmilctl audit export FILE makes one", target=text) from None
    return f"{exported.sequence}:{exported.hash}"


@app.command(impact="read")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="where to put the anchor")],
) -> None:
    """Write where the journal ends into a small file, to be kept where nobody can change it.

    Example: dsmilctl audit export /media/safe/anchor.json
    """
    run(export_anchor, file, schema="audit.export/1")


async def export_anchor(client: Client, file: Path) -> dict[str, Any]:
    """The anchor that was written."""
    return await client.audit_export(file)


@app.command(impact="danger")
def restart(
    reason: Annotated[str, typer.Option(metavar="TEXT", help="why the chain is begun anew")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
) -> None:
    """Go on with a new segment behind a damaged journal, which stays as evidence.

    Example: dsmilctl audit restart --reason 'disk was replaced, see ticket 17' --yes
    """
    if not yes:
        require_person("this begins a new segment of the journal", "--yes")
    run(restart_journal, RestartOptions(reason, yes), schema="audit.restart/1")


class RestartOptions(msgspec.Struct, frozen=True):
    """Why the chain is begun anew."""

    reason: str
    yes: bool


async def restart_journal(client: Client, options: RestartOptions) -> dict[str, Any]:
    """The first record of the new segment."""
    if not options.yes and not await confirm("begin a new segment of the journal?"):
        raise Refused("nothing was changed")
    return audit_row(await client.audit_restart(options.reason))
