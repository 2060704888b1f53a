"""Options of the dsmil driver."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from dsmilctl.errors import ConfigError
from dsmilctl.model.selector import parse_selector

PREFIX = r"^([A-Za-z_][A-Za-z0-9_.-]{0,31})?$"


class DsmilOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which server, who one is there, and which of its devices are part of this fleet.

    `secret` names the account's password, or the token of a service account where `username` is empty: a
    kept secret, `env:VARIABLE` or `file:PATH`.  `certificate` is a client certificate (`.pem` or `.p12`),
    whose password `secret` is then.  `ca` names a further authority.  `devices` is a selector; `prefix`
    stands before each id, so that two servers with the same ids fit into one fleet.  `timeout` is the seconds
    that one request may take, which should be less than the fleet's own.  `justification` is what the other
    server is told where nobody gave one.
    """

    url: str
    username: str = ""
    secret: str = ""
    certificate: str = ""
    ca: str = ""
    devices: str = "@all"
    prefix: Annotated[str, msgspec.Meta(pattern=PREFIX)] = ""
    timeout: Annotated[float, msgspec.Meta(ge=0.05, le=600)] = 1.6
    justification: Annotated[str, msgspec.Meta(min_length=10, max_length=256)] = "asked for at a gateway"

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ConfigError(f"url: {self.url!r} is no address", hint="https://host:port", target="url")
        parse_selector(self.devices)

    @property
    def place(self) -> str:
        """The other server's host and port, however its address is written."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}"

    @property
    def server(self) -> str:
        """The other server's name as messages and journals say it."""
        return urlsplit(self.url).netloc
