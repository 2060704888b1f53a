"""Runner: opens the client, calls one function, shows what comes back, and ends with the right status."""

from __future__ import annotations

import errno
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from dsmilctl import diagnostics, log_fallback
from dsmilctl.commands.event_log import events_logged
from dsmilctl.commands.execution import execute
from dsmilctl.commands.invocation import begin, end, invocation
from dsmilctl.commands.stop_line import read_stop_line
from dsmilctl.errors import (
    ConfigError,
    DSMILError,
    InvalidParameter,
    MissingExtraError,
    NotFound,
    StateUnavailable,
    UsageError,
)
from dsmilctl.output import Output
from dsmilctl.stdout import CLOSED_PIPE, abandon, flush
from dsmilctl.tables import Column

if TYPE_CHECKING:
    from dsmilctl.client.interface import Client

LOGGER = logging.getLogger("dsmilctl.commands")
Options = TypeVar("Options")
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
"""System errors that say that a disk, not the command line, is what is wrong."""


class Result(msgspec.Struct, frozen=True):
    """What a command found: the data to show and the exit status (6 for a partial result, say).

    `columns` are those of a table where they depend on what was found, `page` is what people are shown where
    that is not the data itself.
    """

    data: Any
    status: int = 0
    columns: Sequence[Column] = ()
    page: Mapping[str, Any] | None = None


class _Ending:
    """How the command that runs will end."""

    status = 0


def run(
    function: Callable[[Client, Options], Awaitable[Any]],
    options: Options,
    *,
    schema: str,
    columns: Sequence[Column] = (),
    empty: str = "",
    rows: str = "",
    despite_errors: bool = False,
) -> None:
    """Call a function with an open client and show what it returns, in the format that was asked for.

    `columns`, `empty` and `rows` are those of `Output.show`.  With `despite_errors` a local client does where
    its settings, its fleet file or a driver are wrong, which is said.
    """
    chosen = invocation(despite_errors=despite_errors)
    output = chosen.make_output()

    async def work() -> Result:
        client = chosen.connect(despite_errors=despite_errors)
        async with _opened(client, despite_errors=despite_errors), events_logged(client):
            found = await function(client, options)
            return found if isinstance(found, Result) else Result(found)

    result = execute(work(), chosen.time_limit)
    output.context = chosen.context
    data = result.page if result.page is not None and output.for_people else result.data
    output.show(data, schema=schema, columns=result.columns or columns, empty=empty, rows=rows)
    end_with(result.status)


@asynccontextmanager
async def _opened(client: Client, *, despite_errors: bool) -> AsyncIterator[None]:
    """Have the client open; with `despite_errors` as far as it is right."""
    try:
        try:
            await client.open()
        except (ConfigError, NotFound, MissingExtraError) as error:
            if not despite_errors or client.context.kind == "remote":
                raise
            diagnostics.warn(
                f"an emergency stop does not reach all of {client.context.name}: {error.message}"
            )
        yield
    finally:
        await client.close()


def run_live(
    function: Callable[[Client, Options, Output], Coroutine[Any, Any, int]],
    options: Options,
    *,
    default: str = "",
    despite_errors: bool = False,
) -> None:
    """Call a function that shows what it finds as it comes and returns the exit status.

    `default` is the format that it has where none is asked for.  With `despite_errors` neither settings nor
    options keep it from running, it gets a client that is not yet open, and no deadline ends it but its own.
    """
    chosen = invocation(despite_errors=despite_errors)
    output = chosen.make_output(default, despite_errors=despite_errors)

    async def work() -> int:
        client = chosen.connect(despite_errors=despite_errors)
        output.context = chosen.context
        try:
            if not despite_errors:
                await client.open()
            async with events_logged(client):
                return await function(client, options, output)
        finally:
            await client.close()

    end_with(execute(work(), 0.0 if despite_errors else chosen.time_limit))


