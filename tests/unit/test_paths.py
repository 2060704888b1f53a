"""Where things lie: XDG variables are obeyed, DSMIL_HOME moves everything, no name leads out."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.config.paths import Paths, file_name, name_of, paths

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the XDG folders are those of Linux")
VARIABLES = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_DIRS")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "XDG_RUNTIME_DIR", "DSMIL_HOME"):
        monkeypatch.delenv(name, raising=False)


def by_platformdirs() -> tuple[Path, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = platformdirs.PlatformDirs("dsmilctl", appauthor=False)
        return (
            found.user_config_path,
            found.user_state_path,
            found.user_data_path,
            found.user_cache_path,
            found.site_config_path,
        )


def ours() -> tuple[Path, ...]:
    found = paths()
    return (found.config, found.state, found.data, found.cache, found.system)


@LINUX
@pytest.mark.parametrize("value", ["", "  ", "/elsewhere", "relative/folder", "~/mine", "/with space/ü"])
@pytest.mark.parametrize("variable", VARIABLES)
def test_the_folders_are_those_of_platformdirs(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    assert ours() == by_platformdirs()


@LINUX
def test_without_any_variable_the_folders_are_below_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert ours() == by_platformdirs()
    assert paths().state == tmp_path / ".local/state/dsmilctl"


def test_one_variable_puts_everything_below_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere/else")
    monkeypatch.setenv("DSMIL_HOME", str(tmp_path))

    found = paths()

    assert [getattr(found, name).parent for name in Paths.__struct_fields__] == [tmp_path] * 6
    assert found.config == tmp_path / "config"


def test_a_relative_home_is_taken_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DSMIL_HOME", "throw-away")

    assert paths().config == tmp_path / "throw-away/config"


@LINUX
def test_a_runtime_folder_that_others_can_enter_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    assert paths().runtime == folder / "dsmilctl"

    folder.chmod(0o755)

    assert paths().runtime != folder / "dsmilctl"
    assert not str(paths().runtime).startswith("/tmp/runtime")


@LINUX
def test_a_latch_falls_back_to_every_runtime_folder_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    anywhere = [Path(f"/run/user/{os.geteuid()}/dsmilctl/latch"), paths().state / "run/latch"]

    assert list(paths().latch_fallbacks) == anywhere
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    assert list(paths().latch_fallbacks) == [folder / "dsmilctl/latch", *anywhere]
    folder.chmod(0o755)
    assert list(paths().latch_fallbacks) == anywhere
    monkeypatch.setenv("DSMIL_HOME", str(tmp_path / "home"))
    assert paths().latch_fallbacks == (tmp_path / "home/run/latch",)
    assert paths().foreign_latches == ()


@LINUX
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away, and look at another user's")
def test_root_looks_for_stops_where_the_owner_of_the_state_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths().foreign_latches == ()
    paths().state.mkdir(parents=True)
    assert paths().foreign_latches == ()

    os.chown(paths().state, 4711, 4711)

    assert paths().foreign_latches == (Path("/run/user/4711/dsmilctl/latch"),)


def test_what_must_survive_lies_in_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSMIL_HOME", str(tmp_path))
    found = paths()

    kept = (found.journal_folder, found.latch_folder, found.tokens_folder, found.driver_state("sim", "sim"))

    assert all(folder.is_relative_to(found.state) for folder in kept)
    assert found.backup_folder == found.data / "backups"
    assert found.settings_file == found.config / "config.toml"


@given(st.text())
def test_a_file_name_is_one_harmless_component_and_tells_the_name_again(name: str) -> None:
    escaped = file_name(name)

    assert name_of(escaped) == name
    assert escaped
    assert "/" not in escaped
    assert not escaped.startswith(".")
    assert escaped.isascii()
    assert escaped.isprintable()


@given(st.text(), st.text())
def test_two_names_never_share_a_file(one: str, other: str) -> None:
    assert (file_name(one) == file_name(other)) == (one == other)


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", ".", "/etc", "a/../../b", "\x00", "%2E%2E"])
def test_no_name_leads_out_of_the_driver_state(name: str, tmp_path: Path) -> None:
    found = Paths(tmp_path, tmp_path, tmp_path, tmp_path, tmp_path, tmp_path).driver_state(name, name)

    assert found.resolve().is_relative_to(tmp_path.resolve() / "drivers")
    assert len(found.relative_to(tmp_path / "drivers").parts) == 2
