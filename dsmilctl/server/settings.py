"""Settings of a server: a file of few lines, read strictly, every mistake with its line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from dsmilctl.config.private import read_private
from dsmilctl.config.yaml_document import read_mapping
from dsmilctl.errors import ConfigError, nearest
from dsmilctl.server.assembly import ServerOptions
from dsmilctl.server.gateway import Limits

LARGEST = 1 << 16
Seconds = Annotated[float, Meta(ge=1, le=366 * 86400)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a server can be told beside its policy.

    `token_seconds` is the life of an access token, `session_seconds` that of a session without a request;
    `lockout_failures` wrong logins in a row lock a name for `lockout_seconds`; an approval is good for
    `approval_seconds`; `bulk_devices` is the longest bulk, `clients` how many may listen at once,
    `clients_per_account` how many of them for one account (0: a quarter), `logins_per_minute` how many logins
    from one address may fail (0: any number), `heartbeat_seconds` how long a client that sends heartbeats may
    be silent; a register with limits that nobody reads is read every `alarm_watch_seconds` (0: never) for its
    alarms; `signing_key` is a file with an Ed25519 key in PEM, private to the server's user: tokens are
    signed with EdDSA then.
    """

    version: Literal[1] = 1
    token_seconds: Seconds = 3600.0
    session_seconds: Seconds = 3600.0
    lockout_failures: Count = 3
    lockout_seconds: Seconds = 1800.0
    approval_seconds: Seconds = 900.0
    bulk_devices: Count = 84
    clients: Count = 1000
    clients_per_account: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    logins_per_minute: Annotated[int, Meta(ge=0, le=1_000_000)] = 30
    heartbeat_seconds: Seconds = 60.0
    alarm_watch_seconds: Annotated[float, Meta(ge=0, le=86400)] = 5.0
    signing_key: str = ""

    def options(self, beside: Path) -> ServerOptions:
        """What a server is assembled with; the key's path is relative to the folder `beside`."""
        key = b"" if not self.signing_key else _key(beside / self.signing_key)
        return ServerOptions(
            limits=Limits(
                bulk_operation_max_devices=self.bulk_devices,
                max_clients=self.clients,
                clients_per_account=self.clients_per_account,
                logins_per_minute=self.logins_per_minute,
                heartbeat=self.heartbeat_seconds,
                alarm_watch=self.alarm_watch_seconds,
            ),
            token_lifetime=int(self.token_seconds),
            session_idle=self.session_seconds,
            lockout_threshold=self.lockout_failures,
            lockout_seconds=self.lockout_seconds,
            signing_key=key,
        )


def read_settings(path: Path) -> ServerSettings:
    """The settings in a file; raises ConfigError that names file, line and column."""
    try:
        content = path.read_bytes()[: LARGEST + 1]
    except OSError as error:
        hint = "without --settings the server has its defaults"
        raise ConfigError(f"{path}: {error.strerror}", hint=hint, target="--settings") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: larger than {LARGEST:,} bytes", target=str(path))
    text = read_mapping(path, content, "a file of settings")
    known = ServerSettings.__struct_fields__
    for name, value in text.data.items():
        place = "{}:{}:{}".format(path, *text.place((name,)))
        if name not in known:
            hint = nearest(name, known) or f"keys: {', '.join(known)}"
            raise ConfigError(f"{place}: no key {name!r}", hint=hint, target=name)
        try:
            msgspec.convert({name: value}, ServerSettings)
        except msgspec.ValidationError as error:
            what = str(error).partition(" - at ")[0]
            raise ConfigError(f"{place}: {name}: {what}", target=name) from None
    return msgspec.convert(text.data, ServerSettings)


def _key(path: Path) -> bytes:
    content = read_private(path, LARGEST)
    if content is None:
        raise ConfigError(f"{path}: no such file", hint=KEY_HINT.format(path=path), target="signing_key")
    return content


KEY_HINT = "openssl genpkey -algorithm ed25519 -out {path}"
