"""Policy: what the guard asks before a change, per operation and risk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from dsmilctl.guard.rates import Bucket
from dsmilctl.model.device import Risk
from dsmilctl.model.identity import Clearance
from dsmilctl.model.operation import OperationType

CHANGES = tuple(kind for kind in OperationType if kind is not OperationType.READ)
SEVERE = (Risk.HIGH, Risk.CRITICAL)


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked before a change.

    `clearance` is the least level per operation; `justification` names the risks on which an operation needs
    one, of `shortest` to `longest` characters; `justify_bulk` asks one for every bulk of changes;
    `approval` names the risks on which an operation needs a second person; `rates` are token buckets per
    operation and `device_rates` per risk of the device, each for one identity.
    """

    version: int = 1
    name: str = "local"
    clearance: Mapping[OperationType, str] = {}
    justification: Mapping[OperationType, tuple[Risk, ...]] = {}
    justify_bulk: bool = False
    justify_release: bool = True
    shortest: int = 10
    longest: int = 512
    approval: Mapping[OperationType, tuple[Risk, ...]] = {}
    rates: Mapping[OperationType, Bucket] = {}
    device_rates: Mapping[Risk, Bucket] = {}

    def level(self, operation: OperationType) -> Clearance:
        """The least clearance for an operation."""
        return Clearance[self.clearance.get(operation, "UNCLASSIFIED")]


LOCAL = Policy()
"""Local fleets: register access and limits are obeyed, the command asks for `--yes`, no accounts."""

DSMIL = Policy(
    name="dsmil",
    clearance={OperationType.READ: "CONFIDENTIAL"} | dict.fromkeys(CHANGES, "SECRET"),
    justification=dict.fromkeys(CHANGES, SEVERE),
    justify_bulk=True,
)
"""DSMIL devices.  Source: the DSMIL API, version 2, clearance matrix and justification rules."""

DEFAULTS: Mapping[str, Policy] = {"local": LOCAL, "dsmil": DSMIL}


def load_policy(path: Path, default: str) -> Policy:
    """The policy in a file, or the default of that name where there is no file.

    Raises ConfigError with file, line and column for what is wrong in it.
    """
    if not path.exists():
        return DEFAULTS[default]
    from dsmilctl.guard.policy_file import read_policy

    return read_policy(path, DEFAULTS[default])
