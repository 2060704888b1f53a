"""Discovery of drivers by entry point, in-tree ones too; a driver that cannot load hurts no other one."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import msgspec

from dsmilctl.drivers.contract import API, Driver
from dsmilctl.errors import ConfigError, DSMILError, MissingExtraError, NotFound, nearest

GROUP = "dsmilctl.drivers"


class EntryPoint(msgspec.Struct, frozen=True):
    """Where a driver is: its name, `module:class`, and the distribution that brought it."""

    name: str
    target: str
    distribution: str
    version: str


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
        module, _, attribute = entry.target.partition(":")
        try:
            driver = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            hint = f"pip install 'dsmilctl[{entry.name}]'" if entry.distribution == "dsmilctl" else ""
            hint = hint or f"pip install {error.name}"
            message = f"driver {entry.name} needs the package {error.name}"
            raise MissingExtraError(message, hint=hint, target=entry.name) from error
        except Exception as error:  # a stranger's module may fail with anything; it must hurt only itself
            message = f"driver {entry.name} failed to import: {type(error).__name__}: {error}"
            hint = f"report it to the makers of {entry.distribution} {entry.version}"
            raise ConfigError(message, hint=hint, target=entry.name) from error
        return self._checked(entry, driver)

    def _checked(self, entry: EntryPoint, driver: object) -> type[Driver]:
        if not (isinstance(driver, type) and issubclass(driver, Driver)):
            message = f"driver {entry.name}: {entry.target} is not a subclass of Driver"
            raise ConfigError(
                message, hint=f"report it to the makers of {entry.distribution}", target=entry.name
            )
        if driver.api != API:
            message = f"driver {entry.name} speaks contract {driver.api}, this dsmilctl speaks {API}"
            raise ConfigError(message, hint=f"pip install --upgrade {entry.distribution}", target=entry.name)
        for package in driver.required:
            if not _importable(package):
                message = f"driver {entry.name} needs the package {package}"
                raise MissingExtraError(message, hint=f"pip install {package}", target=entry.name)
        return driver

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
        except (OSError, msgspec.MsgspecError):
            return None  # no cache, or not ours: scan
        return kept.entries if kept.key == _path_key() else None

    def _scan(self) -> tuple[EntryPoint, ...]:
        from importlib.metadata import entry_points

        found = tuple(
            EntryPoint(
                point.name,
                point.value,
                point.dist.name if point.dist else "",
                point.dist.version if point.dist else "",
            )
            for point in entry_points(group=GROUP)
        )
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


def _importable(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def _path_key() -> str:
    parts = [sys.version]
    for folder in sys.path:
        try:
            parts.append(f"{folder}:{Path(folder or '.').stat().st_mtime_ns}")
        except OSError:
            parts.append(folder)
    return "|".join(parts)
