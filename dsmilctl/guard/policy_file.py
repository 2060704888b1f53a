"""The policy file: YAML over a default policy, every mistake with its line and column."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from dsmilctl.errors import ConfigError, StateUnavailable, nearest
from dsmilctl.guard.policy import Policy
from dsmilctl.guard.rates import Bucket
from dsmilctl.model.identity import Clearance

LARGEST = 1 << 20
"""Bytes of a policy that somebody may have written."""

LONGEST_PERIOD = 366 * 86400.0
"""Seconds over which a bucket may be spread."""


def read_policy(path: Path, default: Policy) -> Policy:
    """The policy of a file; what the file does not name is as in `default`.

    Raises ConfigError for what is wrong in it and StateUnavailable when it cannot be read: without a policy
    that is understood nothing may change.
    """
    content = _content(path)
    node, data = _load(path, content)
    _check_keys(path, node)
    try:
        policy = msgspec.convert({**msgspec.to_builtins(default), "name": path.name, **data}, Policy)
    except msgspec.ValidationError as error:
        raise _wrong(path, node, data, error) from error
    _check_levels(path, node, policy)
    _check_numbers(path, node, policy)
    return policy


def _content(path: Path) -> bytes:
    """The bytes of a file; whatever else lies there is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise StateUnavailable(f"{path} is no file", hint="put a policy there", target=str(path))
            content = file.read(LARGEST + 1)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise StateUnavailable(message, hint="make it readable", target=str(path)) from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: larger than {LARGEST:,} bytes", target=str(path))
    return content


def _load(path: Path, content: bytes) -> tuple[yaml.MappingNode, dict[str, Any]]:
    try:
        node = yaml.compose(content, yaml.SafeLoader)
        data = yaml.safe_load(content)
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply", target=str(path)) from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        what = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{where}: not YAML: {what}", target=str(path)) from None
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}: a policy is a mapping", hint="version: 1", target=str(path))
    return node, data


def _check_keys(path: Path, node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        name, known = str(key.value), Policy.__struct_fields__
        if name not in known:
            hint = nearest(name, known) or f"keys: {', '.join(known)}"
            raise ConfigError(f"{_place(path, key)}: no key {name!r}", hint=hint, target=name)
        if name in seen:
            raise ConfigError(f"{_place(path, key)}: {name} is there twice", target=name)
        seen.add(name)


def _check_levels(path: Path, node: yaml.MappingNode, policy: Policy) -> None:
    named: list[tuple[tuple[str, ...], str]] = [
        (("clearance", operation.value), level) for operation, level in policy.clearance.items()
    ]
    named += [(("request_rates", level), level) for level in policy.request_rates]
    named += [(("quarantine",), policy.quarantine)]
    named += [(("release",), policy.release)] if policy.release else []
    for steps, level in named:
        if level not in Clearance.__members__:
            place = _place(path, _find(node, steps))
            hint = nearest(level, Clearance.__members__) or f"levels: {', '.join(Clearance.__members__)}"
            raise ConfigError(f"{place}: no clearance {level!r}", hint=hint, target=level)


def _check_numbers(path: Path, node: yaml.MappingNode, policy: Policy) -> None:
    if not 0 <= policy.shortest <= policy.longest:
        place = _place(path, _find(node, ("shortest",)))
        message = f"{place}: a justification of {policy.shortest} to {policy.longest} characters cannot be"
        raise ConfigError(message, hint="shortest: 10 and longest: 512, say", target="shortest")
    for steps, bucket in _buckets(policy):
        if bucket.capacity < 0 or not 0 < bucket.per_seconds < LONGEST_PERIOD:
            place, name = _place(path, _find(node, steps)), ".".join(steps)
            message = f"{place}: {name} cannot be {bucket.capacity} in {bucket.per_seconds:g} s"
            raise ConfigError(message, hint="{capacity: 10, per_seconds: 60}, say", target=steps[0])


def _buckets(policy: Policy) -> Iterator[tuple[tuple[str, ...], Bucket]]:
    """Every bucket of a policy, and the keys that lead to it."""
    for name in ("rates", "device_rates", "request_rates"):
        for key, bucket in getattr(policy, name).items():
            yield (name, str(key)), bucket
    for name in ("quarantine_rate", "bulk_rate", "total_rate"):
        if (single := getattr(policy, name)) is not None:
            yield (name,), single


def _wrong(
    path: Path, node: yaml.MappingNode, data: dict[str, Any], error: msgspec.ValidationError
) -> ConfigError:
    """The error with its place; where it is in a mapping, its entries are tried one by one to find it."""
    what, _, where = str(error).partition(" - at `")
    field = where.rpartition("$.")[2].partition("[")[0].rstrip("`")
    steps: tuple[str, ...] = (field,) if field else ()
    entries = data.get(field)
    for key, value in entries.items() if isinstance(entries, dict) else ():
        try:
            msgspec.convert({field: {key: value}}, Policy)
        except msgspec.ValidationError:
            steps = (field, str(key))
            break
    place = _place(path, _find(node, steps))
    return ConfigError(f"{place}: {'.'.join(steps) or 'policy'}: {what}", target=".".join(steps))


def _find(node: yaml.Node, steps: tuple[str, ...]) -> yaml.Node:
    if steps and isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == steps[0]:
                return _find(value, steps[1:])
    return node


def _place(path: Path, node: yaml.Node) -> str:
    mark: Any = node.start_mark
    return f"{path}:{mark.line + 1}:{mark.column + 1}"
