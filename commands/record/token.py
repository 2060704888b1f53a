"""`dsmilctl record token`: tests of SMBIOS tokens: what was there, what was set, what came of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from dsmilctl.archive.extra import require_archive
from dsmilctl.archive.tokens import (
    Outcome,
    TokenTest,
    begin,
    complete,
    hex_id_of,
    newest_test,
    open_test,
    parse_token,
    query_token_tests,
)
from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM, rfc3339
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.place import ArchiveFolder, existing, places_of, reading
from dsmilctl.commands.runner import run, show
from dsmilctl.errors import InvalidParameter, UsageError, nearest
from dsmilctl.tables import Column

if TYPE_CHECKING:
    from dsmilctl.archive.inscribing import Inscription

app = Noun("record")
COLUMNS = (
    Column("test_id", "TEST", right=True),
    Column("token"),
    Column("group_id", "GROUP", right=True),
    Column("operation_type", "OPERATION"),
    Column("access_method", "METHOD", wide=True),
    Column("outcome"),
    Column("initial_value", "INITIAL"),
    Column("set_value", "SET", sparse=True),
    Column("final_value", "FINAL"),
    Column("expected_value", "EXPECTED", sparse=True),
    Column("duration_ms", "MS", right=True),
    Column("temperature_before", "°C BEFORE", right=True, sparse=True),
    Column("temperature_after", "°C AFTER", right=True, sparse=True),
    Column("retry_count", "RETRIES", right=True, wide=True),
    Column("error_code", "ERROR", sparse=True),
    Column("error_message", "MESSAGE", sparse=True, flexible=True),
    Column("started", wide=True),
    Column("recording_id", "RECORDING", wide=True),
    Column("notes", wide=True, sparse=True, flexible=True),
)
ACTIONS = {
    "begin": {"method", "operation", "initial", "set_", "expect", "notes"},
    "end": {"final", "expect", "outcome", "error", "message", "retries", "notes"},
    "list": {"recording", "outcome", "limit"},
    "show": set(),
}
"""The actions, and which options each of them takes."""

OUTCOMES = {"success": True, "failed": False}


class TokenOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The command line of one action; text that was not given is empty."""

    wanted: str = ""
    method: str = ""
    operation: str = ""
    initial: str = ""
    set_: str = ""
    final: str = ""
    expect: str = ""
    outcome: str = ""
    error: str = ""
    message: str = ""
    retries: int = 0
    notes: str = ""
    recording: str = ""
    limit: int = 0
    archive: str = ""


@app.command(impact="read", makes=True, usage="begin|end|list|show [TOKEN|TEST] [OPTIONS]")
def token(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="begin, end, list or show")],
    wanted: Annotated[
        str,
        typer.Argument(metavar="[TOKEN]", help="0x480 to 0x4C7; for end and show also the number of a test"),
    ] = "",
    method: Annotated[
        str, typer.Option(metavar="NAME", help="begin: smbios-token-ctl, smi, direct or wmi")
    ] = "",
    operation: Annotated[
        str, typer.Option(metavar="NAME", help="begin: read, write, toggle, probe or activate")
    ] = "",
    initial: Annotated[str, typer.Option(metavar="VALUE", help="begin: not read but given")] = "",
    set_: Annotated[str, typer.Option("--set", metavar="VALUE", help="begin: what the test sets")] = "",
    expect: Annotated[str, typer.Option(metavar="VALUE", help="begin, end: what should come out")] = "",
    final: Annotated[str, typer.Option(metavar="VALUE", help="end: not read but given")] = "",
    outcome: Annotated[
        str, typer.Option(metavar="NAME", help="end, list: success or failed; for end else it is concluded")
    ] = "",
    error: Annotated[str, typer.Option(metavar="CODE", help="end: what went wrong, as a code")] = "",
    message: Annotated[str, typer.Option(metavar="TEXT", help="end: what went wrong")] = "",
    retries: Annotated[int, typer.Option(metavar="N", min=0, help="end: how often it was repeated")] = 0,
    notes: Annotated[str, typer.Option(metavar="TEXT", help="begin, end: what should be known")] = "",
    recording: Annotated[str, typer.Option(metavar="NAME", help="list: of this recording")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="list: at most so many; 0 is all")] = 0,
    archive: ArchiveFolder = "",
) -> None:
    """Keep the test of an SMBIOS token, from `begin` to `end`, in the recording that runs.

    Without one a recording is made for the test.  The token's value and temperatures are read from the
    context before and after; a test has succeeded unless an error is given or another value was expected.
    `show` tells which operations, messages of the kernel and responses of devices are tied to a test: those
    up to `archive.correlation_window` seconds behind it.

    Example: dsmilctl -C local record token begin 0x481 --operation write --set 1 --expect 1
    Example: dsmilctl -C local record token end 0x481 --notes 'took two tries' --retries 1
    Example: dsmilctl record token list --outcome failed
    Example: dsmilctl record token show 0x481
    """
    given = {name: value for name, value in locals().items() if name != "action"}
    options = TokenOptions(**given)
    _require_fitting(action, given)
    if action == "list":
        rows = [test_row(test) for test in _listed(options)]
        empty = "no token was tested: dsmilctl record token begin 0x480"
        show(rows, schema="record.token.list/1", columns=COLUMNS, empty=empty)
        return
    if action == "show":
        show(_shown(options), schema="record.token.show/1")
        return
    require_archive()
    work = begin_test if action == "begin" else end_test
    run(work, options, schema=f"record.token.{action}/1")


