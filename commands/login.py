"""Credentials: what somebody logs in with, asked for on the terminal without being shown."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from dsmilctl import diagnostics, redaction
from dsmilctl.commands.questions import interactive
from dsmilctl.commands.values import file_content, standard_input
from dsmilctl.errors import ConfirmationRequired, InvalidParameter, MfaRequired, UsageError

LONGEST_LINE = 4096


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """One way to log in: a user with a password, a certificate, or the token of a service account."""

    user: str = ""
    password: str = ""
    code: str = ""
    certificate: str = ""
    service_token: str = ""

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, certificate={self.certificate!r})"

    def with_code(self) -> Credentials:
        """The same with the second factor, as somebody types it; raises MfaRequired where nobody is there."""
        code = _hidden(f"Second factor of {self.user}: ").strip() if interactive() else ""
        if not code:
            raise MfaRequired(f"{self.user} needs a second factor", hint="--mfa CODE")
        return msgspec.structs.replace(self, code=code)


def credentials_of(
    user: str, password_stdin: bool, code: str, certificate: str, service_token_file: str
) -> Credentials:
    """The credentials that a command line means; what is missing is asked for.

    Raises UsageError for two ways at once, ConfirmationRequired where a password is needed and nobody is
    there to type it.
    """
    if bool(certificate) + bool(service_token_file) + bool(user) > 1:
        raise UsageError("one way to log in at a time", hint="USER, --cert or --service-token-file")
    if service_token_file:
        token = _line(file_content(service_token_file, LONGEST_LINE), service_token_file)
        redaction.register(token)
        return Credentials(service_token=token)
    if certificate:
        if not Path(certificate).is_file():
            hint = f"looked for it in {Path(certificate).absolute().parent}"
            raise InvalidParameter(f"there is no file {certificate}", hint=hint, target="--cert")
        phrase = _password("Passphrase of the certificate: ", stdin=password_stdin, needed=False)
        return Credentials(certificate=certificate, password=phrase)
    name = user or _name()
    password = _password(f"Password of {name}: ", stdin=password_stdin, needed=True)
    return Credentials(user=name, password=password, code=code.strip())


def _name() -> str:
    if not interactive():
        raise ConfirmationRequired("nobody is here to say who logs in", hint="name the USER", target="USER")
    diagnostics.write("User: ")
    name = sys.stdin.readline().strip()
    if not name:
        raise InvalidParameter("nobody was named", target="USER")
    return name


def _password(question: str, *, stdin: bool, needed: bool) -> str:
    if stdin:
        password = _line(standard_input(LONGEST_LINE), "--password-stdin")
    elif interactive():
        password = _hidden(question)
    elif needed:
        message = "the password has to be typed, and nobody is here"
        raise ConfirmationRequired(message, hint="--password-stdin", target="--password-stdin")
    else:
        return ""
    redaction.register(password)
    return password


def _line(content: bytes, what: str) -> str:
    """The first line of what was read; raises InvalidParameter for one that is none."""
    if len(content) > LONGEST_LINE:
        raise InvalidParameter("the secret is too long", target=what)
    try:
        line = content.decode().partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError:
        raise InvalidParameter("the secret is not UTF-8", target=what) from None
    if not line:
        hint = "it is the first line that is read: printf '%s\\n' \"$SECRET\" | dsmilctl …"
        raise InvalidParameter(
            f"{what}: the first line is empty, so there is no secret", hint=hint, target=what
        )
    return line


def _hidden(question: str) -> str:
    import getpass

    return getpass.getpass(question, sys.stderr)
