"""Policies: what is wrong with the file that says who may change what."""

from __future__ import annotations

from dsmilctl.config.paths import paths
from dsmilctl.guard.policy import load_policy


def policy_problems() -> list[str]:
    """Why the policy that is configured cannot be used, with file, line and column; nothing if it can."""
    _, problem = load_policy(paths().policy_file, "local")
    return [] if problem is None else [problem.message]
