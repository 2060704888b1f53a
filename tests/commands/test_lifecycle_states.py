"""Lifecycle verbs in one process after the other: each says how the device is now, and the next one knows."""

from __future__ import annotations

import pytest

from tests.commands.shell import Shell


def state(shell: Shell, verb: str) -> str:
    """What a lifecycle verb says of the device."""
    answer = shell(f"dsmilctl -C sim device {verb} 0x8030 -o json")
    assert answer.exit == 0, answer.err
    return str(answer.data[0]["state"])


@pytest.mark.parametrize("verb", ["disconnect", "cleanup"])
def test_what_an_earlier_command_connected_a_later_one_disconnects(shell: Shell, verb: str) -> None:
    assert state(shell, "connect") == "connected"
    assert state(shell, "state") == "connected"

    assert state(shell, verb) == "disconnected"

    assert state(shell, "state") == "disconnected"
    assert state(shell, "connect") == "connected"


def test_a_device_that_nobody_connected_is_not_said_to_be_disconnected(shell: Shell) -> None:
    assert state(shell, "disconnect") == "discovered"
    assert state(shell, "state") == "discovered"
