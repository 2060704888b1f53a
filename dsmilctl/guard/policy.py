"""Policy: what the guard asks before a change, per operation and risk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from dsmilctl.errors import DSMILError, StateUnavailable
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
    operation (a bulk of reads takes one token of READ) and `device_rates` per risk, one bucket for the
    changes of each device, all of them for one identity.
    """

    version: Literal[1] = 1
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


def load_policy(path: Path, default: str) -> tuple[Policy, DSMILError | None]:
    """The policy in a file, or the default of that name where there is no file; and why it cannot be used.

    Whoever gets a problem changes nothing: a file that is damaged, a link that leads nowhere, a folder in its
    place.  The error names file, line and column.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return DEFAULTS[default], None
    except OSError as error:
        problem = StateUnavailable(f"{path}: {error.strerror}", hint="make it readable", target=str(path))
        return DEFAULTS[default], problem
    from dsmilctl.guard.policy_file import read_policy

    try:
        return read_policy(path, DEFAULTS[default]), None
    except DSMILError as error:
        return DEFAULTS[default], error
