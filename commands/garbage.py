"""Garbage: how often Python looks for objects that hold each other, in commands that go on.

A short command never looks.  In a long one each look stops everything: a hundred thousand objects take a
tenth of a second, in which a server answers nobody and a dashboard takes no key.
"""

from __future__ import annotations

import gc

from dsmilctl.cli import GARBAGE

LONG = 2.0
"""Seconds after which a command is one that goes on: what it needs is there by then."""
OFTEN = 5_000
"""Objects after which a command that goes on looks: a few milliseconds each time."""


def collect_often() -> None:
    """Look at few objects at a time, and no more at those that are there now; only in a process of ours."""
    if gc.get_threshold()[0] == GARBAGE:
        gc.freeze()
        gc.set_threshold(OFTEN, 10, 10)
