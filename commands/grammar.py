"""Grammar: nouns and verbs as Typer commands, each built only when it is asked for.

The only file that touches Typer's private parts.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from typer import _click
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command_from_info
from typer.models import CommandInfo

from dsmilctl.cli import NOUNS, root_help
from dsmilctl.errors import InvalidParameter, UsageError, nearest

Function = TypeVar("Function", bound=Callable[..., None])
HELP_NAMES = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
IMPACTS = ("read", "write", "danger")


class Verb(NamedTuple):
    """One verb of a noun: its function, its impact (read, write or danger) and its examples."""

    name: str
    function: Callable[..., None]
    impact: str

    @property
    def text(self) -> str:
        """The docstring without its examples."""
        return "\n".join(line for line in self._lines() if not line.startswith("Example: ")).strip()

    @property
    def summary(self) -> str:
        """The first sentence, for lists of commands."""
        return self.text.partition("\n")[0].rstrip(".")

    @property
    def examples(self) -> list[str]:
        """The example command lines."""
        lines = (line.strip() for line in self._lines())
        return [line.removeprefix("Example: ") for line in lines if line.startswith("Example: ")]

    def _lines(self) -> list[str]:
        import inspect

        return (inspect.getdoc(self.function) or "").splitlines()


class Noun:
    """A noun and its verbs.  A noun with one nameless verb is that command itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.summary = NOUNS[name][1]
        self.verbs: dict[str, Verb] = {}

    def command(self, name: str = "", *, impact: str) -> Callable[[Function], Function]:
        """Make a function a verb; without a name the function's own."""

        def register(function: Function) -> Function:
            chosen = name or function.__name__.rstrip("_").replace("_", "-")
            self.verbs[chosen] = Verb(chosen, function, impact)
            return function

        return register

    def alone(self, *, impact: str) -> Callable[[Function], Function]:
        """Make a function the whole command: a noun without verbs."""

        def register(function: Function) -> Function:
            self.verbs[""] = Verb("", function, impact)
            return function

        return register


def noun(name: str) -> Noun:
    """The noun of that name, with its module loaded."""
    module = importlib.import_module(f"dsmilctl.commands.{NOUNS[name][0]}")
    found: Noun = module.app
    return found


def nouns() -> Iterator[Noun]:
    """Every noun, in the order of the help page."""
    return map(noun, NOUNS)


class VerbCommand(TyperCommand):
    """A verb: its own options in its help, the global ones behind them, examples as they are."""

    verb: Verb
    own: Sequence[_click.Parameter] = ()

    def format_options(self, ctx: _click.Context, formatter: _click.HelpFormatter) -> None:
        """The options of the verb, then a line about the global ones."""
        everything, self.params = self.params, list(self.own)
        try:
            super().format_options(ctx, formatter)
        finally:
            self.params = everything

    def format_epilog(self, ctx: _click.Context, formatter: _click.HelpFormatter) -> None:
        """Examples, the impact, and where the global options are told."""
        for title, line in _closing(self.verb):
            formatter.write(f"\n{title}: {line}\n")


def _closing(verb: Verb) -> list[tuple[str, str]]:
    title = "Example" if len(verb.examples) == 1 else "Examples"
    examples = [(title, "\n  ".join(["", *verb.examples]))] if verb.examples else []
    meaning = {
        "read": "changes nothing",
        "write": "changes settings or devices, is guarded and journalled",
        "danger": "changes many devices or cannot be undone, is guarded and journalled",
    }
    return [
        *examples,
        ("Impact", f"{verb.impact}, {meaning[verb.impact]}"),
        ("Global options", "dsmilctl --help (-C, -o, --fields, --jq, --read-only, --timeout, …)"),
    ]


