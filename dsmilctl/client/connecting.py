"""Connecting: a client on a context, whatever is behind it; only what that takes is loaded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.config.contexts import Context, find_context

if TYPE_CHECKING:
    from dsmilctl.client.interface import Client
    from dsmilctl.config.settings import Settings

    MakeClient = Callable[[], Client]
    """Makes a client, not yet opened."""


def connect(
    context: str = "",
    *,
    read_only: bool = False,
    timeout: float | None = None,
    settings: Settings | None = None,
    clock: Clock = SYSTEM,
    despite_errors: bool = False,
) -> Client:
    """A client on a context, not yet opened; without a name on the current one.

    `read_only` lets no change through, `timeout` is the seconds that one call of a driver, or one request to
    a server, may take.  Raises NotFound for an unknown context and ConfigError for a wrong configuration,
    which `despite_errors` passes over as far as it can: what is wrong is a part that cannot be stopped then.
    """
    return prepare(
        context,
        read_only=read_only,
        timeout=timeout,
        settings=settings,
        clock=clock,
        despite_errors=despite_errors,
    )()


def prepare(
    context: str = "",
    *,
    read_only: bool = False,
    timeout: float | None = None,
    settings: Settings | None = None,
    clock: Clock = SYSTEM,
    despite_errors: bool = False,
) -> MakeClient:
    """What makes clients on a context as it is now, whatever its files say by then; raises as `connect`.

    The login of a remote context is the one that is kept when a client is made.
    """
    found = find_context(context, despite_errors=despite_errors)
    if found.server is not None:
        from dsmilctl.client.remote.opening import open_remote

        chosen = settings or _load_settings()
        return partial(open_remote, found, read_only=read_only, timeout=timeout, settings=chosen, clock=clock)
    if found.kind == "replay":
        return partial(_replay, found)
    from dsmilctl.client.opening import opening

    if found.file:
        found = _of_file(found, despite_errors=despite_errors)
    return opening(found, read_only=read_only, timeout=timeout, settings=settings, clock=clock).client


def _load_settings() -> Settings:
    from dsmilctl.config.settings import load_settings

    return load_settings()


def _replay(found: Context) -> Client:
    """A recording of the user's own archive; raises MissingExtraError."""
    from dsmilctl.archive.extra import require_archive

    require_archive()
    from dsmilctl.archive.places import Places
    from dsmilctl.archive.replay import ReplayClient
    from dsmilctl.client.opening import local_identity
    from dsmilctl.config.paths import paths

    return ReplayClient(Places(paths().archive_folder), found.target, local_identity(), stay=True)


def _of_file(context: Context, *, despite_errors: bool) -> Context:
    """The context over its fleet file; raises ConfigError for one that is wrong."""
    from dsmilctl.client.fleets import fleet_context, legible_context

    read = (legible_context if despite_errors else fleet_context)(Path(context.file))
    return msgspec.structs.replace(
        read, name=context.name, read_only=context.read_only or read.read_only, file=context.file
    )
