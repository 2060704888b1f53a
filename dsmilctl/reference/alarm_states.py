"""Alarm states: the table of `model.alarm` as `docs/alarms.md` prints it."""

from __future__ import annotations

import re

from dsmilctl.model.alarm import TRANSITIONS, AlarmEvent, AlarmState

_PLACE = re.compile(r"(?<=<!-- states: )([^\n]*-->\n)(.*?)(?=<!-- end of states -->)", re.DOTALL)


def state_table() -> str:
    """A row per state, a column per event; an empty cell is what cannot happen."""
    head = ["state", *(f"`{event}`" for event in AlarmEvent)]
    rows = [
        [f"`{state}`", *(_cell(TRANSITIONS.get((state, event))) for event in AlarmEvent)]
        for state in AlarmState
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def _cell(state: AlarmState | None) -> str:
    return "" if state is None else f"`{state}`"


def with_table(page: str) -> str:
    """The page with the table in its place."""
    return _PLACE.sub(lambda found: found[1] + state_table(), page)