class NounGroup(TyperGroup):
    """A noun: builds the verb that is asked for and no other."""

    noun: Noun

    def list_commands(self, ctx: _click.Context) -> list[str]:
        """The verbs in the order of the module."""
        return list(self.noun.verbs)

    def get_command(self, ctx: _click.Context, cmd_name: str) -> _click.Command | None:
        """One verb, built now."""
        verb = self.noun.verbs.get(cmd_name)
        return build_verb(verb) if verb else None

    def format_commands(self, ctx: _click.Context, formatter: _click.HelpFormatter) -> None:
        """The verbs with their first sentences; none of them is built for it."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.summary) for name, verb in self.noun.verbs.items()])


class RootGroup(TyperGroup):
    """The root: loads the module of the noun that is asked for and no other."""

    def list_commands(self, ctx: _click.Context) -> list[str]:
        """The nouns in the order of the help page."""
        return list(NOUNS)

    def get_command(self, ctx: _click.Context, cmd_name: str) -> _click.Command | None:
        """One noun."""
        return build_noun(noun(cmd_name)) if cmd_name in NOUNS else None

    def _main_shell_completion(self, *given: Any, **named: Any) -> None:
        """Nothing: completion scripts are static and never start this program."""

    def format_help(self, ctx: _click.Context, formatter: _click.HelpFormatter) -> None:
        """The page that needs no parsing."""
        formatter.write(root_help())


def build_verb(verb: Verb) -> VerbCommand:
    """A verb as a command, with the global options behind its own."""
    info = CommandInfo(
        name=verb.name, cls=VerbCommand, callback=verb.function, help=verb.text, context_settings=HELP_NAMES
    )
    command = get_command_from_info(info, pretty_exceptions_short=False, rich_markup_mode=None)
    assert isinstance(command, VerbCommand)
    command.verb = verb
    command.own = [*command.params]
    taken = {name for parameter in command.params for name in parameter.opts}
    command.params.extend(item for item in global_options() if not taken & set(item.opts))
    return command


def build_noun(found: Noun) -> _click.Command:
    """A noun as a group of verbs, or as its one command."""
    if "" in found.verbs:
        command = build_verb(found.verbs[""])
        command.name = found.name
        return command
    group = NounGroup(
        name=found.name,
        help=f"{found.summary[0].upper()}{found.summary[1:]}.",
        params=global_options(),
        no_args_is_help=True,
        context_settings=HELP_NAMES,
        rich_markup_mode=None,
        subcommand_metavar="VERB [TARGETS] [OPTIONS]",
    )
    group.noun = found
    return group


def build_root() -> RootGroup:
    """The whole command tree; nothing below the root is built yet."""
    return RootGroup(
        name="dsmilctl",
        params=global_options(),
        no_args_is_help=True,
        context_settings=HELP_NAMES,
        rich_markup_mode=None,
    )


_OPTIONS: list[TyperOption] = []


def global_options() -> list[TyperOption]:
    """The options that every command takes; made once, their values go into the context's object."""
    if not _OPTIONS:
        _OPTIONS.extend(
            [
                _option("-C", "--context", metavar="NAME", help="the context to work on"),
                _option(
                    "-o",
                    "--output-format",
                    "output",
                    metavar="FORMAT",
                    help="table, wide, json, ndjson, csv, plain",
                ),
                _flag("--json", help="the same as -o json"),
                _option("--fields", metavar="A,B", help="only these fields, in this order"),
                _option("--jq", metavar="EXPRESSION", help="a jq program over the JSON document"),
                _flag("--read-only", help="let no change through"),
                _option("--timeout", type=float, metavar="SECONDS", help="for one attempt on one device"),
                _option("--deadline", type=float, metavar="SECONDS", help="for the whole command"),
                _option("--retry", type=int, metavar="N", help="how often a failed read is tried again"),
                _option("--progress", metavar="MODE", help="auto, json or none"),
                _option("-v", "--verbose", count=True, help="log to stderr; -vv for every detail"),
                _option("--log-file", metavar="FILE", help="log to a file"),
                _option("--log-format", metavar="FORMAT", help="text or json"),
                _flag("--debug", help="tracebacks, and the log of every detail"),
            ]
        )
    return list(_OPTIONS)


def _option(*names: str, **properties: Any) -> TyperOption:
    return TyperOption(param_decls=list(names), expose_value=False, callback=_keep, **properties)


def _flag(*names: str, help: str) -> TyperOption:
    return _option(*names, is_flag=True, default=False, help=help)


def _keep(ctx: _click.Context, parameter: _click.Parameter, value: Any) -> Any:
    given: dict[str, Any] = ctx.ensure_object(dict)
    if value and parameter.name:
        given[parameter.name] = value
    return value


def invoke(arguments: Sequence[str], given: dict[str, Any]) -> int:
    """Parse a command line and call its function; global options go into `given`.

    Raises UsageError or InvalidParameter, with the nearest known name, for a line that is wrong.
    """
    try:
        status = build_root().main(list(arguments), prog_name="dsmilctl", standalone_mode=False, obj=given)
    except _click.exceptions.NoArgsIsHelpError as error:
        from dsmilctl.stdout import flush, write

        write(error.format_message() + "\n")
        flush()
        return 0
    except _click.exceptions.NoSuchOption as error:
        raise _unknown_option(error) from None
    except _click.exceptions.BadParameter as error:
        raise InvalidParameter(_sentence(error), hint=_help_line(error), target=_target(error)) from None
    except _click.exceptions.UsageError as error:
        raise _usage(error, arguments) from None
    return status if isinstance(status, int) else 0


def _unknown_option(error: _click.exceptions.NoSuchOption) -> UsageError:
    known = [name for item in (error.ctx.command.params if error.ctx else ()) for name in item.opts]
    hint = nearest(error.option_name, known) or _help_line(error)
    return UsageError(f"no option {error.option_name}", hint=hint, target=error.option_name)


def _usage(error: _click.exceptions.UsageError, arguments: Sequence[str]) -> UsageError:
    group = error.ctx.command if error.ctx else None
    if isinstance(group, RootGroup | NounGroup) and error.ctx and error.message.startswith("No such command"):
        known = group.list_commands(error.ctx)
        word = next((item for item in arguments if repr(item) in error.message), "")
        kind = "noun" if isinstance(group, RootGroup) else f"verb of {group.name}"
        hint = nearest(word, known) or f"{kind}s: {', '.join(known)}"
        return UsageError(f"no {kind} {word!r}", hint=hint, target=word)
    return UsageError(_sentence(error), hint=_help_line(error))


def _sentence(error: _click.exceptions.UsageError) -> str:
    return error.format_message().rstrip(".").removeprefix("Invalid value for ")


def _target(error: _click.exceptions.BadParameter) -> str:
    return error.param.opts[-1] if error.param else ""


def _help_line(error: _click.exceptions.UsageError) -> str:
    return f"{error.ctx.command_path} --help" if error.ctx else "dsmilctl --help"


def parameters(verb: Verb) -> Sequence[_click.Parameter]:
    """The arguments and options of a verb, without the global ones; for help, man pages and completion."""
    return build_verb(verb).own


def tree() -> Mapping[str, Noun]:
    """The whole command tree, for generators."""
    return {found.name: found for found in nouns()}
