"""Targets: the selectors of a command line, also a list on stdin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from dsmilctl import diagnostics
from dsmilctl.client.interface import Client
from dsmilctl.commands.values import LARGEST, standard_input
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.device import Device
from dsmilctl.model.selector import EVERYTHING, Selector, parse_selector


def _named(text: str) -> str:
    """The selector as it is; an empty one, of a variable that nobody has set, must not mean everything."""
    if not text.strip():
        message = "the selector is empty: perhaps a variable that is not set"
        raise InvalidParameter(message, hint="@all is every device of the context", target="SEL")
    return text


Targets = Annotated[
    str,
    typer.Argument(
        metavar="SEL",
        help="devices: 0x8000, 0x8000-0x800F, 'boiler-*', @group, risk=HIGH, - (stdin)",
        callback=_named,
    ),
]
OptionalTargets = Annotated[
    str,
    typer.Argument(metavar="[SEL]", help="devices: 0x8000, @group, …; without it all of them"),
]
OneDevice = Annotated[
    str, typer.Argument(metavar="DEV", help="one device: 0x8000, 32768 or its name", callback=_named)
]
Registers = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REGISTER]...", help="registers; without one each device's default"),
]
Justification = Annotated[str, typer.Option(metavar="TEXT", help="why; the policy may ask for it")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="go through every check, change nothing")]
Record = Annotated[bool, typer.Option("--record", help="keep readings: `record query` asks for them")]
RecordInterval = Annotated[str, typer.Option(metavar="DURATION", help="from one kept reading to the next")]
Offset = Annotated[int, typer.Option(metavar="N", min=0, help="leave out so many of the newest")]
Approval = Annotated[str, typer.Option(metavar="ID", help="a second person's approval, given on a server")]


def selector_of(text: str) -> Selector:
    """The selector that a command line means: nothing is everything, `-` is a list on stdin."""
    return parse_selector(spelled_out(text)) if text else EVERYTHING


def spelled_out(text: str) -> str:
    """The selector as text, with the list on stdin in the place of `-`."""
    if text != "-":
        return text
    words = standard_input(LARGEST).decode("utf-8", "replace").replace(",", " ").split()
    if not words:
        raise InvalidParameter("no device on stdin", hint="one device per line", target="-")
    return ",".join(words)


async def one_device(client: Client, text: str) -> Device:
    """The one device that is named; raises InvalidParameter where a selector names several."""
    found = await client.devices(selector_of(text), quarantined=True)
    if len(found) != 1:
        hint = "name one device; for many there are `device read`, `bulk write` and `bulk run`"
        raise InvalidParameter(f"{text} names {len(found)} devices, not one", hint=hint, target=text)
    return found[0]


def tell_rest(shown: int, offset: int, total: int, what: str) -> None:
    """Say on a terminal which part of a list was shown, where it was not all."""
    if shown < total:
        more = f"; --offset {offset + shown} shows older ones" if offset + shown < total else ""
        diagnostics.say(f"{shown} of {total} {what}{more}")


def noted(client: Client, devices: Sequence[Device]) -> Sequence[Device]:
    """The same devices, kept for TAB where the whole fleet was listed."""
    from dsmilctl.config.completion import CompletionWords
    from dsmilctl.config.paths import paths

    CompletionWords(paths().completion_cache).keep_fleet(client.context.name, devices)
    return devices
