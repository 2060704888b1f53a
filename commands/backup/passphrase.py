"""Passphrase: what opens encrypted backups: from a file, the environment, or a person who types it."""

from __future__ import annotations

import os
import sys

from dsmilctl import redaction
from dsmilctl.commands.questions import interactive
from dsmilctl.commands.values import file_content
from dsmilctl.errors import ConfirmationRequired, InvalidParameter

VARIABLE = "DSMIL_BACKUP_PASSPHRASE"
LONGEST = 4096
SHORTEST = 8
"""Characters of a new passphrase, at the least."""


def passphrase(file: str, *, new: bool) -> str:
    """The passphrase; a new one is typed twice.

    Raises InvalidParameter for one that is empty or, when it is new, too short; ConfirmationRequired where
    nobody is there to type it.
    """
    given = _line(file_content(file, LONGEST), file) if file else os.environ.get(VARIABLE, "")
    found = given if file or given else _typed(new)
    redaction.register(found)
    if len(found) < (SHORTEST if new else 1):
        hint = f"{SHORTEST} characters at the least"
        raise InvalidParameter("the passphrase is too short", hint=hint, target=VARIABLE)
    return found


def _typed(new: bool) -> str:
    import getpass

    if not interactive():
        message = "the passphrase of the backups has to be typed, and nobody is here"
        hint = f"--passphrase-file FILE or {VARIABLE}"
        raise ConfirmationRequired(message, hint=hint, target="--passphrase-file")
    found = getpass.getpass("Passphrase of the backups: ", sys.stderr)
    if new and getpass.getpass("Once more: ", sys.stderr) != found:
        raise InvalidParameter("the two are not the same", target="--passphrase-file")
    return found


def _line(content: bytes, file: str) -> str:
    try:
        return content.decode().partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError:
        raise InvalidParameter(f"{file} is not UTF-8", target=file) from None
