"""Forked: a command from the nursery says, does and ends as one in a process of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.commands.forked import Nursery
from tests.commands.shell import PROGRAM, Answer, Shell, inherited, the_nursery
from tests.commands.transcript import shown

pytestmark = pytest.mark.skipif(the_nursery() is None, reason="every command is a process of its own here")


@pytest.fixture(scope="module")
def nursery() -> Nursery:
    """That of this worker."""
    found = the_nursery()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "stdin"),
    [
        ("-C sim device list 0x8000-0x8003", b""),
        ("-C sim device read 0x80ff -o json", b""),
        ("-C sim device write 0x8030 CONFIG 5 --yes --fields device_id,register,value", b""),
        ("-C sim device write 0x8030 CONFIG 5", b"y\n"),
        ("device raed", b""),
        ("record list", b""),
        ("user add ada --password-stdin", b"correct horse battery\n"),
        ("--debug -C sim device read \udcff", b""),
        ("context use sim", b""),
        ("audit export anchor.json", b""),  # in the folder in which it runs
    ],
)
def test_a_line_says_does_and_ends_the_same_either_way(
    nursery: Nursery, tmp_path: Path, line: str, stdin: bytes
) -> None:
    shells = []
    for name in ("forked", "anew"):
        (tmp_path / name).mkdir()
        shells.append(Shell(tmp_path / name))

    forked = nursery.begin(arguments(line), str(shells[0].home), shells[0].environment, stdin)
    said = forked.communicate(30)
    anew = subprocess.run(
        [*PROGRAM, *arguments(line)],
        cwd=shells[1].home,
        env=shells[1].environment,
        input=stdin,
        capture_output=True,
        check=False,
    )

    assert ended(forked.returncode, *said, shells[0]) == ended(
        anew.returncode, anew.stdout, anew.stderr, shells[1]
    )
    assert files(shells[0].home) == files(shells[1].home)


def test_one_that_does_not_end_is_killed_and_told(nursery: Nursery, shell: Shell) -> None:
    forked = nursery.begin(arguments("-C sim stream devices"), str(shell.home), shell.environment)

    with pytest.raises(subprocess.TimeoutExpired) as error:
        forked.communicate(3)

    assert b"0x8000" in (error.value.stdout or b"")
    assert forked.returncode == -9


def test_what_a_process_looks_at_when_it_starts_is_not_left_to_a_forked_one(nursery: Nursery) -> None:
    environment = inherited()

    assert nursery.takes([b"device", b"list"], environment, b"")
    assert not nursery.takes([b"device", b"list"], {**environment, "PYTHONPATH": "x"}, b"")
    assert not nursery.takes([b"device", b"list"], {**environment, "LC_ALL": "C"}, b"")
    assert not nursery.takes([b"device", b"list"], environment, bytes(65_537))
    assert not nursery.takes([bytes(100_000)], environment, b"")


def arguments(line: str) -> list[bytes]:
    """The words of a line, also those that are no text."""
    return [word.encode("utf-8", "surrogateescape") for word in line.split()]


def ended(status: int | None, out: bytes, err: bytes, shell: Shell) -> str:
    """How it ended and what it said, without times, ids and the folder in which it ran."""
    assert status is not None
    return shown(Answer(status, out.decode(), err.decode()), shell)


def files(home: Path) -> set[str]:
    """The files that are there now."""
    return {str(path.relative_to(home)) for path in home.rglob("*")}