def show(
    data: Any,
    *,
    schema: str,
    columns: Sequence[Column] = (),
    empty: str = "",
    status: int = 0,
    despite_errors: bool = False,
) -> None:
    """Show what a command found without a client; `despite_errors` also where the settings are wrong."""
    invocation(despite_errors=despite_errors, quiet=True).make_output().show(
        data, schema=schema, columns=columns, empty=empty
    )
    end_with(status)


def end_with(status: int) -> None:
    """End the command with this exit status."""
    _Ending.status = status


def run_command_line(arguments: Sequence[str]) -> int:
    """The whole of a command line: parse, run, and turn every end into an exit status."""
    arguments = [readable(argument) for argument in arguments]
    _Ending.status = 0
    diagnostics.speak_json(asks_for_json(arguments))
    log_fallback.install()
    given = begin()
    try:
        return _to_its_end(arguments, given)
    except BrokenPipeError:
        abandon()
        return CLOSED_PIPE
    except KeyboardInterrupt:
        return diagnostics.INTERRUPTED
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    finally:
        end()


def _to_its_end(arguments: Sequence[str], given: dict[str, Any]) -> int:
    try:
        status = _invoke(arguments, given) or _Ending.status
        flush()
        LOGGER.info("done, exit status %d", status)
        return status
    except BrokenPipeError:
        raise
    except Exception as error:  # a mistake of ours, too, has to end in a sentence and a status
        if "--debug" in arguments:
            _tell_traceback()
        told = _told(error, arguments)
        if isinstance(told, UsageError) and _orders_a_stop(arguments):
            told = _nothing_stopped(told)
        return diagnostics.fail(told)


def _invoke(arguments: Sequence[str], given: dict[str, Any]) -> int:
    """Parse the line and call its verb; a stop of everything is carried out without the parser."""
    line = read_stop_line(arguments) if "emergency" in arguments else None
    if line is None:
        from dsmilctl.commands.grammar import invoke

        return invoke(arguments, given)
    from dsmilctl.commands.stopping import order_stop

    given |= {"harmless": False} | line.given
    order_stop(reason=line.reason, deadline=line.deadline)
    return 0


def _told(error: Exception, arguments: Sequence[str]) -> DSMILError:
    """What is said of an error: itself, where it is one of ours."""
    if isinstance(error, DSMILError):
        return error
    if isinstance(error, OSError):
        what = str(error.filename or "standard output")
        kind = StateUnavailable if error.errno in DISK else ConfigError
        return kind(f"{what}: {error.strerror or error}", target=what)
    hint = f"please report it with what this tells: dsmilctl --debug {' '.join(arguments)}"
    return DSMILError(f"a mistake in dsmilctl: {type(error).__name__}: {error}", hint=hint)


def _orders_a_stop(arguments: Sequence[str]) -> bool:
    words = [word for word in arguments if not word.startswith("-")]
    return ("emergency", "stop") in pairwise(words)


def _nothing_stopped(error: UsageError) -> UsageError:
    """An emergency stop that was not understood has to say first that nothing happened."""
    if "NOTHING WAS STOPPED" in f"{error.message} {error.hint}":
        return error
    hint = "dsmilctl -C NAME emergency stop, with nothing behind it, stops everything"
    kind = type(error) if isinstance(error, InvalidParameter) else UsageError
    return kind(f"NOTHING WAS STOPPED: {error.message}", hint=hint, target=error.target)


def readable(argument: str) -> str:
    """An argument as UTF-8 text, whatever the locale says; bytes that are no text are written out."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether a command line, right or wrong, asks for JSON: then its errors are JSON, too."""
    for word, following in pairwise([*arguments, ""]):
        if word == "--json" or word.partition("=")[0] == "--jq":
            return True
        if word in ("-o", "--output-format"):
            format = following
        elif word.startswith("--output-format="):
            format = word.partition("=")[2]
        else:
            format = word[2:] if word.startswith("-o") else ""
        if format in ("json", "ndjson"):
            return True
    return False


def _tell_traceback() -> None:
    import traceback

    diagnostics.say(traceback.format_exc().rstrip())
