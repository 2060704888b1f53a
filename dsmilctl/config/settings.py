"""Settings: what a user may set, as commands use it, and the quick way to it.

`dsmilctl.config.schema` is the authority: what every setting means, its unit and its limits.  It costs more
to load than a whole command may take, so its validated result is kept, and where nothing is configured the
defaults below are the result; a test holds them equal to the schema's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from dsmilctl import __version__
from dsmilctl.config import cache
from dsmilctl.config.paths import Paths, paths
from dsmilctl.config.sources import Source, environment, identity, sources
from dsmilctl.errors import ConfigError


class Reconnect(msgspec.Struct, frozen=True):
    """When a failed device is tried again; see the schema."""

    first: float = 0.5
    cap: float = 30.0
    jitter: float = 0.2
    give_up: int = 0


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """How recordings are made and kept; see the schema."""

    interval: float = 1.0
    also: str = ""
    commit_interval: float = 0.1
    segment_readings: int = 1_000_000
    waiting_readings: int = 2_000_000
    journal_interval: float = 1.0
    health_interval: float = 0.5
    host_interval: float = 1.0
    kernel_interval: float = 1.0
    critical_temperature: float = 100.0
    limit_action: str = "stop"
    pre_trigger: float = 30.0
    post_trigger: float = 10.0
    ring_readings: int = 1_000_000
    stop_wait: float = 60.0
    correlation_window: float = 5.0
    response_interval: float = 2.0
    keep_raw: float = 0.0
    keep_seconds: float = 0.0
    keep_minutes: float = 0.0
    keep_hours: float = 0.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force; see the schema for what each one means."""

    context: str = ""
    output: str = "table"
    color: str = "auto"
    timeout: float = 2.0
    deadline: float = 0.0
    retry: int = 0
    concurrency: int = 0
    read_only: bool = False
    stop_deadline: float = 2.0
    keyring: bool = False
    log_level: str = "warning"
    log_levels: dict[str, str] = {}
    log_file: str = ""
    log_format: str = "text"
    refresh: float = 1.0
    theme: str = "dark"
    arm_seconds: float = 60.0
    low_bandwidth: bool = False
    reconnect: Reconnect = Reconnect()
    archive: Archive = Archive()


DEFAULTS = Settings()


def load_settings() -> Settings:
    """The settings in force; raises ConfigError with every error of every source."""
    folders = paths()
    found, variables = sources(folders), environment()
    if not variables and not any(source.exists for source in found):
        return DEFAULTS
    key = _key(found, variables)
    kept = cache.load(folders.settings_cache, found, key, Settings)
    return kept or _validated(folders, found, variables, key)


def settings_despite_errors() -> tuple[Settings, ConfigError | None]:
    """The settings, or the defaults and what is wrong: an emergency stop does not wait for a correct file."""
    try:
        return load_settings(), None
    except ConfigError as error:
        return DEFAULTS, error


def _key(found: list[Source], variables: dict[str, str]) -> str:
    lines = [__version__, *(f"{source.level} {source.path} {source.identity}" for source in found)]
    lines += [f"{name}={value}" for name, value in sorted(variables.items())]
    return "\n".join(lines).encode("utf-8", "backslashreplace").decode()


def _validated(folders: Paths, found: list[Source], variables: dict[str, str], key: str) -> Settings:
    from dsmilctl.config.layers import merged

    settings = merged(found, variables)
    cache.keep(folders.settings_cache, found, key, settings)
    return settings


def origins() -> dict[str, tuple[Any, str]]:
    """Every setting in force with where it comes from.

    The origin is `default`, `/path/config.toml:12` or `environment DSMIL_TIMEOUT`.
    """
    from dsmilctl.config.layers import origins_of

    return origins_of(sources(paths()), environment())


def validate(path: Path | None = None) -> list[str]:
    """Every error of one settings or contexts file, or of everything that is configured.

    Each says file, line, column, what is wrong and what would be right.
    """
    from dsmilctl.config import contexts_file, layers

    contexts = paths().contexts_file
    if path is None:
        problems = layers.problems_of(sources(paths()), environment())
        problems += contexts_file.problems_of(str(contexts)) if identity(str(contexts)) else []
    elif path.name == contexts.name:
        problems = contexts_file.problems_of(str(path))
    else:
        problems = layers.problems_of([Source("user", str(path), "given")], {})
    return [str(problem) for problem in problems]


def set_setting(key: str, value: str, *, project: bool = False) -> Path:
    """Write one setting (`timeout`, `reconnect.cap`) and return the file; comments in it stay.

    The value is text as on a command line.  Raises ConfigError when key or value is wrong, the file has
    errors or cannot be written; then it is as it was before.
    """
    from dsmilctl.config.edit import write_setting

    return write_setting(key, value, project=project)
