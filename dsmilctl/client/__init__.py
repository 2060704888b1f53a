"""Clients: the one way in for every face, the same interface over drivers here and over a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsmilctl.client.connecting import connect as connect
    from dsmilctl.client.interface import Client as Client

__all__ = ["Client", "connect"]


def __getattr__(name: str) -> Any:
    if name == "connect":
        from dsmilctl.client.connecting import connect

        return connect
    if name == "Client":
        from dsmilctl.client.interface import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
