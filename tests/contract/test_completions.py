"""TAB in bash, zsh and fish: the right words, from files alone, and harmless whatever a device is called."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dsmilctl.cli import NOUNS
from dsmilctl.config.completion import CompletionWords
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register
from tests.contract.shells import Terminal, bash_candidates, fish_candidates, need

REGISTERS = (Register("TEMP", unit="°C"), Register("VOLTAGE", unit="V"), Register("CONFIG"))
SHELLS = ("bash", "zsh", "fish")
HOSTILE = [
    "evil$(touch pwned)",
    "evil`touch pwned`",
    "evil;touch pwned",
    "evil|touch pwned",
    "evil&touch pwned",
    "evil>pwned",
    "evil *",
    "evil'\"",
    "evil\\n",
    "evil!!",
    "evil${HOME}",
    "evil~",
    "evil#comment",
    "evil{a,b}",
    "evilé✓",
]
Complete = Callable[[str], list[str]]


def device(device_id: int | str, group: str = "") -> Device:
    return Device(device_id, "a device", "sim", REGISTERS, group)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    words = CompletionWords(home / "cache/completion")
    words.keep_contexts([("local", "this machine"), ("sim", "simulated devices"), ("plant", "a plant")])
    words.keep_drivers([("host", "this machine's sensors"), ("sim", "simulated devices")])
    words.keep_current("sim")
    words.keep_fleet("sim", [device(0x8000 + n, "controllers" if n < 2 else "storage") for n in range(4)])
    words.keep_fleet("plant", [device("boiler-1"), device("hwmon:nvme"), device("pump-1")])
    return {"HOME": str(home), "DSMIL_HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


@pytest.fixture(scope="module")
def zsh(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Terminal]:
    terminal = Terminal("zsh", tmp_path_factory.mktemp("zsh"), environment)
    yield terminal
    terminal.close()


@pytest.fixture(params=SHELLS)
def complete(request: pytest.FixtureRequest, environment: dict[str, str]) -> Complete:
    """What TAB offers at the end of a line."""
    if request.param == "zsh":
        terminal: Terminal = request.getfixturevalue("zsh")
        return terminal.candidates
    ask = bash_candidates if request.param == "bash" else fish_candidates
    return lambda line: ask(line, environment)


def offered(found: list[str], *, after: str = "") -> set[str]:
    """Candidates without the part of the word that a shell may or may not repeat."""
    return {word.removeprefix(after) for word in found}


def test_every_noun_is_offered(complete: Complete) -> None:
    assert set(complete("dsmilctl ")) == set(NOUNS)


def test_the_verbs_of_a_noun_are_offered(complete: Complete) -> None:
    assert set(complete("dsmilctl -C sim device re")) == {"read", "registers", "reset"}


def test_options_of_the_verb_and_global_ones_are_offered(complete: Complete) -> None:
    found = set(complete("dsmilctl device read --"))

    assert {"--offset", "--watch", "--context", "--fields", "--help"} <= found
    assert "--if-value" not in found


def test_fixed_choices_are_offered_for_an_option(complete: Complete) -> None:
    formats = {"table", "wide", "json", "ndjson", "csv", "plain"}

    assert set(complete("dsmilctl device list -o ")) == formats
    assert set(complete("dsmilctl device list -o nd")) == {"ndjson"}
    assert offered(complete("dsmilctl device list --progress="), after="--progress=") == {
        "auto",
        "json",
        "none",
    }


def test_devices_and_groups_of_the_current_context_are_offered_as_targets(complete: Complete) -> None:
    everything = {"@all", "@controllers", "@storage", "0x8000", "0x8001", "0x8002", "0x8003"}

    assert set(complete("dsmilctl device read ")) == everything
    assert offered(complete("dsmilctl device read @c"), after="@") == {"controllers"}


def test_a_selector_goes_on_after_its_comma(complete: Complete) -> None:
    found = complete("dsmilctl bulk read 0x8001,0x800")

    assert offered(found, after="0x8001,") == {"0x8000", "0x8001", "0x8002", "0x8003"}


def test_a_filter_goes_on_after_its_equals_sign(complete: Complete) -> None:
    assert offered(complete("dsmilctl device list risk=H"), after="risk=") == {"HIGH"}


@pytest.mark.parametrize(
    "named", ["-C plant device read", "device read --context=plant", "device --context plant read"]
)
def test_devices_of_the_context_that_the_line_names_are_offered(complete: Complete, named: str) -> None:
    assert set(complete(f"dsmilctl {named} b")) == {"boiler-1"}


def test_an_id_with_a_colon_is_completed_as_one_word(complete: Complete) -> None:
    assert offered(complete("dsmilctl -C plant device read hwmon:n"), after="hwmon:") == {"nvme"}


def test_registers_are_offered_after_the_device(complete: Complete) -> None:
    assert set(complete("dsmilctl device read 0x8000 ")) == {"TEMP", "VOLTAGE", "CONFIG"}
    assert set(complete("dsmilctl device read 0x8000 TEMP V")) == {"VOLTAGE"}
    assert set(complete("dsmilctl device write 0x8000 C")) == {"CONFIG"}


def test_a_quoted_value_with_blanks_is_one_word(complete: Complete) -> None:
    line = "dsmilctl device write --justification 'it is hot' 0x8000 T"

    assert set(complete(line)) == {"TEMP"}


def test_contexts_and_drivers_are_offered_by_name(complete: Complete) -> None:
    assert set(complete("dsmilctl -C ")) == {"local", "sim", "plant"}
    assert set(complete("dsmilctl context use ")) == {"local", "sim", "plant"}
    assert {"host", "sim"} <= set(complete("dsmilctl driver show "))


@pytest.mark.parametrize(
    "line", ["-C nowhere device read ", "-C ../plant device read ", "nonsense ", "device nonsense "]
)
def test_what_is_not_known_offers_nothing_and_says_nothing(complete: Complete, line: str) -> None:
    assert complete(f"dsmilctl {line}") == []


def test_a_machine_on_which_nothing_was_run_yet_offers_the_fixed_words(tmp_path: Path) -> None:
    bare = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    for ask in (bash_candidates, fish_candidates):
        assert set(ask("dsmilctl device re", bare)) == {"read", "registers", "reset"}
        assert ask("dsmilctl device read ", bare) == []


def test_what_commands_have_seen_is_what_tab_offers(tmp_path: Path) -> None:
    home = {
        "HOME": str(tmp_path),
        "DSMIL_HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
    }
    for line in ("-C sim device list", "context use sim", "context list", "driver list"):
        command = [sys.executable, "-m", "dsmilctl", *line.split()]
        subprocess.run(command, env=home, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)

    for ask in (bash_candidates, fish_candidates):
        assert len([word for word in ask("dsmilctl device read ", home) if word.startswith("0x80")]) >= 79
        assert {"TEMP", "VOLTAGE"} <= set(ask("dsmilctl device read 0x8000 ", home))
        assert {"local", "sim"} <= set(ask("dsmilctl -C ", home))
        assert {"host", "sim"} <= set(ask("dsmilctl driver show ", home))


def test_without_a_chosen_context_devices_of_this_machine_are_offered(tmp_path: Path) -> None:
    CompletionWords(tmp_path / "cache/completion").keep_fleet("local", [device("cpu")])
    home = {"HOME": str(tmp_path), "DSMIL_HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    for ask in (bash_candidates, fish_candidates):
        assert set(ask("dsmilctl device show ", home)) == {"@all", "cpu"}


@pytest.mark.parametrize("shell", SHELLS)
def test_whatever_a_device_is_called_tab_inserts_it_as_one_harmless_word(shell: str, tmp_path: Path) -> None:
    need(shell)
    words = CompletionWords(tmp_path / "cache/completion")
    for number, name in enumerate(HOSTILE):
        words.keep_fleet(f"odd{number}", [device(name)])
    terminal = Terminal(
        shell,
        tmp_path,
        {"HOME": str(tmp_path), "DSMIL_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )

    ran = [terminal.run(f"dsmilctl -C odd{number} device show ev\t") for number in range(len(HOSTILE))]
    terminal.close()

    assert ran == [["-C", f"odd{number}", "device", "show", name] for number, name in enumerate(HOSTILE)]
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_line_of_the_cache_with_control_characters_is_left_out(
    shell: str, environment: dict[str, str]
) -> None:
    folder = Path(environment["DSMIL_HOME"]) / "cache/completion/raw"
    folder.mkdir(exist_ok=True)
    (folder / "devices").write_bytes(b"good\tfine\n\x1b[2Jclear\tbad\nbe\x07ll\tbad\n\n")

    line = "dsmilctl -C raw device show "
    if shell == "zsh":
        terminal = Terminal("zsh", folder, environment)
        found = terminal.candidates(line)
        terminal.close()
    else:
        found = (bash_candidates if shell == "bash" else fish_candidates)(line, environment)

    assert found == ["good"]
