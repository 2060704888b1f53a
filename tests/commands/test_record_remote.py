"""`record query` on a server's context, field by field beside the archive that the server keeps."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.served import RemoteShell, serving
from tests.commands.shell import Answer

pytestmark = pytest.mark.xdist_group("record-remote")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteShell]:
    """A simulator that has recorded for some seconds, and somebody who is logged in to it."""
    home = tmp_path_factory.mktemp("recorded")
    with serving(home, "--record", "--record-interval", "200ms", "--no-rate-limit") as shell:
        shell.log_in("admin", "dsmil_admin_2024")
        shell.run("context", "use", "plant")
        time.sleep(2.5)
        yield shell


def archive_of(shell: RemoteShell) -> Path:
    """Where the server keeps its readings."""
    (found,) = shell.home.rglob("servers/sim-serve/archive")
    return found


def asked(shell: RemoteShell, line: str) -> Answer:
    """What a line says on the context of the server."""
    return shell.run("-C", "plant", *line.split())


def rows(answer: Answer) -> list[dict[str, Any]]:
    """The rows of a JSON answer."""
    assert answer.exit == 0, answer.err
    found: list[dict[str, Any]] = json.loads(answer.out)["data"]
    return found


@pytest.mark.parametrize(
    "question",
    [
        "0x8000-0x8003 TEMP VOLTAGE STATUS",
        "0x8000 temp",
        "0x8000,0x8004 TEMP --every 1s --agg max",
        "0x8002 VOLTAGE --every 500ms --agg count",
        "@all TEMP --every 1m",
    ],
)
def test_the_server_tells_the_rows_of_its_archive(shell: RemoteShell, question: str) -> None:
    seen = rows(
        shell.run(*f"record query 0x8000 TEMP --archive {archive_of(shell)} --limit 0 --json".split())
    )
    since, until = seen[1]["time"], seen[-2]["time"]
    line = f"record query {question} --since {since} --until {until} --limit 0 --json".split()

    remote = rows(shell.run("-C", "plant", *line))
    local = rows(shell.run("-C", "local", *line, "--archive", str(archive_of(shell))))

    quarantined = ("0x8009", "0x800A", "0x800B", "0x8019", "0x8029")
    assert remote == [row for row in local if row["device"] not in quarantined]
    assert len(remote) > 2


def test_the_past_reaches_back_30_days(shell: RemoteShell) -> None:
    found = rows(asked(shell, "record query 0x8000 TEMP --every 1d --json"))

    assert 30 <= len(found) <= 32
    assert found[5]["readings"] == 288


def test_more_rows_than_the_limit_are_announced_and_more_than_a_page_are_all_there(
    shell: RemoteShell,
) -> None:
    few = asked(shell, "record query 0x8000 TEMP --limit 3 --json")
    many = asked(shell, "record query 0x8000-0x8001 TEMP --limit 0 --json")

    assert len(rows(few)) == 3
    assert "only the first 3 rows" in few.err
    assert len(rows(many)) > 10_000


def test_a_quarantined_device_is_told_as_not_shown(shell: RemoteShell) -> None:
    answer = asked(shell, "record query 0x8008-0x8009 TEMP --since 1h --json")

    assert answer.exit == 6
    assert "quarantined" in answer.err
    assert {row["device"] for row in json.loads(answer.out)["data"]} == {"0x8008"}


@pytest.mark.parametrize("option", ["--sql=SELECT 1", "--recording=last"])
def test_what_only_an_archive_here_can_be_asked_is_refused(shell: RemoteShell, option: str) -> None:
    answer = shell.run("-C", "plant", "record", "query", option)

    assert answer.exit == 2
    assert "a server is not asked" in answer.err


@pytest.mark.parametrize(
    ("line", "named"),
    [("--past 400d", "--past"), ("--record --record-interval 1ms", "--record-interval")],
)
def test_a_simulator_refuses_a_past_and_a_pace_that_cannot_be(
    shell: RemoteShell, line: str, named: str
) -> None:
    answer = shell.run("sim", "serve", "--port", "0", *line.split())

    assert answer.exit == 2
    assert named in answer.err
