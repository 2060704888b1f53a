"""A bulk whose command has a deadline: each change is told as what it is, here and on a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.served import RemoteShell, serving
from tests.commands.test_signals import faulty

SLOW = "slow:0x8030-0x803A:0.3"
LINE = "bulk write 0x8030-0x803A CONFIG 5 --mode sequential --yes --justification 'the night shift' -o json"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteShell]:
    options = ("--no-rate-limit", "--no-approvals", "--fault", SLOW)
    with serving(tmp_path_factory.mktemp("plant"), *options) as shell:
        shell.log_in("admin", "dsmil_admin_2024")
        yield shell


@pytest.mark.parametrize("context", ["sim", "plant"])
def test_a_deadline_ends_a_bulk_with_6_and_tells_what_was_not_begun(
    plant: RemoteShell, context: str, tmp_path: Path
) -> None:
    """Eleven devices that take 0.6 s each do not fit into the deadline, and some do."""
    line = f"dsmilctl -C {context} --timeout 20 --deadline 5 {LINE}"
    answer = plant(line, environment=faulty(SLOW) if context == "sim" else {})

    assert answer.exit == 6, answer.err
    statuses = [row["status"] for row in answer.data["results"]]
    done, unknown = statuses.count("SUCCESS"), statuses.count("TIMEOUT")
    assert done >= 1
    assert unknown <= 1, "one after the other: of one alone may nobody know"
    assert statuses == ["SUCCESS"] * done + ["TIMEOUT"] * unknown + ["DENIED"] * (11 - done - unknown)
    assert statuses[-1] == "DENIED"
    last = answer.data["results"][-1]["error"]
    assert (last["code"], last["message"]) == ("REFUSED", "not begun: the time of the bulk was over")
    assert answer.data["summary"]["timeouts"] == unknown
