"""ClientConfig: where the server is, who one is there, and how patient the client is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from dsmilctl import __version__
from dsmilctl.errors import ConfigError, nearest

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "authentication": ("username", "password", "service_token", "client_cert_path", "client_cert_password"),
    "connection": ("timeout", "max_retries", "verify_ssl", "ca_path", "user_agent", "max_response_bytes"),
    "performance": ("max_connections", "enable_compression", "cache_ttl", "cache_size"),
}
TOP = ("base_url", "api_version")
VARIABLES: Mapping[str, str] = {
    "DSMIL_BASE_URL": "base_url",
    "DSMIL_API_VERSION": "api_version",
    "DSMIL_USERNAME": "username",
    "DSMIL_PASSWORD": "password",
    "DSMIL_SERVICE_TOKEN": "service_token",
    "DSMIL_CLIENT_CERT": "client_cert_path",
    "DSMIL_CLIENT_CERT_PASSWORD": "client_cert_password",
    "DSMIL_CA": "ca_path",
    "DSMIL_VERIFY_SSL": "verify_ssl",
    "DSMIL_TIMEOUT": "timeout",
    "DSMIL_MAX_RETRIES": "max_retries",
    "DSMIL_MAX_CONNECTIONS": "max_connections",
    "DSMIL_ENABLE_COMPRESSION": "enable_compression",
    "DSMIL_CACHE_TTL": "cache_ttl",
}
"""Environment variable → setting."""

VERSIONS = ("1.0", "2.0")
_HIDDEN = ("password", "service_token", "client_cert_password")


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a client reaches its server.

    `timeout` is the whole time in seconds that a request may take, repetitions included; `cache_ttl` 0 keeps
    no readings; `max_response_bytes` is what an answer may have after decompression; `ca_path` names further
    authorities; `username` and `password` (or `service_token`, or a client certificate) let the client log
    in by itself at its first request.
    """

    base_url: str = "https://localhost:8443"
    api_version: str = "2.0"
    timeout: float = 30.0
    max_retries: int = 3
    verify_ssl: bool = True
    client_cert_path: str | None = None
    client_cert_password: str | None = None
    ca_path: str | None = None
    user_agent: str = f"dsmilctl/{__version__}"
    username: str = ""
    password: str = ""
    service_token: str = ""
    max_connections: int = 20
    enable_compression: bool = False
    cache_ttl: float = 0.0
    cache_size: int = 1000
    max_response_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            _fail("base_url", f"{self.base_url!r} is no address", "https://host:port")
        if parts.username is not None:
            _fail("base_url", "credentials do not belong into an address", "use username and password")
        if self.api_version not in VERSIONS:
            _fail("api_version", f"{self.api_version!r} is not spoken here", f"one of {', '.join(VERSIONS)}")
        for name, least in (("timeout", 0.001), ("max_connections", 1), ("max_retries", 0), ("cache_ttl", 0)):
            if not least <= getattr(self, name) < float("inf"):
                _fail(name, f"{getattr(self, name)} is out of range", f"at least {least}")

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown |= {name: "***" for name in _HIDDEN if shown[name]}
        return f"ClientConfig({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **given: Any) -> ClientConfig:
        """The configuration that the `DSMIL_*` variables make; arguments win.  Raises ConfigError."""
        variables = os.environ if environment is None else environment
        found: dict[str, Any] = {
            name: variables[variable] for variable, name in VARIABLES.items() if variables.get(variable)
        }
        origin = {name: variable for variable, name in VARIABLES.items()}
        return _convert(cls, {**found, **given}, origin)

    @classmethod
    def from_file(cls, path: str | Path) -> ClientConfig:
        """The configuration in a YAML file with the sections authentication, connection and performance.

        Raises ConfigError that names the file and the key that is wrong.
        """
        import yaml

        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}", target=str(path)) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            message = f"{path} is no YAML: {' '.join(str(error).split())}"
            raise ConfigError(message, target=str(path)) from None
        try:
            return cls.from_mapping({} if content is None else content)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error.message}", hint=error.hint, target=error.target) from None

    @classmethod
    def from_mapping(cls, content: Any) -> ClientConfig:
        """The configuration in nested settings; raises ConfigError for a key that is not known."""
        if not isinstance(content, Mapping):
            raise ConfigError("the configuration is no mapping", hint="base_url: https://host")
        found: dict[str, Any] = {}
        for name, value in content.items():
            if name in SECTIONS:
                found |= _section(name, value)
            elif name in TOP:
                found[name] = value
            else:
                raise _unknown(str(name), (*TOP, *SECTIONS))
        return _convert(cls, found, {})


DSMILConfig = ClientConfig
"""The other name of the same thing in the SDK specification."""


def _section(section: str, values: Any) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise ConfigError(f"{section} is no mapping", target=section)
    for name in values:
        if name not in SECTIONS[section]:
            raise _unknown(f"{section}.{name}", [f"{section}.{known}" for known in SECTIONS[section]])
    return dict(values)


def _unknown(name: str, known: tuple[str, ...] | list[str]) -> ConfigError:
    hint = nearest(name, known) or f"known: {', '.join(known)}"
    return ConfigError(f"unknown key {name}", hint=hint, target=name)


def config_of(given: Mapping[str, Any]) -> ClientConfig:
    """The configuration of arguments; raises ConfigError for a name that is not known."""
    return _convert(ClientConfig, given, {})


def _convert(kind: type[ClientConfig], found: Mapping[str, Any], origin: Mapping[str, str]) -> ClientConfig:
    known = kind.__struct_fields__
    for name in found:
        if name not in known:
            raise _unknown(name, known)
    values = {name: _truth(value) if name in ("verify_ssl", "enable_compression") else value
              for name, value in found.items()}  # fmt: skip
    for name, value in values.items():
        annotation = kind.__annotations__[name]
        if annotation.startswith("str") and value is not None and not isinstance(value, bool):
            values[name] = str(value)
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("$.")[2].rstrip("`")
        place = origin.get(name, name)
        raise ConfigError(f"{place}: {error}", target=place) from None


def _truth(value: Any) -> Any:
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    return words.get(value.strip().casefold(), value) if isinstance(value, str) else value


def _fail(name: str, message: str, hint: str) -> None:
    raise ConfigError(f"{name}: {message}", hint=hint, target=name)
