"""The quick way to settings: the validation is not loaded while nothing has changed, and never bypassed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.config.settings import Settings, load_settings, set_setting
from dsmilctl.errors import ConfigError
from tests.unit.homes import throw_away_home, write

SLOW = ("pydantic", "pydantic_settings", "dotenv", "tomllib", "platformdirs", "json", "difflib", "tempfile")
LOAD = f"""
import sys
from dsmilctl.config.contexts import find_context
from dsmilctl.config.settings import load_settings
settings, context = load_settings(), find_context()
print(settings.timeout, context.name, *(name for name in {SLOW} if name in sys.modules))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return throw_away_home(tmp_path, monkeypatch)


def in_a_fresh_process() -> list[str]:
    # What measures the coverage loads modules of its own.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", LOAD]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return answer.stdout.split()


@pytest.fixture(autouse=True)
def keep_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsmilctl.config.cache.SETTLED", 0)


def kept(home: Paths) -> list[Path]:
    return sorted(home.settings_cache.iterdir()) if home.settings_cache.is_dir() else []


def test_nothing_slow_is_loaded_where_nothing_is_configured(home: Paths) -> None:
    assert in_a_fresh_process() == ["2.0", "local"]
    assert not home.cache.exists()


def test_nothing_slow_is_loaded_a_second_time(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home.settings_file, "timeout = 7")
    write(home.contexts_file, "[contexts.bench]\ndriver = 'sim'\noptions = {devices = 9}")
    monkeypatch.setenv("DSMIL_CONTEXT", "bench")
    load_settings()
    from dsmilctl.config.contexts import find_context

    find_context()

    assert in_a_fresh_process() == ["7.0", "bench"]


def test_the_result_is_kept_privately_and_without_secrets(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home.settings_file, "timeout = 7")
    write(Path(".env"), "DSMIL_PASSWORD=canary-1\nDSMIL_RETRY=2\nDB_PASSWORD=canary-2")
    monkeypatch.setenv("DSMIL_TOKEN", "canary-3")
    monkeypatch.setenv("DSMIL_PASSWORD", "canary-4")

    load_settings()

    (file,) = kept(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "canary" not in file.read_text()


def test_a_context_with_a_secret_option_is_not_kept(home: Paths) -> None:
    from dsmilctl.config.contexts import find_context

    write(home.contexts_file, "[contexts.lab]\ndriver = 'nhem'\noptions = {login = {password = 'canary'}}")

    assert find_context("lab").drivers[0].options == {"login": {"password": "canary"}}
    assert kept(home) == []


def test_a_change_of_any_source_is_seen_at_once(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home.settings_file, "timeout = 1")
    assert load_settings().timeout == 1

    write(home.settings_file, "timeout = 2")
    assert load_settings().timeout == 2

    write(home.system_settings_file, "retry = 3")
    assert load_settings().retry == 3

    write(Path(".dsmilctl.toml"), "timeout = 4")
    assert load_settings().timeout == 4

    write(Path(".env"), "DSMIL_TIMEOUT=5")
    assert load_settings().timeout == 5

    monkeypatch.setenv("DSMIL_TIMEOUT", "6")
    assert load_settings().timeout == 6

    monkeypatch.delenv("DSMIL_TIMEOUT")
    Path(".env").unlink()
    Path(".dsmilctl.toml").unlink()
    assert load_settings().timeout == 2

    write(home.config / "config.yaml", "")
    with pytest.raises(ConfigError):
        load_settings()


def test_a_change_that_keeps_size_and_time_is_seen(home: Paths) -> None:
    file = write(home.settings_file, "timeout = 1")
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    assert load_settings().timeout == 1

    file.write_text("timeout = 2")
    os.utime(file, ns=times)

    assert load_settings().timeout == 2


def test_a_file_of_this_very_second_is_not_kept_as_it_may_change_again(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsmilctl.config.cache.SETTLED", 1_000_000_000)
    write(home.settings_file, "timeout = 1")

    assert load_settings().timeout == 1
    assert kept(home) == []


def test_an_error_is_never_kept(home: Paths) -> None:
    write(home.settings_file, "timeout = 'soon'")
    for _ in range(2):
        with pytest.raises(ConfigError):
            load_settings()

    assert kept(home) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"timeout":7.0', '"timeout":"x"'),
        lambda text: "[1, 2]",
        lambda text: "\xff\x00",
    ],
)
def test_a_damaged_result_is_worked_out_again(damage: object, home: Paths) -> None:
    write(home.settings_file, "timeout = 7")
    load_settings()
    (file,) = kept(home)
    assert callable(damage)
    file.write_text(damage(file.read_text()))

    assert load_settings() == Settings(timeout=7)


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o640])
def test_a_result_that_others_could_have_written_is_not_believed(mode: int, home: Paths) -> None:
    write(home.settings_file, "timeout = 7")
    load_settings()
    (file,) = kept(home)
    forged = json.loads(file.read_text())
    forged["value"]["timeout"] = 99.0
    file.write_text(json.dumps(forged))
    assert load_settings().timeout == 99, "the forgery has to be good enough to be believed when private"

    file.chmod(mode)

    assert load_settings().timeout == 7


@pytest.mark.parametrize("place", ["a file", "/proc", "/dev/full/x", "a folder for everybody"])
def test_settings_work_where_nothing_can_be_kept(place: str, home: Paths) -> None:
    write(home.settings_file, "timeout = 7")
    if place == "a file":
        home.cache.write_text("in the place of the folder")
    elif place.startswith("/"):
        home.cache.symlink_to(place)
    else:
        home.settings_cache.mkdir(parents=True)
        home.settings_cache.chmod(0o777)

    assert load_settings().timeout == 7
    assert load_settings().timeout == 7
    assert kept(home) == []


def test_two_projects_do_not_push_each_other_out(
    home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, timeout in (("one", 3), ("two", 4)):
        write(tmp_path / name / ".dsmilctl.toml", f"timeout = {timeout}")
        monkeypatch.chdir(tmp_path / name)
        load_settings()

    assert len(kept(home)) == 2
    assert load_settings().timeout == 4


def test_a_setting_written_just_now_is_in_force(home: Paths) -> None:
    for timeout in (1, 2, 3, 4, 5, 6, 7, 8):
        set_setting("timeout", str(timeout))
        assert load_settings().timeout == timeout
