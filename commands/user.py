"""`dsmilctl user`: who may come in to a server, in its private file of users."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmilctl.commands.id_ranges import id_ranges
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.questions import interactive
from dsmilctl.commands.runner import show
from dsmilctl.commands.serving import require_server
from dsmilctl.commands.values import standard_input
from dsmilctl.config.paths import paths
from dsmilctl.errors import ConfirmationRequired, InvalidParameter
from dsmilctl.model.device import DeviceId, show_id
from dsmilctl.tables import Column

if TYPE_CHECKING:
    from dsmilctl.server.identity.users import User, Users

app = Noun("user")
MOST_DEVICES = 100_000
NAME = re.compile(r"[^\s,@*?\[\]=!<>]+")
IDS_HINT = "0x8000, 0x8000-0x803B or boiler-1; leave --devices out for all"
LONGEST_LINE = 4096
USER_COLUMNS = (
    Column("name"),
    Column("clearance"),
    Column("devices", text=lambda row: _devices_text(row["devices"]), flexible=True),
    Column("totp"),
    Column("service_tokens"),
    Column("certificates"),
    Column("disabled"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="the user")]
File = Annotated[
    str, typer.Option("--users", metavar="FILE", help="a server's file of users, instead of your own")
]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="the password is a line on stdin")]


@app.command(impact="write")
def add(
    name: Name,
    clearance: Annotated[str, typer.Option(metavar="LEVEL", help="RESTRICTED to COSMIC")] = "CONFIDENTIAL",
    devices: Annotated[str, typer.Option(metavar="IDS", help="0x8000-0x803B,boiler-1; without it all")] = "",
    compartment: Annotated[list[str] | None, typer.Option(metavar="NAME", help="may be repeated")] = None,
    person: Annotated[
        str, typer.Option(metavar="NAME", help="who has this account, where somebody has several")
    ] = "",
    certificate: Annotated[
        list[str] | None, typer.Option(metavar="CN", help="a client certificate that logs in")
    ] = None,
    service_token: Annotated[
        bool, typer.Option("--service-token", help="make a token that logs in without a password, shown once")
    ] = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="no login by password")] = False,
    password_stdin: PasswordStdin = False,
    users: File = "",
) -> None:
    """Add a user; the password is asked for, or a line on stdin, and never part of the command line.

    Example: dsmilctl user add ada --clearance SECRET --devices 0x8000-0x803B
    Example: dsmilctl user add ada --password-stdin < password
    """
    require_server()
    from dsmilctl.server.identity.passwords import hash_password, new_service_token
    from dsmilctl.server.identity.users import User, check_user

    token, digest = new_service_token() if service_token else ("", "")
    user = User(
        name=name,
        user_id=f"user-{os.urandom(8).hex()}",
        clearance=clearance.upper(),
        devices=ids_of(devices) if devices else None,
        compartments=tuple(compartment or ("DSMIL",)),
        person=person,
        certificates=tuple(certificate or ()),
        service_tokens=(digest,) if digest else (),
    )
    check_user(user)
    secret = "" if no_password else hash_password(new_password(name, stdin=password_stdin))
    file = users_of(users)
    file.add(_with(user, password=secret))
    row = user_row(file.get(name))
    show(row | ({"service_token": token} if token else {}), schema="user.add/1", columns=USER_COLUMNS)


@app.command("list", impact="read")
def list_(users: File = "") -> None:
    """List the users; nothing of what they know is shown.

    Example: dsmilctl user list
    """
    require_server()
    rows = [user_row(user) for user in users_of(users).all()]
    empty = "there is no user: dsmilctl user add NAME" + (f" --users {shlex.quote(users)}" if users else "")
    show(rows, schema="user.list/1", columns=USER_COLUMNS, empty=empty)


@app.command(impact="danger")
def disable(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="let the user in again")] = False,
    users: File = "",
) -> None:
    """Keep a user out, from this moment on: open sessions end with their next request.

    Example: dsmilctl user disable ada
    """
    require_server()
    show(
        user_row(users_of(users).change(name, disabled=not undo)),
        schema="user.disable/1",
        columns=USER_COLUMNS,
    )


@app.command(impact="write")
def passwd(name: Name, password_stdin: PasswordStdin = False, users: File = "") -> None:
    """Give a user another password.

    Example: dsmilctl user passwd ada
    """
    require_server()
    from dsmilctl.server.identity.passwords import hash_password

    file = users_of(users)
    file.get(name)
    hashed = hash_password(new_password(name, stdin=password_stdin))
    show(
        user_row(file.change(name, password=hashed, other_passwords=())),
        schema="user.passwd/1",
        columns=USER_COLUMNS,
    )


@app.command(impact="write")
def totp(
    name: Name,
    off: Annotated[bool, typer.Option("--off", help="ask for no second factor any more")] = False,
    users: File = "",
) -> None:
    """Give a user a new second factor, shown once, for an authenticator app.

    Example: dsmilctl user totp ada
    """
    require_server()
    import pyotp

    file = users_of(users)
    secret = "" if off else pyotp.random_base32()
    row = user_row(file.change(name, totp=secret))
    if secret:
        uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="dsmilctl")
        row |= {"totp_secret": secret, "totp_uri": uri}
    show(row, schema="user.totp/1", columns=USER_COLUMNS)


def users_of(file: str) -> Users:
    """The users in a file, without a name those of the user's own configuration."""
    from dsmilctl.server.identity.users import Users

    return Users(Path(file) if file else paths().users_file)


