"""Policy: what the guard asks before a change, per operation and risk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from dsmilctl.errors import DSMILError, StateUnavailable
from dsmilctl.guard.rates import Bucket
from dsmilctl.model.device import Risk
from dsmilctl.model.identity import Clearance
from dsmilctl.model.operation import OperationType

T = TypeVar("T")
CHANGES = tuple(kind for kind in OperationType if kind is not OperationType.READ)
SEVERE = (Risk.HIGH, Risk.CRITICAL)


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked before a change.

    `clearance` is the least level per operation; `justification` names the risks on which an operation needs
    one, of `shortest` to `longest` characters; `justify_bulk` asks one for every bulk of changes;
    `approval` names the risks on which an operation needs a second person; `rates` are token buckets per
    operation (a bulk of reads takes one token of READ) and `device_rates` per risk, one bucket for the
    changes of each device, all of them for one identity.

    For servers alone: `quarantine` is the clearance from which an approval opens a quarantined device,
    `approve_release` asks a second person before a stop ends, `quarantine_rate`, `bulk_rate` and
    `request_rates` (per clearance) are further buckets of an identity, `total_rate` one of all together;
    `concurrent` is how many operations of an identity are under way at once, per clearance.
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
    quarantine: str = "TOP_SECRET"
    approve_release: bool = False
    release: str = ""
    quarantine_rate: Bucket | None = None
    bulk_rate: Bucket | None = None
    request_rates: Mapping[str, Bucket] = {}
    total_rate: Bucket | None = None
    concurrent: Mapping[str, int] = {}

    def level(self, operation: OperationType) -> Clearance:
        """The least clearance for an operation."""
        return Clearance[self.clearance.get(operation, "UNCLASSIFIED")]

    @property
    def release_level(self) -> Clearance:
        """The least clearance for the release of a stop: that of a reset where none is named."""
        return Clearance[self.release] if self.release else self.level(OperationType.RESET)

    def request_rate(self, clearance: Clearance) -> Bucket | None:
        """The bucket of all requests of an identity: that of the highest level that it reaches."""
        return _reached(self.request_rates, clearance)

    def most_at_once(self, clearance: Clearance) -> int | None:
        """How many operations of an identity may be under way; None is any number."""
        return _reached(self.concurrent, clearance)

    def without_rates(self) -> Policy:
        """The same policy with no bucket."""
        return msgspec.structs.replace(
            self,
            rates={},
            device_rates={},
            quarantine_rate=None,
            bulk_rate=None,
            request_rates={},
            total_rate=None,
            concurrent={},
        )

    def without_approvals(self) -> Policy:
        """The same policy that asks for no second person, but for quarantined devices."""
        return msgspec.structs.replace(self, approval={}, approve_release=False)


def _reached(levels: Mapping[str, T], clearance: Clearance) -> T | None:
    """What stands beside the highest level that a clearance reaches."""
    reached = [level for level in map(Clearance.__getitem__, levels) if level <= clearance]
    return levels[max(reached).name] if reached else None


LOCAL = Policy()
"""Local fleets: register access and limits are obeyed, the command asks for `--yes`, no accounts."""

DSMIL = Policy(
    name="dsmil",
    clearance={OperationType.READ: "CONFIDENTIAL"} | dict.fromkeys(CHANGES, "SECRET"),
    justification=dict.fromkeys(CHANGES, SEVERE),
    justify_bulk=True,
)
"""DSMIL devices.  Source: the DSMIL API, version 2, clearance matrix and justification rules."""

SERVER = msgspec.structs.replace(
    DSMIL,
    name="server",
    approval=dict.fromkeys(CHANGES, (Risk.CRITICAL,)) | {OperationType.CONFIG: tuple(Risk)},
    release="TOP_SECRET",
    rates=dict.fromkeys(CHANGES, Bucket(10, 10.0)) | {OperationType.READ: Bucket(20, 10.0)},
    device_rates={
        Risk.CRITICAL: Bucket(10, 60.0),
        Risk.HIGH: Bucket(30, 60.0),
        Risk.MEDIUM: Bucket(60, 60.0),
        Risk.LOW: Bucket(60, 60.0),
    },
    quarantine_rate=Bucket(5, 60.0),
    bulk_rate=Bucket(2, 10.0),
    request_rates={
        "UNCLASSIFIED": Bucket(60, 60.0),
        "SECRET": Bucket(120, 60.0),
        "TOP_SECRET": Bucket(300, 60.0),
    },
    total_rate=Bucket(1000, 60.0),
    concurrent={"UNCLASSIFIED": 3, "SECRET": 5, "TOP_SECRET": 10},
)
"""Servers, whatever their devices.  "Risk-based": an approval on CRITICAL devices; CONFIG always needs it.
READ 2/s, changes 1/s and bulks 1 in 5 s are what lasts; the buckets let a burst of ten seconds through.
Source: the DSMIL API, version 2, clearance matrix and rate limits."""

DEFAULTS: Mapping[str, Policy] = {"local": LOCAL, "dsmil": DSMIL, "server": SERVER}


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
