"""Runner: opens the client, calls one function, shows what comes back, and ends with the right status."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dsmilctl import diagnostics
from dsmilctl.client.interface import Client
from dsmilctl.config.settings import Settings, load_settings
from dsmilctl.errors import ConfigError, DSMILError, InvalidParameter, OperationTimeout
from dsmilctl.output import Output
from dsmilctl.stdout import CLOSED_PIPE, abandon
from dsmilctl.tables import Column

Options = TypeVar("Options")
T = TypeVar("T")


class Result(msgspec.Struct, frozen=True):
    """What a command found: the data to show and the exit status (6 for a partial result, say)."""

    data: Any
    status: int = 0


class Invocation(msgspec.Struct, kw_only=True):
    """The global options of this command line, over the settings."""

    settings: Settings
    context: str = ""
    output: str = ""
    json: bool = False
    fields: str = ""
    jq: str = ""
    read_only: bool = False
    timeout: float = 0.0
    deadline: float = 0.0
    retry: int = 0
    progress: str = "auto"
    verbose: int = 0
    log_file: str = ""
    log_format: str = ""
    debug: bool = False

    def make_output(self, default: str = "") -> Output:
        """The output that this command line asks for."""
        chosen = "json" if self.json else self.output or default or self.settings.output
        fields = [field.strip() for field in self.fields.split(",") if field.strip()]
        return Output(chosen, context=self.context, fields=fields, jq=self.jq)

    def connect(self) -> Client:
        """A client on the chosen context, not yet opened."""
        from dsmilctl.client.opening import connect

        client = connect(
            self.context,
            read_only=self.read_only,
            timeout=self.timeout or None,
            settings=self.settings,
        )
        self.context = client.context.name
        return client


_GIVEN: dict[str, Any] = {}
_STATUS = [0]


def invocation() -> Invocation:
    """The global options of the command that runs, over the settings."""
    settings = load_settings()
    chosen = Invocation(settings=settings, **_GIVEN)
    chosen.context = chosen.context or settings.context
    chosen.deadline = chosen.deadline or settings.deadline
    chosen.retry = chosen.retry or settings.retry
    if chosen.timeout < 0 or chosen.deadline < 0 or chosen.retry < 0:
        raise InvalidParameter("--timeout, --deadline and --retry are not negative")
    _start_log(chosen)
    return chosen


def _start_log(chosen: Invocation) -> None:
    settings = chosen.settings
    wanted = chosen.verbose or chosen.debug or chosen.log_file or settings.log_file or settings.log_levels
    if not wanted:
        return
    from dsmilctl.log import configure

    file = chosen.log_file or settings.log_file
    configure(
        verbosity=2 if chosen.debug else chosen.verbose,
        level=settings.log_level,
        levels=settings.log_levels,
        file=Path(file) if file else None,
        form=chosen.log_format or settings.log_format,
        stream=sys.stderr,
        tracebacks=chosen.debug,
    )


def run(
    function: Callable[[Client, Options], Awaitable[Any]],
    options: Options,
    *,
    schema: str,
    columns: Sequence[Column] = (),
    empty: str = "",
) -> None:
    """Call a function with an open client and show what it returns, in the format that was asked for."""
    chosen = invocation()
    output = chosen.make_output()

    async def work() -> Result:
        async with chosen.connect() as client:
            found = await function(client, options)
            return found if isinstance(found, Result) else Result(found)

    result = execute(work(), chosen.deadline)
    output.context = chosen.context
    output.show(result.data, schema=schema, columns=columns, title=empty)
    _STATUS[0] = result.status


def run_live(
    function: Callable[[Client, Options, Output], Coroutine[Any, Any, int]],
    options: Options,
    *,
    default: str = "",
) -> None:
    """Call a function that shows rows by itself as they come (a stream, a plan); it returns the status."""
    chosen = invocation()
    output = chosen.make_output(default)

    async def work() -> int:
        async with chosen.connect() as client:
            output.context = chosen.context
            return await function(client, options, output)

    _STATUS[0] = execute(work(), chosen.deadline)


def show(data: Any, *, schema: str, columns: Sequence[Column] = (), empty: str = "", status: int = 0) -> None:
    """Show what a command found without a client."""
    invocation().make_output().show(data, schema=schema, columns=columns, title=empty)
    _STATUS[0] = status


def end_with(status: int) -> None:
    """End the command with this status."""
    _STATUS[0] = status


def execute(work: Coroutine[Any, Any, T], deadline: float = 0.0) -> T:
    """Run a coroutine to its end; SIGTERM and SIGHUP cancel it so that it can clean up.

    Raises OperationTimeout when `deadline` seconds (0: none) are over.
    """

    async def bounded() -> T:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, _end_by, number, task)
        try:
            async with asyncio.timeout(deadline or None) as limit:
                return await work
        except TimeoutError:
            if limit.expired():
                raise OperationTimeout(f"not done within the deadline of {deadline:g} s") from None
            raise

    try:
        return asyncio.run(bounded())
    except asyncio.CancelledError:
        raise SystemExit(_SIGNALLED.pop() if _SIGNALLED else diagnostics.TERMINATED) from None


_SIGNALLED: list[int] = []


def _end_by(number: int, task: asyncio.Task[Any] | None) -> None:
    _SIGNALLED[:] = [128 + number]
    if task is not None:
        task.cancel()


def run_command_line(arguments: Sequence[str]) -> int:
    """The whole of a command line: parse, run, and turn every end into an exit status."""
    _STATUS[0] = 0
    _GIVEN.clear()
    try:
        status = _parse_and_run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        abandon()
        return CLOSED_PIPE
    except KeyboardInterrupt:
        return diagnostics.INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1


def _parse_and_run(arguments: Sequence[str]) -> int:
    from dsmilctl.commands.grammar import invoke

    try:
        return invoke(arguments, _GIVEN) or _STATUS[0]
    except DSMILError as error:
        if _GIVEN.get("debug") or "--debug" in arguments:
            _traceback()
        return diagnostics.fail(error, as_json=_wants_json(arguments))
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except OSError as error:
        if "--debug" in arguments:
            _traceback()
        named = f"{error.filename}: " if error.filename else ""
        return diagnostics.fail(
            ConfigError(f"{named}{error.strerror or error}"), as_json=_wants_json(arguments)
        )


def _wants_json(arguments: Sequence[str]) -> bool:
    formats = {"json", "ndjson"}
    return bool(_GIVEN.get("json") or _GIVEN.get("output") in formats) or "--json" in arguments


def _traceback() -> None:
    import traceback

    diagnostics.say(traceback.format_exc().rstrip())
