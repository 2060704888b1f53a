"""The words that TAB offers: kept when they change, readable by a shell, and never a reason to fail."""

from __future__ import annotations

from pathlib import Path

from dsmilctl.config.completion import CompletionWords
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

REGISTERS = (Register("TEMP", unit="°C"), Register("CONFIG"))


def device(device_id: int | str, name: str, group: str = "") -> Device:
    return Device(device_id, name, "sim", registers=REGISTERS, group=group)


def test_a_fleet_leaves_its_devices_groups_and_registers_one_word_a_line(tmp_path: Path) -> None:
    fleet = [device(0x8000, "Master coordination", "controllers"), device("boiler-1", "Boiler")]

    CompletionWords(tmp_path).keep_fleet("plant", fleet)

    assert (tmp_path / "plant/devices").read_text() == (
        "@all\tevery device\n@controllers\tgroup\n0x8000\tMaster coordination\nboiler-1\tBoiler\n"
    )
    assert (tmp_path / "plant/registers").read_text() == "TEMP\t°C\nCONFIG\t\n"


def test_contexts_drivers_and_the_current_context_are_kept_too(tmp_path: Path) -> None:
    words = CompletionWords(tmp_path)

    words.keep_contexts([("local", "this machine"), ("sim", "84 simulated devices")])
    words.keep_drivers([("host", "this machine's sensors")])
    words.keep_current("sim")

    assert (tmp_path / "contexts").read_text() == "local\tthis machine\nsim\t84 simulated devices\n"
    assert (tmp_path / "drivers").read_text() == "host\tthis machine's sensors\n"
    assert (tmp_path / "current").read_text() == "sim\t\n"


def test_a_word_that_a_terminal_would_obey_or_that_is_two_lines_is_left_out(tmp_path: Path) -> None:
    hostile = ["a\nb", "a\tb", "\x1b[2Jclear", "right\u202eleft", "nul\0", "", "x" * 300]

    CompletionWords(tmp_path).keep_fleet("plant", [device(name, "n") for name in (*hostile, "$(id) `id`")])

    assert (tmp_path / "plant/devices").read_text() == "@all\tevery device\n$(id) `id`\tn\n"


def test_words_that_did_not_change_are_not_written_again(tmp_path: Path) -> None:
    words = CompletionWords(tmp_path)
    words.keep_fleet("sim", [device(0x8000, "Master")])
    before = (tmp_path / "sim/devices").stat()

    words.keep_fleet("sim", [device(0x8000, "Master")])

    assert (tmp_path / "sim/devices").stat().st_ino == before.st_ino


def test_a_context_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    CompletionWords(tmp_path / "words").keep_fleet("../../outside", [device(1, "One")])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["words"]


def test_a_file_in_the_place_of_the_folder_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("in the way")

    CompletionWords(tmp_path / "words").keep_fleet("sim", [device(1, "One")])

    assert (tmp_path / "words").read_text() == "in the way"
