"""The policy file: YAML over a default policy, every mistake with its line and column."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dsmilctl.config.yaml_document import YamlDocument, read_mapping
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
    text = read_mapping(path, content, "a policy")
    _check_keys(path, text)
    try:
        policy = msgspec.convert({**msgspec.to_builtins(default), "name": path.name, **text.data}, Policy)
    except msgspec.ValidationError as error:
        raise _wrong(path, text, error) from error
    _check_levels(path, text, policy)
    _check_numbers(path, text, policy)
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


def _check_keys(path: Path, text: YamlDocument) -> None:
    known = Policy.__struct_fields__
    for name in text.data:
        if name not in known:
            hint = nearest(name, known) or f"keys: {', '.join(known)}"
            raise ConfigError(f"{_place(path, text, (name,))}: no key {name!r}", hint=hint, target=name)


def _check_levels(path: Path, text: YamlDocument, policy: Policy) -> None:
    named: list[tuple[tuple[str, ...], str]] = [
        (("clearance", operation.value), level) for operation, level in policy.clearance.items()
    ]
    named += [(("request_rates", level), level) for level in policy.request_rates]
    named += [(("quarantine",), policy.quarantine)]
    named += [(("release",), policy.release)] if policy.release else []
    for steps, level in named:
        if level not in Clearance.__members__:
            place = _place(path, text, steps)
            hint = nearest(level, Clearance.__members__) or f"levels: {', '.join(Clearance.__members__)}"
            raise ConfigError(f"{place}: no clearance {level!r}", hint=hint, target=level)


def _check_numbers(path: Path, text: YamlDocument, policy: Policy) -> None:
    if not 0 <= policy.shortest <= policy.longest:
        place = _place(path, text, ("shortest",))
        message = f"{place}: a justification of {policy.shortest} to {policy.longest} characters cannot be"
        raise ConfigError(message, hint="shortest: 10 and longest: 512, say", target="shortest")
    for steps, bucket in _buckets(policy):
        if bucket.capacity < 0 or not 0 < bucket.per_seconds < LONGEST_PERIOD:
            place, name = _place(path, text, steps), ".".join(steps)
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


def _wrong(path: Path, text: YamlDocument, error: msgspec.ValidationError) -> ConfigError:
    """The error with its place; where it is in a mapping, its entries are tried one by one to find it."""
    what, _, where = str(error).partition(" - at `")
    field = where.rpartition("$.")[2].partition("[")[0].rstrip("`")
    steps: tuple[str, ...] = (field,) if field else ()
    entries = text.data.get(field)
    for key, value in entries.items() if isinstance(entries, dict) else ():
        try:
            msgspec.convert({field: {key: value}}, Policy)
        except msgspec.ValidationError:
            steps = (field, str(key))
            break
    place = _place(path, text, steps)
    return ConfigError(f"{place}: {'.'.join(steps) or 'policy'}: {what}", target=".".join(steps))


def _place(path: Path, text: YamlDocument, steps: tuple[str, ...]) -> str:
    return "{}:{}:{}".format(path, *text.place(steps))
