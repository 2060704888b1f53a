"""Pruning: removes the backups that a policy does not keep, and the objects that none needs any more."""

from __future__ import annotations

import msgspec

from dsmilctl.archive.backup.folder import OBJECTS
from dsmilctl.archive.backup.keeping import Kept, Policy, apply
from dsmilctl.archive.backup.manifest import ENDING, Manifest
from dsmilctl.archive.backup.repository import VERIFIED, Repository
from dsmilctl.archive.finding import Finding
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import InvalidParameter

GOOD = "the last good one"


class Pruned(msgspec.Struct, frozen=True):
    """What became of each backup, how many objects were removed, and why objects were left, if they were."""

    backups: list[Kept]
    objects: int = 0
    problem: str = ""


def prune(repository: Repository, policy: Policy, *, dry_run: bool = False, clock: Clock = SYSTEM) -> Pruned:
    """Apply a policy; the newest backup that was verified and is all there stays whatever the policy says.

    Raises InvalidParameter for a policy that keeps nothing, Conflict while a backup is being made.
    """
    if policy.empty:
        raise InvalidParameter(
            "this would keep no backup",
            hint="--keep-last 7 --keep-daily 14 --keep-weekly 8",
            target="--keep-last",
        )
    if dry_run:
        return Pruned(_judged(repository, policy, clock.now()))
    with repository.target.held():
        judged = _judged(repository, policy, clock.now())
        for item in judged:
            if not item.reasons:
                repository.target.remove(f"{item.name}{ENDING}")
                repository.target.remove(f"{item.name}{VERIFIED}")
        repository.target.settle()
        return _without_the_unneeded(repository, judged)


def _judged(repository: Repository, policy: Policy, now: int) -> list[Kept]:
    """What the policy does, but that the last good backup is kept."""
    manifests = repository.manifests()
    judged = apply(policy, [(item.name, item.created) for item in manifests], now)
    good = _last_good(repository, manifests)
    return [
        msgspec.structs.replace(item, reasons=(GOOD,)) if item.name == good and not item.reasons else item
        for item in judged
    ]


def _last_good(repository: Repository, manifests: list[Manifest]) -> str:
    """The newest backup that was verified and has all its objects; without one the newest of all."""
    there = set(repository.target.names())
    for manifest in manifests:
        whole = all(f"{OBJECTS}{name}" in there for name in manifest.needs)
        if whole and repository.was_verified(manifest) is not None:
            return manifest.name
    return manifests[0].name if manifests else ""


def _without_the_unneeded(repository: Repository, judged: list[Kept]) -> Pruned:
    """Remove the objects that no backup needs; all stay while it cannot be known what one needs."""
    needed: set[str] = set()
    for name, found in repository.looked_at():
        if isinstance(found, Finding):
            return Pruned(judged, 0, f"the objects of {name} cannot be told: {found.what}")
        needed |= found.needs
    removed = 0
    for file in repository.target.names():
        if file.startswith(OBJECTS) and file.removeprefix(OBJECTS) not in needed:
            repository.target.remove(file)
            removed += 1
    repository.target.settle()
    return Pruned(judged, removed)
