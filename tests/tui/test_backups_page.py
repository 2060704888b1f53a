"""The backups: a real archive in a throw-away home, backed up and proved by real commands."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from dsmilctl.config.paths import paths
from dsmilctl.tui.backups import BackupListing, BackupRow, backups
from dsmilctl.tui.screens.backups import BackupsPage
from tests.fixtures import home
from tests.tui.dashboard import app_of, app_on, dashboard, line_with, live, notices, screen_of, until
from tests.tui.fake_client import START, World
from tests.tui.test_pictures import Compare
from tests.tui.test_recordings_page import record

__all__ = ["home"]
pytestmark = pytest.mark.usefixtures("home")
SECOND = 1_000_000_000


async def on_page(pilot: Pilot[int]) -> None:
    """Go to the backups."""
    await pilot.press("B")
    await until(pilot, lambda: isinstance(app_of(pilot).screen, BackupsPage))


async def test_without_a_backup_the_page_says_how_one_is_made(world: World) -> None:
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await until(pilot, lambda: "There is no backup yet: n makes one" in screen_of(pilot))
        await pilot.press("v")
        await until(pilot, lambda: "no backup to verify" in notices(pilot))


async def test_a_backup_of_nothing_is_refused_with_the_reason(world: World) -> None:
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await pilot.press("n")
        await until(pilot, lambda: "NOT_FOUND" in notices(pilot))


async def test_a_backup_is_made_and_proved_and_a_flipped_bit_is_found(world: World) -> None:
    record("tour")
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await pilot.press("n")
        await until(pilot, lambda: "was read back" in notices(pilot))
        (row,) = backups(START).rows
        await until(pilot, lambda: row.name in screen_of(pilot))
        assert "✓" in line_with(pilot, row.name)
        assert app_of(pilot).places()["backup"] == row.name

        await pilot.press("v")
        await until(pilot, lambda: f"{row.name} is whole" in notices(pilot))

        largest = max(paths().backup_folder.rglob("objects/**/*"), key=lambda path: path.stat().st_size)
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 1
        largest.chmod(0o600)
        largest.write_bytes(content)
        await pilot.press("v")
        await until(pilot, lambda: "CHECK_FAILED" in notices(pilot))


async def test_a_backup_whose_manifest_is_damaged_is_listed_with_what_is_wrong(world: World) -> None:
    paths().backup_folder.mkdir(parents=True)
    (paths().backup_folder / "night.json").write_text("{}")
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await until(pilot, lambda: "night" in screen_of(pilot))
        assert "✕" in line_with(pilot, "night")


def test_the_page_of_backups(snap_compare: Compare) -> None:
    rows = (
        BackupRow(name="nightly-20251009", created=START, size=48_200_000, recordings=12, rows=2_400_310,
                  verified=START + 7 * SECOND),
        BackupRow(name="before-upgrade", created=START - 86_400 * SECOND, size=47_000_000, recordings=11,
                  rows=2_200_000, encrypted=True),
        BackupRow(name="torn", problem="it cannot be read: truncated"),
    )  # fmt: skip

    async def play(pilot: Pilot[int]) -> None:
        await live(pilot)
        await on_page(pilot)
        page = app_of(pilot).screen
        assert isinstance(page, BackupsPage)
        page._read_at = float("inf")
        await until(pilot, lambda: "There is no backup yet" in screen_of(pilot))
        from dsmilctl.tui.messages import BackupsRead

        page.post_message(BackupsRead(BackupListing(rows, "ok", "nightly-20251009 at /mnt/disk")))
        await until(pilot, lambda: "before-upgrade" in screen_of(pilot))

    assert snap_compare(app_on(World()), terminal_size=(130, 18), run_before=play)
