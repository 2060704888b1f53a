"""Asked: one request as it came, without what only some have to know of it."""

from __future__ import annotations

from typing import Any

from starlette.types import Receive, Scope

from dsmilctl.model.identity import Identity


class Asked:
    """A request: method, path, headers, and what brings its body.

    Of a header that is there twice the first one counts.  `identity` is whose request it turned out to be.
    """

    __slots__ = ("_headers", "identity", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.identity: Identity | None = None
        self._headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))

    def header(self, name: bytes) -> str:
        """A header by its name in small letters; an empty text where it is not there."""
        value = self._headers.get(name)
        return "" if value is None else value.decode("latin-1")

    @property
    def method(self) -> str:
        """GET, POST, …"""
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        """The path, unquoted."""
        return str(self.scope["path"])

    @property
    def address(self) -> str:
        """Where it comes from; an empty text where nobody knows."""
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    @property
    def token(self) -> str:
        """The token of the Authorization header, or an empty text."""
        scheme, _, token = self.header(b"authorization").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def certificate_user(self) -> str:
        """The common name of the client's certificate (mutual TLS), or an empty text.

        Taken from the TLS layer alone; headers that claim one are ignored.
        """
        return str((self.extension("tls") or {}).get("client_cert_name") or "")

    def extension(self, name: str) -> Any:
        """What the server offers beyond ASGI under that name, or None."""
        return self.scope.get("extensions", {}).get(name)
