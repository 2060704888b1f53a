"""Runner: opens the client, calls one function, shows what comes back, and ends with the right status."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from dsmilctl import diagnostics, log_fallback
from dsmilctl.commands.execution import execute
from dsmilctl.commands.invocation import begin, end, invocation
from dsmilctl.errors import ConfigError, DSMILError, StateUnavailable
from dsmilctl.output import Output
from dsmilctl.stdout import CLOSED_PIPE, abandon, flush
from dsmilctl.tables import Column

if TYPE_CHECKING:
    from dsmilctl.client.interface import Client

Options = TypeVar("Options")
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
"""System errors that say that a disk, not the command line, is what is wrong."""


class Result(msgspec.Struct, frozen=True):
    """What a command found: the data to show, the exit status (6 for a partial result, say), and columns.

    `columns` are for a table whose columns depend on what was found.
    """

    data: Any
    status: int = 0
    columns: Sequence[Column] = ()


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
) -> None:
    """Call a function with an open client and show what it returns, in the format that was asked for.

    `columns`, `empty` and `rows` are those of `Output.show`.
    """
    chosen = invocation()
    output = chosen.make_output()

    async def work() -> Result:
        async with chosen.connect() as client:
            found = await function(client, options)
            return found if isinstance(found, Result) else Result(found)

    result = execute(work(), chosen.time_limit)
    output.context = chosen.context
    output.show(result.data, schema=schema, columns=result.columns or columns, empty=empty, rows=rows)
    end_with(result.status)


def run_live(
    function: Callable[[Client, Options, Output], Coroutine[Any, Any, int]],
    options: Options,
    *,
    default: str = "",
    despite_errors: bool = False,
) -> None:
    """Call a function that shows what it finds as it comes and returns the exit status.

    `default` is the format that it has where none is asked for.  With `despite_errors` neither settings nor
    options keep it from running, and no deadline ends it but its own.
    """
    chosen = invocation(despite_errors=despite_errors)
    output = chosen.make_output(default, despite_errors=despite_errors)

    async def work() -> int:
        async with chosen.connect() as client:
            output.context = chosen.context
            return await function(client, options, output)

    end_with(execute(work(), 0.0 if despite_errors else chosen.time_limit))


def show(data: Any, *, schema: str, columns: Sequence[Column] = (), empty: str = "", status: int = 0) -> None:
    """Show what a command found without a client."""
    invocation().make_output().show(data, schema=schema, columns=columns, empty=empty)
    end_with(status)


def end_with(status: int) -> None:
    """End the command with this exit status."""
    _Ending.status = status


def run_command_line(arguments: Sequence[str]) -> int:
    """The whole of a command line: parse, run, and turn every end into an exit status."""
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
        from dsmilctl.commands.grammar import invoke

        status = invoke(arguments, given) or _Ending.status
        flush()
        return status
    except BrokenPipeError:
        raise
    except Exception as error:  # a mistake of ours, too, has to end in a sentence and a status
        if "--debug" in arguments:
            _tell_traceback()
        return diagnostics.fail(_told(error, arguments))


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


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether a command line, right or wrong, asks for JSON: then its errors are JSON, too."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
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
