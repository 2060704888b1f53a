"""Small files in which one bit of a text flipped: it is no UTF-8 any more, and no file of ours either."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dsmilctl.archive.supervision import Ending, Health, Supervision
from dsmilctl.client.bulks import Bulks, bulk_result
from dsmilctl.config.contexts import find_context, use_context
from dsmilctl.config.paths import Paths
from dsmilctl.config.settings import Settings, load_settings
from dsmilctl.errors import ConfigError, StateUnavailable
from dsmilctl.fleet.switches import Switch, Switches
from dsmilctl.guard import spans
from dsmilctl.model.device import DeviceState
from dsmilctl.model.emergency import StopOutcome
from tests.rack import Lab, Rack, outcomes
from tests.unit.evidence import filled
from tests.unit.homes import write


def flip(file: Path, text: bytes) -> None:
    """Flip the highest bit of the first letter of a text that a file holds."""
    content = file.read_bytes()
    place = content.index(text)
    file.write_bytes(content[:place] + bytes([content[place] ^ 0x80]) + content[place + 1 :])


async def test_damaged_switches_open_no_driver_and_a_stop_reaches_every_device(home: Paths) -> None:
    Switches(home.driver_switches_file).set("other", Switch(False, "broken fan", 1))
    flip(home.driver_switches_file, b"broken")
    lab = Lab(home, Rack(2))

    with pytest.raises(StateUnavailable, match=r"drivers\.json") as refused:
        await lab.client().open()
    stop = await lab.client().stop(reason="smoke")

    assert "mend or remove" in refused.value.hint
    assert outcomes(stop) == {"rack-0": StopOutcome.STOPPED, "rack-1": StopOutcome.STOPPED}


async def test_a_damaged_memory_is_no_memory(home: Paths) -> None:
    lab = Lab(home, Rack(1))
    async with lab.client() as client:
        await client.read(await client.devices())
    flip(home.state / "devices" / "lab.json", b"rack-0")

    async with lab.client() as client:
        (before,) = await client.statuses(await client.devices())
        await client.read(await client.devices())
    async with lab.client() as client:
        (after,) = await client.statuses(await client.devices())

    assert (before.state, after.state) == (DeviceState.DISCOVERED, DeviceState.CONNECTED)


def test_a_damaged_result_of_the_validation_is_worked_out_again(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsmilctl.config.cache.SETTLED", 0)
    write(home.settings_file, "theme = 'light'")
    load_settings()
    (file,) = home.settings_cache.iterdir()
    flip(file, b"light")

    assert load_settings() == Settings(theme="light")
    flip(file, b"light")  # it was kept anew


def test_a_damaged_choice_is_an_error_that_says_how_to_choose_anew(home: Paths) -> None:
    use_context("sim")
    flip(home.current_context_file, b"sim")

    with pytest.raises(ConfigError, match="cannot be read") as caught:
        find_context()
    use_context("sim")

    assert "dsmilctl context use NAME" in caught.value.hint
    assert find_context().name == "sim"


def test_a_damaged_bulk_names_its_file(tmp_path: Path) -> None:
    bulks = Bulks(tmp_path)
    bulks.keep(bulk_result("bulk-00c0ffee0000", []))
    flip(tmp_path / "bulk-00c0ffee0000.json", b"bulk-00")

    with pytest.raises(StateUnavailable, match=r"bulk-00c0ffee0000\.json"):
        bulks.get("bulk-00c0ffee0000")


def test_what_a_recorder_told_and_was_asked_counts_as_nothing_when_it_is_damaged(tmp_path: Path) -> None:
    supervision = Supervision(tmp_path)
    supervision.tell(Health(process=1, recording_id="r", name="night", context="sim", started=1, updated=1))
    supervision.ask_to_end(Ending("completed"))
    assert (supervision.health(), supervision.asked()) != (None, None)

    flip(tmp_path / "recorder.json", b"night")
    flip(tmp_path / "ending.json", b"completed")

    assert (supervision.health(), supervision.asked()) == (None, None)


def test_a_process_that_answers_nonsense_leaves_the_verification_to_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = filled(tmp_path / "journal", 40, 3000)
    nonsense = tmp_path / "python"
    nonsense.write_text('#!/bin/sh\ncat > /dev/null; printf \'{"sound":true,"hash":"\\351a"}\'\n')
    nonsense.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(nonsense))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})

    assert spans.verify_split(tmp_path / "journal", "") is None
    assert journal.verify().intact