def _require_fitting(action: str, given: dict[str, Any]) -> None:
    """Raise InvalidParameter for an action there is not, UsageError for an option of another action."""
    if action not in ACTIONS:
        hint = nearest(action, ACTIONS) or "begin, end, list or show"
        raise InvalidParameter(f"no action {action!r}", hint=hint, target="ACTION")
    for name in set(given) - {"wanted", "archive"} - ACTIONS[action]:
        if given[name]:
            option = f"--{name.rstrip('_')}"
            raise UsageError(f"{option} is not for {action}", hint="dsmilctl record token --help")
    if given["outcome"] and given["outcome"] not in OUTCOMES:
        raise InvalidParameter(f"no outcome {given['outcome']!r}", hint="success or failed")
    if action == "begin" and not given["wanted"]:
        raise UsageError("which token is tested?", hint="dsmilctl record token begin 0x480")


def _listed(options: TokenOptions) -> list[TokenTest]:
    from dsmilctl.archive import recording as recordings

    token_id = parse_token(options.wanted) if options.wanted else None
    if not places_of(options.archive).exists:
        return []
    with reading(options.archive) as connection:
        wanted = options.recording
        return query_token_tests(
            connection,
            recording_id=recordings.find(connection, wanted).recording_id if wanted else "",
            token_id=token_id,
            success=OUTCOMES.get(options.outcome),
            limit=options.limit,
        )


def _shown(options: TokenOptions) -> dict[str, Any]:
    """A test, the newest where none is named, with all that is tied to it."""
    from dsmilctl.archive.tying import related

    with reading(options.archive) as connection:
        test = newest_test(connection, options.wanted)
        window = invocation().settings.archive.correlation_window
        tied = related(connection, test.recording_id, test.test_id, window)
    return test_row(test) | {
        "tied": [
            {
                "kind": item.kind, "time": rfc3339(item.timestamp), "what": item.what,
                "delay_ms": round(item.delay_ms, 3), "strength": round(item.strength, 3),
            }
            for item in tied
        ]
    }  # fmt: skip


async def begin_test(client: Client, options: TokenOptions) -> dict[str, Any]:
    """Read what there is before the test, and put it into the archive; the row of the test."""
    from dsmilctl.archive.inscribing import inscribing
    from dsmilctl.archive.probing import keep_temperatures, probe

    token_id = parse_token(options.wanted)
    found = await probe(client, token_id)
    now = SYSTEM.now()
    with inscribing(places_of(options.archive)) as inscription:
        test = TokenTest(
            recording_id=_recording(inscription, client, token_id, now),
            token_id=token_id,
            started=now,
            access_method=options.method or "smbios-token-ctl",
            operation_type=options.operation or ("write" if options.set_ else "read"),
            initial_value=options.initial or found.value,
            set_value=options.set_ or None,
            expected_value=options.expect or None,
            notes=options.notes,
        )
        test_id = begin(inscription.connection, test, now)
        keep_temperatures(inscription.connection, found, test.recording_id, test_id, before=now)
    source = "given" if options.initial else found.source or None
    return test_row(msgspec.structs.replace(test, test_id=test_id)) | {"source": source}


def _recording(inscription: Inscription, client: Client, token_id: int, now: int) -> str:
    """The id of the recording that a test goes into."""
    from dsmilctl import __version__
    from dsmilctl.archive.recording import new_recording

    made = new_recording(
        f"token {hex_id_of(token_id)}", now, type="single", operator=client.identity.user,
        host=os.uname().nodename, context=client.context.name, versions={"dsmilctl": __version__},
    )  # fmt: skip
    return inscription.recording_for(msgspec.structs.replace(made, status="completed", ended=now))


async def end_test(client: Client, options: TokenOptions) -> dict[str, Any]:
    """Read what there is after the test, and put that and the outcome into the archive; the row of it."""
    from dsmilctl.archive import recording as recordings
    from dsmilctl.archive.dependencies import relate_tokens
    from dsmilctl.archive.inscribing import inscribing
    from dsmilctl.archive.probing import keep_temperatures, probe
    from dsmilctl.archive.tying import tie_recording

    places = existing(options.archive)
    with reading(options.archive) as connection:
        test = open_test(connection, options.wanted)
    found = await probe(client, test.token_id)
    outcome = Outcome(
        success=OUTCOMES.get(options.outcome),
        final_value=options.final or found.value,
        expected_value=options.expect or None,
        error_code=options.error or None,
        error_message=options.message or None,
        retry_count=options.retries,
        notes=options.notes,
    )
    with inscribing(places) as inscription:
        now = SYSTEM.now()
        keep_temperatures(inscription.connection, found, test.recording_id, test.test_id)
        done = complete(inscription.connection, test.test_id, outcome, now)
        if done.recording_id != inscription.running:
            recordings.extend(inscription.connection, done.recording_id, now)
            window = invocation().settings.archive.correlation_window
            tie_recording(inscription.connection, done.recording_id, window)
            relate_tokens(inscription.connection, now, window)
    return test_row(done)


def test_row(test: TokenTest) -> dict[str, Any]:
    """A test as a row."""
    fields = msgspec.structs.asdict(test)
    fields["started"] = rfc3339(test.started)
    names = {True: "success", False: "failed", None: "open"}
    ordered = {"test_id": test.test_id, "token": test.hex_id, "group_id": test.group_id}
    ordered |= {"device_id": test.device_id, "outcome": names[test.success]}
    rounded = ("duration_ms", "temperature_before", "temperature_after")
    fields |= {name: None if fields[name] is None else round(fields[name], 3) for name in rounded}
    return ordered | {name: value for name, value in fields.items() if name not in ordered}
