"""Bad days of backups: killed, flipped, renamed, cut short, on a disk that is full."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard

from dsmilctl.archive.backup.creating import create
from dsmilctl.archive.backup.folder import Folder
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.backup.restoring import bring_out, require_whole, restore
from dsmilctl.archive.backup.swap import exchange
from dsmilctl.archive.backup.verifying import strangers, verify
from dsmilctl.archive.check import check_archive
from dsmilctl.archive.database import migrations
from dsmilctl.archive.finding import Finding
from dsmilctl.archive.places import Places
from dsmilctl.errors import CheckFailed, ConfigError, Conflict, NotFound, StateUnavailable
from tests.archive.stand import EVENT, record, recorded, rows, some_readings, table

ROUNDS = 100 if os.environ.get("DSMIL_SOAK") else 20
FLIPS = 2000 if os.environ.get("DSMIL_SOAK") else 60


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(Folder(tmp_path / "backups"))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return recorded(
        tmp_path / "archive", some_readings(5000), records=[record(1), record(2)], events=[EVENT]
    )[0]


def found(repository: Repository) -> list[Finding]:
    """Everything that `backup verify --all` has to say."""
    told = [item for manifest in repository.manifests() for item in verify(repository, manifest)]
    return told + list(strangers(repository))


@contextmanager
def running(module: str, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that goes on until it is killed, and is in any case."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.archive.{module}", *map(str, arguments)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def said_before_killed(module: str, *arguments: str | Path, after: float) -> list[bytes]:
    """What a process said that was killed some seconds after it began."""
    with running(module, *arguments) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(after)
        os.killpg(process.pid, signal.SIGKILL)
        return process.stdout.readlines()


def test_after_each_kill_during_recording_earlier_backups_are_intact_and_a_partial_one_is_never_listed(
    repository: Repository, tmp_path: Path
) -> None:
    places, chance = Places(tmp_path / "archive"), random.Random(1)
    with running("recording_process", places.folder, "20000") as recorder:
        assert recorder.stdout is not None
        while not recorder.stdout.readline().startswith(b"flushed"):
            pass
        known: set[str] = set()
        for _ in range(ROUNDS):
            said = said_before_killed(
                "backup_process", places.folder, tmp_path / "backups", after=chance.random() * 0.4
            )
            told = {line.split()[1].decode() for line in said if line.endswith(b"\n")}

            listed = {item.name: item for item in repository.manifests()}

            assert set(listed) >= known | told, "what was told is there, what was there stays"
            for name in set(listed) - known:
                assert verify(repository, listed[name]) == []
            known = set(listed)
    assert found(repository) == []
    create(places, repository, name="after")
    assert not list((tmp_path / "backups").rglob("*.tmp"))


def test_a_restore_that_is_killed_leaves_the_old_archive_or_the_new_and_never_half(
    repository: Repository, tmp_path: Path
) -> None:
    places, chance = Places(tmp_path / "archive"), random.Random(2)
    recorded(places.folder, some_readings(3000), name="one")
    create(places, repository)
    recorded(places.folder, some_readings(3000, first=3000), name="two")
    create(places, repository)

    for _ in range(ROUNDS):
        said_before_killed(
            "restore_process", places.folder, tmp_path / "backups", after=chance.random() * 0.2
        )

        assert check_archive(places, tmp_path / "backups").sound
        assert table(places).num_rows in (3000, 6000)

    assert restore(repository, repository.manifest("last"), places, before=lambda: True) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "backups"], (
        "nothing is left behind"
    )


def kinds(folder: Path, repository: Repository) -> dict[str, Path]:
    """One file of every kind that there is in a folder of backups."""
    manifest = repository.manifest("tour")
    entries = {entry.name: entry.objects[0] for entry in repository.entries(manifest)}
    segment = next(name for name in entries if name.endswith(".parquet"))
    return {
        "manifest": folder / "tour.json",
        "note": folder / "tour.verified",
        "database": folder / "objects" / entries["archive/archive.db"],
        "segment": folder / "objects" / entries[segment],
    }


@pytest.mark.parametrize("kind", ["manifest", "note", "database", "segment"])
def test_every_flipped_bit_in_every_kind_of_file_is_found_and_the_file_named(
    places: Places, repository: Repository, tmp_path: Path, kind: str
) -> None:
    verify(repository, create(places, repository, name="tour"))
    victim = kinds(tmp_path / "backups", repository)[kind]
    whole, chance = victim.read_bytes(), random.Random(kind)
    where = str(victim.relative_to(tmp_path / "backups"))

    missed = []
    for _ in range(FLIPS // 4):
        place, bit = chance.randrange(len(whole)), chance.randrange(8)
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        victim.write_bytes(damaged)
        if where not in {item.where for item in found(repository)}:
            missed.append((place, bit))

    assert missed == []
    victim.write_bytes(whole)
    assert found(repository) == []


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "renamed": lambda path: path.rename(path.with_name(f"{path.stem[::-1]}{path.suffix}")),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "grown": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["database", "segment"])
def test_a_file_of_a_backup_that_is_not_as_it_was_is_named(
    places: Places, repository: Repository, tmp_path: Path, kind: str, damage: str
) -> None:
    verify(repository, create(places, repository, name="tour"))
    victim = kinds(tmp_path / "backups", repository)[kind]

    DAMAGES[damage](victim)

    named = {item.where: item.what for item in found(repository)}
    assert f"objects/{victim.name}" in named
    if damage == "renamed":
        assert len(named) == 2, "the one that is missing, and the one that nobody knows"
    with pytest.raises(CheckFailed, match=victim.name):
        require_whole(repository, repository.manifest("tour"), scratch=None)


@pytest.mark.parametrize("name", ["objects/notes.txt", "objects/" + "a" * 64, "stranger.db", "deep/er/file"])
def test_a_file_that_belongs_to_no_backup_is_named(
    places: Places, repository: Repository, tmp_path: Path, name: str
) -> None:
    create(places, repository)
    (tmp_path / "backups" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "backups" / name).write_text("hello")

    assert [item.where for item in found(repository)] == [name]


def test_a_manifest_that_is_missing_renamed_or_another_programs_restores_nothing(
    places: Places, repository: Repository, tmp_path: Path
) -> None:
    create(places, repository, name="tour")
    manifest = tmp_path / "backups/tour.json"

    manifest.rename(manifest.with_name("other.json"))
    with pytest.raises(NotFound):
        repository.manifest("tour")
    with pytest.raises(CheckFailed, match="renamed"):
        repository.manifest("other")
    manifest.write_text('{"backup_id": "full_backup_1", "checksum": "0"}')
    with pytest.raises(CheckFailed, match="cannot be read"):
        repository.manifest("tour")
    assert repository.manifests() == []
    assert {item.where for item in found(repository)} == {"other.json", "tour.json"}


def test_145_a_manifest_that_is_damaged_hides_no_other_backup(
    places: Places, repository: Repository, tmp_path: Path
) -> None:
    create(places, repository, name="one")
    create(places, repository, name="two")
    (tmp_path / "backups/one.json").write_text("{")

    assert [item.name for item in repository.manifests()] == ["two"]


def test_every_object_carries_the_checksum_of_zstd_and_is_read_by_other_programs(
    places: Places, repository: Repository, tmp_path: Path
) -> None:
    create(places, repository)

    for path in (tmp_path / "backups/objects").iterdir():
        assert zstandard.get_frame_parameters(path.read_bytes()).has_checksum
    done = (
        subprocess.run(
            ["zstd", "-q", "-t", *sorted((tmp_path / "backups/objects").iterdir())],
            check=False,
            capture_output=True,
        )
        if (Path("/usr/bin/zstd")).exists()
        else None
    )
    assert done is None or done.returncode == 0


def test_a_bomb_in_the_place_of_an_object_is_not_unpacked(
    places: Places, repository: Repository, tmp_path: Path
) -> None:
    import hashlib

    from dsmilctl.archive.backup.objects import SEAL

    made = create(places, repository)
    name = made.entries[0].objects[0]
    frame = zstandard.ZstdCompressor(level=19, write_checksum=True).compress(bytes(1 << 28))
    (tmp_path / "backups/objects" / name).write_bytes(frame + SEAL + hashlib.sha256(frame).digest())

    (told,) = verify(repository, made)

    assert "claims to hold more" in told.what


def test_a_backup_of_an_older_schema_is_brought_to_this_one_and_a_future_one_is_refused(
    places: Places, repository: Repository, tmp_path: Path
) -> None:
    connection = sqlite3.connect(places.database, isolation_level=None)
    connection.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    connection.close()
    future = create(places, repository, name="future")

    assert [item.what for item in verify(repository, future)] == [
        f"its schema is {len(migrations()) + 1}, this program knows {len(migrations())}"
    ]
    before = sorted(path.name for path in places.folder.iterdir())
    with pytest.raises(ConfigError, match="schema"):
        restore(repository, future, places, before=lambda: True)
    assert sorted(path.name for path in places.folder.iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "backups"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_backup_onto_a_disk_that_fills_up_is_not_listed_and_the_others_stay_whole(
    places: Places, small: Path
) -> None:
    repository = Repository(Folder(small / "backups"))
    good = create(places, repository, name="good")
    recorded(places.folder, some_readings(10), records=[record(number) for number in range(1, 20_000)])
    (small / "filler").write_bytes(bytes(os.statvfs(small).f_bavail * 4096 - 256 * 1024))

    with pytest.raises(OSError, match="No space left"):
        create(places, repository, name="partial")

    assert [item.name for item in repository.manifests()] == ["good"]
    assert verify(repository, good) == []
    (small / "filler").unlink()
    assert verify(repository, create(places, repository, name="partial")) == []
    assert found(repository) == []


def test_a_restore_onto_a_disk_that_fills_up_overwrites_nothing(
    repository: Repository, small: Path, tmp_path: Path
) -> None:
    large = recorded(tmp_path / "large", some_readings(10), records=[record(n) for n in range(1, 8000)])[0]
    made = create(large, repository)
    places = recorded(small / "archive", some_readings(50))[0]
    before = table(places)

    with pytest.raises(OSError, match="No space left"):
        restore(repository, made, places, before=lambda: True)
    with pytest.raises(OSError, match="No space left"):
        bring_out(repository, made, small / "out")

    assert table(places).equals(before)
    assert check_archive(places, tmp_path / "backups").sound
    assert [path.name for path in small.iterdir()] == ["archive"]


def test_two_that_back_up_at_once_do_not_meet(places: Places, repository: Repository) -> None:
    with repository.target.held(), pytest.raises(Conflict, match="another process"):
        create(places, repository)


def test_fault_182_an_archive_that_is_damaged_is_kept_when_a_backup_takes_its_place(
    places: Places, repository: Repository, tmp_path: Path
) -> None:
    made = create(places, repository)
    content = bytearray(places.database.read_bytes())
    content[:4096] = bytes(4096)
    places.database.write_bytes(content)

    kept = restore(repository, made, places, before=lambda: False)

    assert kept == tmp_path / "archive.replaced-1"
    assert (kept / "archive.db").read_bytes() == content
    assert table(places).num_rows == 5000
    assert rows(places, "PRAGMA quick_check") == [("ok",)]


def test_where_two_folders_cannot_be_exchanged_in_one_step_it_is_told_and_nothing_has_moved(
    tmp_path: Path,
) -> None:
    inner = tmp_path / "one/inner"
    inner.mkdir(parents=True)

    with pytest.raises(StateUnavailable, match="in one step"):
        exchange(tmp_path / "one", inner)  # a folder and one in it: the kernel's own example of EINVAL

    assert inner.is_dir()
