"""The log file: private, rotated, and no trouble when the disk is full."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dsmilctl import log_file
from dsmilctl.errors import ConfigError
from dsmilctl.log import configure
from tests.unit.logs import Start, part


def test_a_log_file_is_private_even_where_the_umask_is_not(started: Start, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        started(file=tmp_path / "logs" / "dsmilctl.log")
        part("client").warning("hello")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "logs/dsmilctl.log").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700


def test_a_log_file_is_rotated_and_five_old_ones_are_kept_all_private(
    started: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (log_file.LARGEST, log_file.KEPT) == (10_000_000, 5)
    monkeypatch.setattr(log_file, "LARGEST", 1_000)
    file = tmp_path / "dsmilctl.log"
    started(file=file)

    for number in range(200):
        part("client").warning("record %s", number)

    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == [
        "dsmilctl.log",
        *(f"dsmilctl.log.{number}" for number in range(1, 6)),
    ]
    assert all(path.stat().st_size <= 1_000 for path in files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert "record 199" in file.read_text()


@pytest.mark.parametrize("place", ["/proc/nowhere/log", "/dev/null/log", "/"])
def test_a_log_file_that_cannot_be_opened_is_a_config_error(place: str) -> None:
    with pytest.raises(ConfigError, match="cannot be opened") as caught:
        configure(file=Path(place))

    assert place in caught.value.message
    assert caught.value.hint == "--log-file names another one"


def test_a_full_disk_is_told_once_and_fails_nothing(
    started: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    stream = started(file=Path("/dev/full"), level="error")

    for number in range(3):
        part("client").error("record %s", number)

    said = [line for line in stream.getvalue().splitlines() if "cannot be written" in line]
    assert said == ["dsmilctl: warning: the log file /dev/full cannot be written"]
    assert stream.getvalue().count("record") == 3
    assert capfd.readouterr() == ("", "")


WITHOUT_SPACE = """
import io, logging, resource, sys
from pathlib import Path
from dsmilctl.log import configure

stream = io.StringIO()
log = configure(stream=stream, file=Path(sys.argv[1]))
for turn in ("first", "second"):
    for space, word in ((0, "lost"), (resource.RLIM_INFINITY, "kept")):
        resource.setrlimit(resource.RLIMIT_FSIZE, (space, resource.RLIM_INFINITY))
        logging.getLogger("dsmilctl.x").warning("%s %s", turn, word)
log.close()
print(stream.getvalue().count("cannot be written"))
"""


def test_when_there_is_space_again_the_log_goes_on_and_the_next_loss_is_told_too(tmp_path: Path) -> None:
    file = tmp_path / "log"

    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_SPACE, str(file)], capture_output=True, text=True, check=True
    )

    assert [line.split(": ")[1] for line in file.read_text().splitlines()] == ["first kept", "second kept"]
    assert answer.stdout == "2\n"
