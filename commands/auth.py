"""`dsmilctl auth`: who one is to the server of a context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from dsmilctl.client.interface import Client
from dsmilctl.commands.id_ranges import id_ranges
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.login import Credentials, credentials_of
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.runner import Result, run
from dsmilctl.config.contexts import find_context
from dsmilctl.errors import AuthenticationError, ConfigError, DSMILError, MfaRequired, UsageError
from dsmilctl.model.device import show_id
from dsmilctl.tables import Column

if TYPE_CHECKING:
    from dsmilctl.client.remote.client import DSMILClient
    from dsmilctl.client.remote.keeping import LoginStore
    from dsmilctl.client.remote.results import AuthResult

app = Noun("auth")
LOGIN_COLUMNS = (
    Column(
        "authorized_devices",
        text=lambda row: (
            "all" if row["authorized_devices"] is None else id_ranges(row["authorized_devices"]) or "none"
        ),
    ),
)
"""How a login is shown to people; a document has null for all devices."""

SESSION_COLUMNS = (
    Column("current", "", text=lambda row: "*" if row["current"] else ""),
    Column("session_id"),
    Column("client_type"),
    Column("client_version"),
    Column("address"),
    Column("created_at"),
    Column("last_activity"),
)


@app.command(impact="write")
def login(
    user: Annotated[str, typer.Argument(metavar="[USER]", help="who; asked for where it is missing")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="the password is a line on stdin")
    ] = False,
    mfa: Annotated[str, typer.Option(metavar="CODE", help="the six digits of an authenticator")] = "",
    cert: Annotated[str, typer.Option(metavar="FILE", help="log in by certificate: .p12 or .pem")] = "",
    service_token_file: Annotated[
        str, typer.Option(metavar="FILE", help="log in by the token of a service account; - is stdin")
    ] = "",
) -> None:
    """Log in to the server of the context.  A password is asked for or read from stdin, never an option.

    The login is kept in a file that only you can read, renewed when it ends, and forgotten by `auth logout`.

    Example: dsmilctl -C plant auth login ada
    Example: dsmilctl -C plant auth login ada --password-stdin --mfa 123456 < password
    Example: dsmilctl -C plant auth login --cert ada.p12
    """
    store = _store()
    credentials = credentials_of(user, password_stdin, mfa, cert, service_token_file)
    try:
        run(log_in, (credentials, store), schema="auth.login/1", columns=LOGIN_COLUMNS)
    except MfaRequired:
        if credentials.code:
            raise
        run(log_in, (credentials.with_code(), store), schema="auth.login/1", columns=LOGIN_COLUMNS)


async def log_in(client: Client, options: tuple[Credentials, LoginStore]) -> dict[str, Any]:
    """The login of whoever came in."""
    credentials, store = options
    remote = _remote(client)
    kept, found = store.load(), await _tried(remote, credentials)
    found.raise_for_status()
    now = store.load()
    if now is None or now == kept:
        raise ConfigError("logged in, but the login cannot be kept", hint="dsmilctl doctor")
    store.keep_service_token(credentials.service_token)
    return _row(client, store)


async def _tried(remote: DSMILClient, credentials: Credentials) -> AuthResult:
    """What came of the login."""
    if credentials.service_token:
        return await remote.authenticate_token(credentials.service_token)
    if credentials.certificate:
        if remote.config.base_url.startswith("http:"):
            raise UsageError("a certificate proves nothing without TLS", hint="an https:// context")
        return await remote.authenticate_certificate(credentials.certificate, credentials.password or None)
    user, password = credentials.user, credentials.password
    if credentials.code:
        return await remote.authenticate_mfa(user, password, credentials.code, "cli")
    return await remote.authenticate(user, password, "cli")


@app.command(impact="write")
def logout(
    session: Annotated[
        str, typer.Option(metavar="ID", help="end this session of yours instead: auth sessions lists them")
    ] = "",
) -> None:
    """End the session at the server and forget the login here, also where the server is not reached.

    Example: dsmilctl -C plant auth logout
    """
    run(log_out, (session, _store()), schema="auth.logout/1")


async def log_out(client: Client, options: tuple[str, LoginStore]) -> dict[str, Any]:
    """What was ended, here and at the server; an error of the server is told, and the login gone."""
    session, store = options
    remote, problem = _remote(client), ""
    if not session and store.load() is None:
        return {"context": client.context.name, "logged_out": False, "session_ended": False, "problem": None}
    try:
        await remote.logout(session)
    except DSMILError as error:
        if session:
            raise
        problem = "" if isinstance(error, AuthenticationError) else error.message
    forgotten = False if session else store.forget()
    if not session:
        store.keep_service_token("")
    return {
        "context": client.context.name,
        "logged_out": forgotten,
        "session_ended": not problem,
        "problem": problem or None,
    }


@app.command(impact="read")
def status() -> None:
    """Show the login that is kept for the context; asks no server.

    Example: dsmilctl -C plant auth status -o json
    """
    run(show_status, None, schema="auth.status/1", columns=LOGIN_COLUMNS)


async def show_status(client: Client, options: None) -> dict[str, Any]:
    """Who is logged in, until when, and how; on a context of this machine the user of the process."""
    del options
    if client.context.kind != "remote":
        return _local_row(client)
    store = _store()
    if store.load() is None and not client.identity.user:
        hint = f"dsmilctl -C {client.context.name} auth login"
        raise AuthenticationError(f"not logged in to {client.context.target}", hint=hint)
    return _row(client, store)


@app.command(impact="read")
def whoami() -> None:
    """Ask the server who one is to it, and what one may do.

    Example: dsmilctl -C plant auth whoami
    """
    run(show_whoami, None, schema="auth.whoami/1", columns=LOGIN_COLUMNS)


async def show_whoami(client: Client, options: None) -> dict[str, Any]:
    """The server's own answer; on a context of this machine the user of the process."""
    del options
    if client.context.kind != "remote":
        return _local_row(client) | {"permissions": await client.permissions()}
    found = await _remote(client).whoami()
    devices = None if found.all_devices else [show_id(item) for item in found.authorized_devices]
    return {
        "user": found.username,
        "clearance": found.clearance_level,
        "authorized_devices": devices,
        "permissions": await client.permissions(),
        "compartments": found.compartment_access,
        "source": client.context.target,
    }


