"""Discovery of drivers by entry point, in-tree ones too; a driver that cannot load hurts no other one."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import msgspec

from dsmilctl.drivers.contract import API, Driver
from dsmilctl.drivers.entry import EntryPoint
from dsmilctl.drivers.trust import distrust
from dsmilctl.errors import ConfigError, DSMILError, MissingExtraError, NotFound, nearest

__all__ = ["EntryPoint", "Registry"]


class _Cache(msgspec.Struct):
    key: str
    entries: tuple[EntryPoint, ...]


class Registry:
    """The drivers that are installed.

    Asking the installed distributions costs more than everything else in a one-shot command, so the answer
    is kept in `cache`, keyed by the folders on the import path and their times of change.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache
        self._entries: dict[str, EntryPoint] | None = None

    def entries(self) -> dict[str, EntryPoint]:
        """Every driver's entry point by name."""
        if self._entries is None:
            found = self._cached() or self._scan()
            self._entries = {entry.name: entry for entry in found}
        return self._entries

    def load(self, name: str) -> type[Driver]:
        """The driver class of that name; raises NotFound, ConfigError or MissingExtraError with the fix."""
        entries = self.entries()
        if name not in entries:
            hint = nearest(name, entries) or "dsmilctl driver list shows every driver"
            raise NotFound(f"no driver {name!r}", hint=hint, target=name)
        return self._load(entries[name])

    def _load(self, entry: EntryPoint) -> type[Driver]:
        if entry.problem:
            raise ConfigError(entry.problem, hint=_reinstall(entry), target=entry.name)
        module, _, attribute = entry.target.partition(":")
        try:
            reason = "" if entry.ours else distrust(module)
            if reason:
                hint = "make it belong to you or root, and chmod o-w; then look at what it holds"
                raise ConfigError(f"driver {entry.name}: {reason}", hint=hint, target=entry.name)
            driver = getattr(importlib.import_module(module), attribute)
        except ConfigError:
            raise
        except ModuleNotFoundError as error:
            message = f"driver {entry.name} needs the package {error.name}"
            raise MissingExtraError(message, hint=_reinstall(entry), target=entry.name) from error
        except (Exception, SystemExit) as error:  # a stranger's module may do anything; it hurts only itself
            message = f"driver {entry.name} failed to import: {type(error).__name__}: {error}"
            hint = f"report it to the makers of {entry.distribution} {entry.version}"
            raise ConfigError(message, hint=hint, target=entry.name) from error
        return _checked(entry, driver)

    def problem(self, name: str) -> DSMILError | None:
        """Why a driver cannot be loaded, or None."""
        try:
            self.load(name)
        except DSMILError as error:
            return error
        return None

    def _cached(self) -> tuple[EntryPoint, ...] | None:
        if self._cache is None:
            return None
        try:
            kept = msgspec.json.decode(self._cache.read_bytes(), type=_Cache)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None  # no cache, or not ours: scan
        return kept.entries if kept.key == _path_key() else None

    def _scan(self) -> tuple[EntryPoint, ...]:
        from dsmilctl.drivers.installed import scan

        found = scan()
        self._keep(found)
        return found

    def _keep(self, found: tuple[EntryPoint, ...]) -> None:
        if self._cache is None:
            return
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial = self._cache.with_name(f"{self._cache.name}.{os.getpid()}")
            partial.write_bytes(msgspec.json.encode(_Cache(_path_key(), found)))
            partial.replace(self._cache)
        except OSError:
            return  # without a cache every command scans: slower, not wrong


def _checked(entry: EntryPoint, driver: object) -> type[Driver]:
    """The driver, if it is one that this program can use; raises ConfigError or MissingExtraError."""
    report = f"report it to the makers of {entry.distribution} {entry.version}"
    if not (isinstance(driver, type) and issubclass(driver, Driver)):
        message = f"driver {entry.name}: {entry.target} is not a subclass of Driver"
        raise ConfigError(message, hint=report, target=entry.name)
    if driver.api != API:
        message = f"driver {entry.name} speaks contract {driver.api}, this dsmilctl speaks {API}"
        raise ConfigError(message, hint=f"pip install --upgrade {entry.distribution}", target=entry.name)
    if getattr(driver, "name", None) != entry.name:
        message = f"driver {entry.name} calls itself {getattr(driver, 'name', None)!r}"
        raise ConfigError(message, hint=report, target=entry.name)
    for package in driver.required:
        if not _importable(package):
            message = f"driver {entry.name} needs the package {package}"
            raise MissingExtraError(message, hint=_reinstall(entry), target=entry.name)
    return driver


def _reinstall(entry: EntryPoint) -> str:
    if entry.ours:
        return f"pip install 'dsmilctl[{entry.name}]'"
    return f"pip install --force-reinstall {entry.distribution}"


def _importable(package: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False  # not even the package that it would be a part of


def _path_key() -> str:
    parts = [sys.version]
    for folder in sys.path:
        try:
            parts.append(f"{folder}:{Path(folder or '.').stat().st_mtime_ns}")
        except OSError:
            parts.append(folder)
    return "|".join(parts)
