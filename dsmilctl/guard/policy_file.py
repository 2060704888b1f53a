"""The policy file: YAML over a default policy, every mistake with its line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from dsmilctl.errors import ConfigError, StateUnavailable, nearest
from dsmilctl.guard.policy import Policy
from dsmilctl.model.identity import Clearance

LARGEST = 1 << 20


def read_policy(path: Path, default: Policy) -> Policy:
    """The policy of a file; what the file does not name is as in `default`.

    Raises ConfigError for what is wrong in it and StateUnavailable when it cannot be read: without a policy
    that is understood nothing may change.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StateUnavailable(f"{path}: {error.strerror}", target=str(path)) from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: larger than {LARGEST:,} bytes", target=str(path))
    node, data = _load(path, content)
    _check_keys(path, node)
    try:
        policy = msgspec.convert({**msgspec.structs.asdict(default), "name": path.name, **data}, Policy)
    except msgspec.ValidationError as error:
        raise _wrong(path, node, error) from error
    _check_levels(path, node, policy)
    return policy


def _load(path: Path, content: bytes) -> tuple[yaml.MappingNode, dict[str, Any]]:
    try:
        node = yaml.compose(content, yaml.SafeLoader)
        data = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        what = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{where}: not YAML: {what}", target=str(path)) from None
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}: a policy is a mapping", hint="version: 1", target=str(path))
    return node, data


def _check_keys(path: Path, node: yaml.MappingNode) -> None:
    for key, _ in node.value:
        if key.value not in Policy.__struct_fields__:
            hint = nearest(key.value, Policy.__struct_fields__) or f"keys: {', '.join(Policy.__struct_fields__)}"
            raise ConfigError(f"{_place(path, key)}: no key {key.value!r}", hint=hint, target=key.value)


def _check_levels(path: Path, node: yaml.MappingNode, policy: Policy) -> None:
    for operation, level in policy.clearance.items():
        if level not in Clearance.__members__:
            place = _place(path, _find(node, ("clearance", operation.value)))
            hint = nearest(level, Clearance.__members__) or f"levels: {', '.join(Clearance.__members__)}"
            raise ConfigError(f"{place}: no clearance {level!r}", hint=hint, target=level)


def _wrong(path: Path, node: yaml.MappingNode, error: msgspec.ValidationError) -> ConfigError:
    what, _, where = str(error).partition(" - at `")
    steps = [step for step in where.rstrip("`").replace("[...]", "").split(".") if step not in ("", "$")]
    place = _place(path, _find(node, tuple(steps)))
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
