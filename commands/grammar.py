"""Grammar: nouns and verbs as Typer commands, each built only when it is asked for.

The only file that touches Typer's private parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from typer import _click
from typer._click.parser import _Option, _OptionParser, _ParsingState
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.exceptions import Exit
from typer.main import get_command_from_info
from typer.models import CommandInfo

from dsmilctl.cli import NOUNS, root_help, version_line
from dsmilctl.commands.help_page import fitting, noun_page, verb_page
from dsmilctl.commands.nouns import Noun, Verb, noun
from dsmilctl.commands.times import duration
from dsmilctl.commands.usage import entry_of, usage_of
from dsmilctl.errors import InvalidParameter, ReadOnly, UsageError, nearest
from dsmilctl.stdout import flush, terminal_width, write

HELP_NAMES = {"help_option_names": ["-h", "--help"]}
WITHOUT_VALUE = {"--watch": "1"}
"""What an option means when it is given without its value."""

_NEGATIVE = re.compile(r"-(\d|\.\d).*")
_LENGTH = re.compile(r"\d*\.?\d+(ms|s|m|h|d)?")


class Parser(_OptionParser):
    """Takes negative numbers for values, and knows options whose value may be left out."""

    _with_equals = False
    """Whether the option that is being read stands with its value: `--watch=2`."""

    def _process_opts(self, arg: str, state: _ParsingState) -> None:
        if _NEGATIVE.fullmatch(arg) and self.allow_interspersed_args:
            state.largs.append(arg)
        else:
            super()._process_opts(arg, state)

    def _match_long_opt(self, opt: str, explicit_value: str | None, state: _ParsingState) -> None:
        self._with_equals = explicit_value is not None
        super()._match_long_opt(opt, explicit_value, state)

    def _get_value_from_state(self, option_name: str, option: _Option, state: _ParsingState) -> Any:
        meant = WITHOUT_VALUE.get(option_name)
        if meant and not self._with_equals and not (state.rargs and _LENGTH.fullmatch(state.rargs[0])):
            return meant
        return super()._get_value_from_state(option_name, option, state)


class VerbCommand(TyperCommand):
    """A verb: its own options in its help, the global ones behind them, examples as they are."""

    verb: Verb
    own: Sequence[_click.Parameter] = ()

    def make_parser(self, ctx: _click.Context) -> _OptionParser:
        """The parser of the verb's line."""
        parser = Parser(ctx)
        for parameter in self.get_params(ctx):
            parameter.add_to_parser(parser, ctx)
        return parser

    def parse_args(self, ctx: _click.Context, args: list[str]) -> list[str]:
        """Read the line, of which what stands behind `--` may be another program's."""
        if self.verb.takes_program and "--" in args:
            place = args.index("--")
            args = [*args[:place], *(f"--program={word}" for word in args[place + 1 :])]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: _click.Context) -> Any:
        """Call the verb's function; raises ReadOnly where `--read-only` forbids it."""
        given: dict[str, Any] = ctx.ensure_object(dict)
        given["harmless"] = self.verb.harmless
        if given.get("read_only") and self.verb.impact != "read" and not self.verb.never_refused:
            hint = "leave --read-only out to let it through"
            raise ReadOnly(f"{ctx.command_path} changes something", hint=hint, target="--read-only")
        return super().invoke(ctx)

    def get_help_option(self, ctx: _click.Context) -> TyperOption:
        """The option that shows the page."""
        return HELP

    def get_help(self, ctx: _click.Context) -> str:
        """The page of the verb."""
        entries: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for parameter in [*(item for item in self.own if not getattr(item, "hidden", False)), HELP]:
            entries[parameter.param_type_name].append(entry_of(parameter))
        return verb_page(
            usage=f"{ctx.command_path} {usage_of(self.verb, self.own)}",
            text=self.verb.text,
            arguments=entries["argument"],
            options=entries["option"],
            examples=self.verb.examples,
            impact=self.verb.deed,
            width=fitting(terminal_width()),
        )


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

    def get_help_option(self, ctx: _click.Context) -> TyperOption:
        """The option that shows the page."""
        return HELP

    def get_help(self, ctx: _click.Context) -> str:
        """The verbs with their first sentences; none of them is built for it."""
        verbs = [(name, verb.summary) for name, verb in self.noun.verbs.items()]
        return noun_page(self.noun.name, self.noun.summary, verbs, fitting(terminal_width()))


