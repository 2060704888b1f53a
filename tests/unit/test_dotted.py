"""Dotted names: names and groups that are known, and nothing else; and that all of them are known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dsmilctl.client.interface import LIFECYCLE_VERBS
from dsmilctl.commands.record.overdue import TOLD
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.audit import ACTIONS
from dsmilctl.model.dotted import fits, pattern_of
from dsmilctl.model.event import EVENT_TYPES

PACKAGE = Path(__file__).parents[2] / "dsmilctl"


@pytest.mark.parametrize(
    ("text", "pattern", "fitting"),
    [
        ("", "", set(EVENT_TYPES)),
        ("device.state", "device.state", {"device.state"}),
        ("Emergency.Stop", "emergency.stop", {"emergency.stop"}),
        ("emergency", "emergency.*", {"emergency.stop", "emergency.release"}),
        ("emergency.*", "emergency.*", {"emergency.stop", "emergency.release"}),
        ("backup", "backup.*", {"backup.failed", "backup.stale"}),
    ],
)
def test_a_name_means_itself_and_a_group_all_that_is_in_it(
    text: str, pattern: str, fitting: set[str]
) -> None:
    meant = pattern_of(text, EVENT_TYPES, "--type")

    assert meant == pattern
    assert {name for name in EVENT_TYPES if fits(meant, name)} == fitting


@pytest.mark.parametrize("text", ["nope", "*", ".*", "dev", "device.*.*", "device.", "state"])
def test_what_is_no_name_and_no_group_is_an_error_with_a_hint(text: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        pattern_of(text, EVENT_TYPES, "--type")

    assert refused.value.target == "--type"
    assert refused.value.hint


def test_every_action_and_event_that_the_source_names_is_known() -> None:
    source = "".join(
        path.read_text()
        for part in ("guard", "client", "fleet", "drivers")
        for path in PACKAGE.glob(f"{part}/*.py")
    )
    named = set(re.findall(r'[^f]"((?:device|emergency|driver|guard|journal)\.[a-z]+)"', source))

    assert named - {"journal.lock", "journal.settled"} <= {*ACTIONS, *EVENT_TYPES}
    assert {"emergency.stop", "driver.forget", "journal.recover"} <= named
    assert {f"device.{verb}" for verb in LIFECYCLE_VERBS} - {"device.scan", "device.state"} <= set(ACTIONS)


def test_every_event_of_a_backup_that_the_source_names_is_known() -> None:
    files = [PACKAGE / "commands/record/overdue.py", *PACKAGE.glob("commands/backup/*.py")]
    source = "".join(path.read_text() for path in files)
    named = set(re.findall(r'Event\("(backup\.[a-z]+)"', source))
    named |= {f"backup.{state}" for state in TOLD}

    assert named == {"backup.failed", "backup.stale"}
    assert named <= set(EVENT_TYPES)