@app.command(impact="write")
def refresh() -> None:
    """Renew the login now.

    Example: dsmilctl -C plant auth refresh
    """
    run(renew, _store(), schema="auth.refresh/1", columns=LOGIN_COLUMNS)


async def renew(client: Client, store: LoginStore) -> dict[str, Any]:
    """The login after its renewal."""
    await _remote(client).refresh_login()
    return _row(client, store)


@app.command(impact="read")
def sessions() -> None:
    """List one's own sessions at the server.

    Example: dsmilctl -C plant auth sessions
    """
    _store()
    run(show_sessions, None, schema="auth.sessions/1", columns=SESSION_COLUMNS)


async def show_sessions(client: Client, options: None) -> Result:
    """Every open session of this user."""
    del options
    found = await _remote(client).get_sessions()
    return Result([msgspec.to_builtins(session) for session in found])


@app.command(impact="read")
def token() -> None:
    """Print the access token, renewed if need be, for another program.  Whoever has it is you.

    Example: dsmilctl -C plant auth token --jq .data.token
    """
    store = _store()
    run(show_token, store, schema="auth.token/1")


async def show_token(client: Client, store: LoginStore) -> dict[str, Any]:
    """The access token and its end."""
    found = await _remote(client).access_token()
    return {"token": found, "expires_at": _row(client, store)["expires_at"]}


def _store() -> LoginStore:
    """Where the login of the context is kept; raises UsageError for a context of this machine."""
    from dsmilctl.client.remote.opening import login_store

    chosen = invocation()
    return login_store(find_context(chosen.context), chosen.settings)


def _remote(client: Client) -> DSMILClient:
    from dsmilctl.client.remote.client import DSMILClient

    assert isinstance(client, DSMILClient), "a context with a server has a remote client"
    return client


def _local_row(client: Client) -> dict[str, Any]:
    identity = client.identity
    return {
        "user": identity.user,
        "clearance": identity.clearance.name,
        "expires_at": None,
        "authorized_devices": None,
        "source": identity.source,
    }


def _row(client: Client, store: LoginStore) -> dict[str, Any]:
    """The login as every verb shows it."""
    from dsmilctl.clock import rfc3339

    kept, identity = store.load(), client.identity
    devices = None if identity.devices is None else sorted(map(show_id, identity.devices))
    return {
        "user": identity.user,
        "clearance": identity.clearance.name,
        "expires_at": rfc3339(kept.expires_at) if kept else None,
        "authorized_devices": devices,
        "source": kept.source if kept else "environment",
    }
