"""`dsmilctl record status`: recorder, archive, integrity and backups at a glance (feature 192)."""

from __future__ import annotations

from pathlib import Path

from tests.commands.shell import Shell


def test_status_tells_of_recorder_archive_integrity_and_backups(shell: Shell) -> None:
    shell("dsmilctl -C sim record run -n x --for 1s --interval 0.1 0x8000 TEMP")
    before = shell("dsmilctl record status -o json").data
    shell("dsmilctl backup create --name night")
    assert shell("dsmilctl record check").exit == 0
    after = shell("dsmilctl record status -o json").data

    assert (before["recorder"], before["recordings"]) == (None, 1)
    assert before["integrity"] == {
        "sound": True, "found": [], "checked": None, "check_sound": None, "check_found": None,
    }  # fmt: skip
    assert (before["backups"]["count"], before["backups"]["latest"]) == (0, None)
    assert (after["integrity"]["check_sound"], after["integrity"]["check_found"]) == (True, [])
    assert after["integrity"]["checked"] > "2000"
    assert (after["backups"]["count"], after["backups"]["latest"]) == (1, "night")
    assert after["backups"]["bytes"] > 0


def test_status_names_a_missing_segment_and_a_flipped_bit_at_once_and_what_the_last_check_found(
    shell: Shell,
) -> None:
    shell("dsmilctl -C sim record run -n x --for 1s --interval 0.1 0x8000 TEMP")
    folder = Path(shell("dsmilctl record status -o json").data["archive"])
    database, segment = folder / "archive.db", min((folder / "segments").iterdir())

    segment.rename(folder / "gone")
    missing = shell("dsmilctl record status -o json").data["integrity"]
    checked = shell("dsmilctl record check -o json")
    (folder / "gone").rename(segment)
    content = bytearray(database.read_bytes())
    content[-1] ^= 1
    database.write_bytes(content)
    flipped = shell("dsmilctl record status -o json").data["integrity"]

    assert (missing["sound"], missing["found"]) == (False, [f"segments/{segment.name}: it is missing"])
    assert (checked.exit, flipped["check_sound"]) == (9, False)
    assert any(segment.name in line for line in flipped["check_found"])
    assert flipped["sound"] is False
    assert any(line.startswith("archive.db: bits of it have changed") for line in flipped["found"])


def test_maintenance_keeps_what_the_settings_say_unless_an_option_does_and_tells_what_it_did(
    shell: Shell,
) -> None:
    shell("dsmilctl -C sim record run -n x --for 1s --interval 0.1 0x8000 TEMP")
    forever = shell("dsmilctl record maintain --yes -o json").data
    environment = {"DSMIL_ARCHIVE__KEEP_RAW": "0.001", "DSMIL_ARCHIVE__KEEP_SECONDS": "0.001"}
    told = shell("dsmilctl record maintain --keep-raw 9d --yes -o json", environment=environment).data
    done = shell("dsmilctl record maintain --yes -o json", environment=environment).data

    assert (forever["removed"], forever["vacuum"], forever["analyzed"]) == ([], "full", True)
    assert not any("1s" not in name for name in told["removed"]), "the option is stronger than the setting"
    assert done["removed"]
    assert shell("dsmilctl record status -o json").data["sealed_readings"] == 0
    assert shell("dsmilctl record check").exit == 0
    assert shell("dsmilctl backup create").exit == 0
