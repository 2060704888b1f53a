"""Where a latch cannot be written: a stop lies in every runtime folder, and goes home as soon as it can."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from dsmilctl.config.paths import paths
from dsmilctl.errors import EmergencyStopActive, StateUnavailable
from dsmilctl.guard import latch as latch_module
from dsmilctl.guard.latch import UNREADABLE, Latch
from dsmilctl.guard.latch_files import write as write_latch
from tests.rack import Lab, Rack, write
from tests.unit.evidence import WallClock
from tests.unit.test_latch import stop


class Site:
    """A state folder that can be blocked, and the runtime folders of a session and of a user's number."""

    def __init__(self, folder: Path) -> None:
        self.latch = folder / "state" / "latch"
        self.session = folder / "session" / "dsmilctl" / "latch"
        self.user = folder / "user" / "dsmilctl" / "latch"
        self.clock = WallClock()
        for root in (self.latch, self.session, self.user):
            root.parents[1].mkdir(parents=True, exist_ok=True)
        (folder / "state").mkdir()

    def block(self) -> None:
        self.latch.write_text("a file where the folder should be")

    def free(self) -> None:
        self.latch.unlink()

    def open(self, *fallbacks: Path, also: tuple[str, ...] = (), foreign: tuple[Path, ...] = ()) -> Latch:
        """The latch as another process has it."""
        return Latch(self.latch, "sim", fallbacks, self.clock, also=also, foreign=foreign)

    def stopped(self, *fallbacks: Path, also: tuple[str, ...] = ()) -> None:
        """Put a stop in force that lies in the fallbacks alone."""
        self.block()
        self.open(*fallbacks, also=also).engage(stop())
        self.free()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("stop-*.json"))


def test_a_stop_lies_in_every_fallback_that_is_there(site: Site, tmp_path: Path) -> None:
    site.block()
    missing = tmp_path / "no session" / "dsmilctl" / "latch"

    told = site.open(site.session, missing, site.user).engage(stop())

    assert str(site.session) in told
    assert str(site.user) in told
    assert files(site.session) == files(site.user) == ["sim/stop-1.json"]
    assert not missing.parents[1].exists(), "what the system makes is not made here"
    assert site.open(site.user).holding(1) is not None


def test_a_stop_in_a_fallback_alone_goes_to_the_disk_as_soon_as_that_takes_it(site: Site) -> None:
    site.stopped(site.session, site.user)

    assert site.open(site.user).holding(1) == stop()

    shutil.rmtree(site.session)
    shutil.rmtree(site.user)
    assert site.open(site.session, site.user).stops() == (stop(),)


def test_a_disk_that_takes_nothing_is_tried_again_after_a_while_by_who_looks(site: Site) -> None:
    site.stopped(site.user)
    site.block()
    looking = site.open(site.user)
    assert {item.stop_id for item in looking.stops()} == {"stop-1", UNREADABLE}
    site.free()

    assert looking.stops() == (stop(),)
    assert files(site.latch) == [], "not at every look"
    site.clock.advance(2)
    assert looking.stops() == (stop(),)

    assert files(site.latch) == ["sim/stop-1.json"]


def test_a_stop_of_a_fleet_with_several_keys_goes_home_under_each(site: Site) -> None:
    site.stopped(site.user, also=("devices-1", "named-hall"))

    site.open(site.user).stops()

    assert files(site.latch) == ["devices-1/stop-1.json", "named-hall/stop-1.json", "sim/stop-1.json"]


def test_a_release_takes_a_stop_out_of_every_place(site: Site) -> None:
    site.stopped(site.session, site.user, also=("named-hall",))
    site.open(site.user, also=("named-hall",)).stops()

    (released,) = site.open(site.session, site.user).release("stop-1", "bob")

    assert released.released_by == "bob"
    assert [*files(site.latch), *files(site.session), *files(site.user)] == []
    assert site.open(site.session, site.user, also=("named-hall",)).stops() == ()


def while_it_is_copied(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Have something happen when a stop is read in a fallback, and not yet written where it belongs."""

    def written(path: Path, content: bytes, twin: Path) -> None:
        monkeypatch.setattr(latch_module, "write", write_latch)
        do()
        write_latch(path, content, twin)

    monkeypatch.setattr(latch_module, "write", written)


def test_a_stop_that_is_released_while_it_is_copied_stays_released(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.stopped(site.user)
    other = site.open(site.user)
    looking = site.open(site.user)
    other._tried = site.clock.monotonic()  # it has tried a moment ago
    while_it_is_copied(monkeypatch, lambda: other.release("stop-1", "bob"))

    looking.stops()

    assert looking.stops() == ()
    assert files(site.latch) == []


def test_a_stop_whose_fallback_vanishes_while_it_is_copied_stays_in_force(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.stopped(site.user)
    while_it_is_copied(monkeypatch, lambda: shutil.rmtree(site.user))

    site.open(site.user).stops()

    assert site.open().stops() == (stop(),)


def test_another_users_fallback_is_looked_at_and_never_written(site: Site) -> None:
    site.stopped(site.user)
    looking = site.open(foreign=(site.user,))
    assert looking.holding(1) == stop()

    looking.release("stop-1", "bob")
    site.latch.rename(site.latch.with_name("released"))
    site.block()

    assert files(site.user) == []
    with pytest.raises(StateUnavailable):
        looking.engage(stop(2))
    assert files(site.user) == []


def test_what_cannot_be_read_in_a_fallback_stops_everything_and_is_not_copied(site: Site) -> None:
    (site.user / "sim").mkdir(parents=True)
    (site.user / "sim" / "stop-1.json").write_bytes(b"{")

    assert [held.stop_id for held in site.open(site.user).stops()] == [UNREADABLE]
    assert not site.latch.exists()


@pytest.mark.parametrize("linked", ["latch/sim", "latch", "."])
def test_a_latch_behind_a_link_to_a_disk_that_is_not_there_counts_as_a_stop(
    tmp_path: Path, linked: str
) -> None:
    disk, link = tmp_path / "disk", tmp_path / "state" / linked
    disk.mkdir()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(disk)
    latch = Latch(tmp_path / "state" / "latch", "sim")
    assert latch.stops() == ()
    latch.engage(stop())
    assert latch.stops() == (stop(),)

    disk.rename(tmp_path / "not mounted")

    (held,) = latch.stops()
    assert held.stop_id == UNREADABLE
    assert "leads nowhere" in held.reason


async def test_a_job_without_a_session_is_stopped_and_the_stop_outlives_the_last_logout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("session", "users"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "users" / str(os.geteuid())).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DSMIL_HOME", raising=False)
    monkeypatch.setattr(
        "dsmilctl.config.paths._runtime_of", lambda user: tmp_path / "users" / str(user) / "dsmilctl"
    )
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "session"))
    rack = Rack(1)
    blocked = paths().latch_folder
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where the folder should be")
    async with Lab(paths(), rack).client() as session:
        told = (await session.stop(reason="smoke")).latch_error
    blocked.unlink()

    monkeypatch.delenv("XDG_RUNTIME_DIR")
    async with Lab(paths(), rack).client() as job:
        with pytest.raises(EmergencyStopActive):
            await job.change(write("rack-0"))
    shutil.rmtree(tmp_path / "session")
    shutil.rmtree(tmp_path / "users")
    async with Lab(paths(), rack).client() as later:
        (standing,) = await later.stops()
        await later.release(standing.stop_id, justification="the smoke was steam")
        assert (await later.change(write("rack-0"))).success

    assert "until that can be written" in told
    assert msgspec.structs.replace(standing, confirmations=()).reason == "emergency stop: smoke"