class RootGroup(TyperGroup):
    """The root: loads the module of the noun that is asked for and no other."""

    def list_commands(self, ctx: _click.Context) -> list[str]:
        """The nouns in the order of the help page."""
        return list(NOUNS)

    def get_command(self, ctx: _click.Context, cmd_name: str) -> _click.Command | None:
        """One noun."""
        return build_noun(noun(cmd_name)) if cmd_name in NOUNS else None

    def get_help_option(self, ctx: _click.Context) -> TyperOption:
        """The option that shows the page."""
        return HELP

    def get_help(self, ctx: _click.Context) -> str:
        """The page that needs no parsing."""
        return root_help()


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
        params=global_options(),
        no_args_is_help=True,
        context_settings=HELP_NAMES,
        rich_markup_mode=None,
    )
    group.noun = found
    return group


def build_root() -> RootGroup:
    """The whole command tree; nothing below the root is built yet."""
    return RootGroup(
        name="dsmilctl",
        params=[*global_options(), VERSION],
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
                _span("--timeout", "for one attempt on one device"),
                _span("--deadline", "for the whole command"),
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


def _span(name: str, help: str) -> TyperOption:
    """An option that takes a duration: 500ms, 10s, 2m, or seconds."""
    return TyperOption(
        param_decls=[name], expose_value=False, callback=_keep_span, metavar="DURATION", help=help
    )


def _keep_span(ctx: _click.Context, parameter: TyperOption, value: str | None) -> Any:
    return _keep(ctx, parameter, None if value is None else duration(value))


def _flag(*names: str, help: str) -> TyperOption:
    return _option(*names, is_flag=True, default=False, help=help)


def _keep(ctx: _click.Context, parameter: TyperOption, value: Any) -> Any:
    """Note what was given; `-v` counts on both sides of the noun."""
    given: dict[str, Any] = ctx.ensure_object(dict)
    name = parameter.name or ""
    if parameter.count:
        value = given.get(name, 0) + (value or 0) or None
    if name == "context" and value == "":
        message = "the name of the context is empty: perhaps a variable that is not set"
        raise InvalidParameter(message, hint="dsmilctl context list", target="--context")
    if value is not None and value is not False:
        given[name] = value
    return value


def _answer(text: Callable[[_click.Context], str]) -> Callable[..., Any]:
    """A callback of a flag that is answered with a text, whatever else the line says."""

    def answer(ctx: _click.Context, parameter: _click.Parameter, value: bool) -> bool:
        if value and not ctx.resilient_parsing:
            write(text(ctx))
            flush()
            ctx.exit()
        return value

    return answer


def _answered(*names: str, help: str, text: Callable[[_click.Context], str]) -> TyperOption:
    return TyperOption(
        param_decls=list(names),
        is_flag=True,
        default=False,
        expose_value=False,
        is_eager=True,
        help=help,
        callback=_answer(text),
    )


HELP = _answered("-h", "--help", help="this page", text=lambda ctx: ctx.get_help())
VERSION = _answered("--version", "-V", help="the version", text=lambda ctx: version_line())


def parameters(verb: Verb) -> Sequence[_click.Parameter]:
    """The arguments and options of a verb, without the global ones; for man pages and completion."""
    return build_verb(verb).own


def invoke(arguments: Sequence[str], given: dict[str, Any]) -> int:
    """Parse a command line and call its function; global options go into `given`.

    Raises UsageError or InvalidParameter, with the nearest known name, for a line that is wrong.
    """
    root = build_root()
    try:  # what `root.main` would do, but for its own ways to end
        with root.make_context("dsmilctl", list(arguments), obj=given) as ctx:
            root.invoke(ctx)
    except Exit as ended:
        return ended.exit_code
    except _click.exceptions.NoArgsIsHelpError as error:
        write(error.ctx.get_help() if error.ctx else root_help())
        return 0
    except _click.exceptions.NoSuchOption as error:
        raise _unknown_option(error) from None
    except _click.exceptions.MissingParameter as error:
        raise _missing(error) from None
    except _click.exceptions.BadParameter as error:
        raise InvalidParameter(_sentence(error), hint=_help_line(error), target=_target(error)) from None
    except _click.exceptions.UsageError as error:
        raise _usage(error, arguments) from None
    return 0


def _unknown_option(error: _click.exceptions.NoSuchOption) -> UsageError:
    from dsmilctl.commands.later import later

    command = error.ctx.command_path.partition(" ")[2] if error.ctx else ""
    if promised := later(command, error.option_name):
        return promised
    known = [name for item in (error.ctx.command.params if error.ctx else ()) for name in item.opts]
    hint = nearest(error.option_name, known) or _help_line(error)
    return UsageError(f"no option {error.option_name}", hint=hint, target=error.option_name)


def _missing(error: _click.exceptions.MissingParameter) -> UsageError:
    """A verb without an argument or option that it needs: what is missing, and the whole usage."""
    command = error.ctx.command if error.ctx else None
    name = entry_of(error.param)[0] if error.param is not None else "something"
    hint = _help_line(error)
    if isinstance(command, VerbCommand) and error.ctx:
        hint = f"{error.ctx.command_path} {usage_of(command.verb, command.own)}"
    return UsageError(f"{name} is missing", hint=hint, target=name)


def _usage(error: _click.exceptions.UsageError, arguments: Sequence[str]) -> UsageError:
    from dsmilctl.commands.later import later

    group = error.ctx.command if error.ctx else None
    if not isinstance(group, RootGroup | NounGroup) or not error.ctx:
        return UsageError(_sentence(error), hint=_help_line(error))
    known = group.list_commands(error.ctx)
    kind, kinds = ("noun", "nouns") if isinstance(group, RootGroup) else ("verb", f"verbs of {group.name}")
    everything = f"{kinds}: {', '.join(known)}"
    if error.message.startswith("Missing command"):
        return UsageError(f"a {kind} is missing", hint=everything)
    word = next((item for item in arguments if repr(item) in error.message), "")
    if promised := later(*([word] if kind == "noun" else [str(group.name), word])):
        return promised
    told = f"no noun {word!r}" if kind == "noun" else f"{group.name} has no verb {word!r}"
    return UsageError(told, hint=nearest(word, known) or everything, target=word)


WORDING = (
    (re.compile(r"^Invalid value for '?([^':]*)'?: "), r"\1: "),
    (re.compile(r"^Got unexpected extra arguments? ?\((.*)\)$"), r"too many arguments: \1"),
    (re.compile(r"^Option '(.*)' requires an argument$"), r"\1 needs a value"),
    (re.compile(r"^Option '(.*)' does not take a value$"), r"\1 takes no value"),
    (re.compile(r"is not a valid float(?: range)?$"), "is not a number"),
    (re.compile(r"is not a valid int(?:eger)?(?: range)?$"), "is not a whole number"),
    (re.compile(r"is not in the range x>=(\S+)$"), r"is less than \1"),
    (re.compile(r"is not in the range (\S+)<=x<=(\S+)$"), r"is not between \1 and \2"),
)
"""What Typer says, and how it is said here."""


def _sentence(error: _click.exceptions.UsageError) -> str:
    told = error.format_message().rstrip(".").replace("argument(s)", "argument")
    for pattern, better in WORDING:
        told = pattern.sub(better, told)
    return told


def _target(error: _click.exceptions.BadParameter) -> str:
    return error.param.opts[-1] if error.param else ""


def _help_line(error: _click.exceptions.UsageError) -> str:
    return f"{error.ctx.command_path} --help" if error.ctx else "dsmilctl --help"
