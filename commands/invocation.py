"""Invocation: the global options of the command line that runs, over the settings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dsmilctl import diagnostics
from dsmilctl.config.settings import Settings, load_settings, settings_despite_errors
from dsmilctl.errors import InvalidParameter, UsageError, nearest
from dsmilctl.output import Output

if TYPE_CHECKING:
    from dsmilctl.client.interface import Client
    from dsmilctl.log import Log

LOGGER = logging.getLogger("dsmilctl.commands")
PROGRESS = ("auto", "json", "none")
LOG_FORMATS = ("text", "json")


class Invocation(msgspec.Struct, kw_only=True):
    """The global options of one command line, over the settings."""

    settings: Settings
    harmless: bool = True
    context: str = ""
    output: str = ""
    json: bool = False
    fields: str = ""
    jq: str = ""
    read_only: bool = False
    timeout: float | None = None
    deadline: float | None = None
    retry: int | None = None
    progress: str = "auto"
    verbose: int = 0
    log_file: str = ""
    log_format: str = ""
    debug: bool = False

    def make_output(self, default: str = "", *, despite_errors: bool = False) -> Output:
        """The output that this command line asks for; raises InvalidParameter."""
        chosen = "json" if self.json else self.output or default or self.settings.output
        fields = [field.strip() for field in self.fields.split(",") if field.strip()]
        try:
            output = Output(chosen, context=self.context, fields=fields, jq=self.jq)
            output.forgiving = not self.harmless
        except UsageError as error:
            if not despite_errors:
                raise
            diagnostics.warn(error.message)
            output = Output(context=self.context)
        diagnostics.speak_json(output.as_json)
        return output

    def connect(self, *, despite_errors: bool = False) -> Client:
        """A client on the chosen context, not yet opened."""
        from dsmilctl.client.connecting import connect

        LOGGER.debug("context %s, settings %s", self.context or "as chosen", self.settings)
        client = connect(
            self.context,
            read_only=self.read_only,
            timeout=self.timeout,
            settings=self.settings,
            despite_errors=despite_errors,
        )
        self.context = client.context.name
        LOGGER.info("context %s: %s", client.context.name, client.context.target)
        return client

    @property
    def time_limit(self) -> float:
        """Seconds for the whole command, 0 for none."""
        return self.settings.deadline if self.deadline is None else self.deadline

    @property
    def retries(self) -> int:
        """How often a failed read is tried again."""
        return self.settings.retry if self.retry is None else self.retry


class _Command:
    """What the command line that runs has given, and what was made of it."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.invocation: Invocation | None = None
        self.log: Log | None = None


_current = _Command()


def begin() -> dict[str, Any]:
    """Begin a command line; its global options go into the dictionary as they are parsed."""
    end()
    _current.given, _current.invocation = {}, None
    return _current.given


def end() -> None:
    """End a command line: what the log still counts is told."""
    if _current.log is not None:
        _current.log.close()
        _current.log = None


def invocation(*, despite_errors: bool = False, quiet: bool = False) -> Invocation:
    """The global options of the command that runs, over the settings; made once.

    Raises InvalidParameter and ConfigError.  With `despite_errors` what is wrong is said (unless `quiet`) and
    left aside.
    """
    if _current.invocation is None:
        _current.invocation = _despite_errors(quiet=quiet) if despite_errors else _strict()
    return _current.invocation


def _strict() -> Invocation:
    chosen = _checked(Invocation(settings=load_settings(), **_current.given))
    _start_log(chosen)
    return chosen


def _despite_errors(*, quiet: bool) -> Invocation:
    settings, error = settings_despite_errors()
    if error is not None and not quiet:
        diagnostics.warn("the settings are wrong, so the defaults are used: dsmilctl config validate")
    try:
        chosen = _checked(Invocation(settings=settings, **_current.given))
        _start_log(chosen)
    except UsageError as error:
        diagnostics.warn(error.message)
        context = _current.given.get("context", "") or settings.context
        chosen = Invocation(settings=settings, context=context)
    return chosen


def _checked(chosen: Invocation) -> Invocation:
    chosen.context = chosen.context or chosen.settings.context
    _require_above_zero("--timeout", chosen.timeout)
    _require_above_zero("--deadline", chosen.deadline)
    if chosen.retries < 0:
        raise InvalidParameter(f"--retry cannot be {chosen.retry}", hint="0 or more", target="--retry")
    _require_one_of("--progress", chosen.progress, PROGRESS)
    _require_one_of("--log-format", chosen.log_format or LOG_FORMATS[0], LOG_FORMATS)
    return chosen


def _require_above_zero(option: str, seconds: float | None) -> None:
    if seconds is not None and not 0 < seconds < float("inf"):
        raise InvalidParameter(
            f"{option} cannot be {seconds:g}", hint="a number of seconds above 0", target=option
        )


def _require_one_of(option: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        hint = nearest(word, known) or f"{', '.join(known[:-1])} or {known[-1]}"
        raise InvalidParameter(f"{option} cannot be {word!r}", hint=hint, target=option)


def _start_log(chosen: Invocation) -> None:
    settings = chosen.settings
    file = chosen.log_file or settings.log_file
    if not (chosen.verbose or chosen.debug or file or settings.log_levels):
        return  # `log_fallback` tells what is urgent
    from dsmilctl.log import configure

    _current.log = configure(
        verbosity=2 if chosen.debug else chosen.verbose,
        level=settings.log_level,
        levels=settings.log_levels,
        file=Path(file) if file else None,
        form=chosen.log_format or settings.log_format,
        stream=diagnostics.log_stream(),
        tracebacks=chosen.debug,
    )
