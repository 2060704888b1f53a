"""Opening a remote context: its server, and the login that was kept for it."""

from __future__ import annotations

import os

from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.keeping import LoginStore
from dsmilctl.client.remote.plain import PlainTransport
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.config.contexts import Context, Server
from dsmilctl.config.paths import paths
from dsmilctl.config.settings import Settings, load_settings
from dsmilctl.errors import ConfigError, UsageError

PATIENCE = 30.0
"""Seconds that a request may take where nothing else is said: the server waits for its devices."""


def open_remote(
    context: Context,
    *,
    read_only: bool = False,
    timeout: float | None = None,
    settings: Settings | None = None,
    clock: Clock = SYSTEM,
) -> DSMILClient:
    """A client on the server of a context, with its login; nothing is sent yet.

    `DSMIL_SERVICE_TOKEN`, or `DSMIL_USERNAME` with `DSMIL_PASSWORD`, log in instead of the login that is
    kept.  Raises ConfigError for a kept login that others can read.
    """
    chosen = settings or load_settings()
    server = server_of(context)
    store = login_store(context, chosen, clock)
    given = environment_login()
    service_token = given.get("service_token", "") or ("" if given else store.service_token())
    config = ClientConfig(
        base_url=server.url.rstrip("/"),
        ca_path=server.ca or None,
        verify_ssl=not (server.insecure and server.url.startswith("https:")),
        client_cert_path=server.certificate or None,
        client_cert_password=os.environ.get("DSMIL_CLIENT_CERT_PASSWORD") or None,
        timeout=timeout or PATIENCE,
        username=given.get("username", ""),
        password=given.get("password", ""),
        service_token=service_token,
    )
    forbidden = read_only or context.read_only or chosen.read_only
    client = DSMILClient(
        config=config,
        transport=PlainTransport(config),
        context=context.name,
        read_only=forbidden,
        clock=clock,
    )
    if not given:
        client.remember(store, f"dsmilctl -C {context.name} auth login")
    return client


def login_store(context: Context, settings: Settings, clock: Clock = SYSTEM) -> LoginStore:
    """Where the login of a remote context is kept."""
    return LoginStore(paths(), context.name, server_of(context).url, clock, keyring=settings.keyring)


def server_of(context: Context) -> Server:
    """The server of a context; raises UsageError for one without."""
    if context.server is None:
        message = f"context {context.name} is on this machine: nobody logs in there"
        raise UsageError(message, hint="dsmilctl context add NAME --url https://host:8443")
    return context.server


def environment_login() -> dict[str, str]:
    """The login that the environment holds; raises ConfigError for half of one."""
    if token := os.environ.get("DSMIL_SERVICE_TOKEN"):
        return {"service_token": token}
    username, password = os.environ.get("DSMIL_USERNAME", ""), os.environ.get("DSMIL_PASSWORD", "")
    if password and not username:
        raise ConfigError("DSMIL_PASSWORD without DSMIL_USERNAME", hint="set both, or none")
    return {"username": username, "password": password} if password else {}