def user_row(user: User) -> dict[str, Any]:
    """A user without secrets."""
    return {
        "name": user.name,
        "user_id": user.user_id,
        "clearance": user.clearance,
        "devices": "all" if user.devices is None else ",".join(show_id(item) for item in user.devices),
        "compartments": list(user.compartments),
        "person": user.person,
        "password": bool(user.password),
        "totp": bool(user.totp),
        "service_tokens": len(user.service_tokens),
        "certificates": list(user.certificates),
        "disabled": user.disabled,
    }


def _devices_text(devices: str) -> str:
    """The devices of a user in few words."""
    return devices if devices == "all" else id_ranges(filter(None, devices.split(","))) or "none"


def _with(user: User, **fields: Any) -> User:
    import msgspec

    changed: User = msgspec.structs.replace(user, **fields)
    return changed


def new_password(name: str, *, stdin: bool) -> str:
    """A new password, from a person who types it twice, or from stdin; it is shown nowhere."""
    if stdin:
        content = standard_input(LONGEST_LINE)
        if len(content) > LONGEST_LINE:
            raise InvalidParameter("the password is too long", target="--password-stdin")
        try:
            return content.decode().partition("\n")[0].removesuffix("\r")
        except UnicodeDecodeError:
            raise InvalidParameter("the password is not UTF-8", target="--password-stdin") from None
    if not interactive():
        message = "the password has to be typed, and nobody is here"
        raise ConfirmationRequired(message, hint="--password-stdin", target="--password-stdin")
    first = _typed(f"New password of {name}: ")
    if _typed("Once more: ") != first:
        raise InvalidParameter("the two passwords differ: nothing was changed")
    return first


def _typed(question: str) -> str:
    import getpass

    return getpass.getpass(question, sys.stderr)


def ids_of(text: str) -> tuple[DeviceId, ...]:
    """Device ids from a comma list with ranges: `0x8000-0x803B,boiler-1`; raises InvalidParameter."""
    found: list[DeviceId] = []
    for word in filter(None, (item.strip() for item in text.split(","))):
        first, dash, last = word.replace("..", "-").partition("-")
        start, end = number_of(first), number_of(last)
        if start is None or (dash and end is None):
            found.append(_name(word))
            continue
        stop = start if end is None else end
        if not 0 <= stop - start < MOST_DEVICES:
            raise InvalidParameter(f"{word} is no range of devices", hint=IDS_HINT, target="--devices")
        found.extend(range(start, stop + 1))
    return tuple(dict.fromkeys(found))


def _name(word: str) -> str:
    """The name of a device; raises InvalidParameter for what can be none: a pattern, or a mistyped number."""
    if not NAME.fullmatch(word) or word[:2].lower() == "0x":
        raise InvalidParameter(f"{word!r} is no device's id", hint=IDS_HINT, target="--devices")
    return word


def number_of(text: str) -> int | None:
    """The number that a text is, decimal or hexadecimal, or None."""
    try:
        return int(text, 0)
    except ValueError:
        return None
