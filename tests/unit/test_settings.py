"""Settings as a user meets them: where they come from, which source wins, how they are written."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsmilctl.config.manual import Entry, manual
from dsmilctl.config.paths import Paths
from dsmilctl.config.schema import SettingsSchema
from dsmilctl.config.settings import (
    DEFAULTS,
    Settings,
    load_settings,
    origins,
    set_setting,
    settings_despite_errors,
    validate,
)
from dsmilctl.errors import ConfigError
from tests.unit.homes import throw_away_home, write


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return throw_away_home(tmp_path, monkeypatch)


def test_without_any_configuration_the_defaults_are_in_force(home: Paths) -> None:
    assert load_settings() == Settings()
    assert not home.cache.exists()


def test_the_quick_defaults_are_those_of_the_schema() -> None:
    quick = msgspec.to_builtins(DEFAULTS)
    schema = SettingsSchema().model_dump()

    assert quick == schema
    assert list(quick) == list(schema)


def test_every_setting_is_explained_and_every_quantity_has_a_unit() -> None:
    def unexplained(schema: dict[str, Any], path: str) -> list[str]:
        wrong = []
        for name, field in schema["properties"].items():
            lines = [] if field.get("description") else [f"{path}{name}: no description"]
            if field.get("type") in ("number", "integer") and "unit" not in field:
                lines.append(f"{path}{name}: no unit")
            wrong += lines
        return wrong

    schema = SettingsSchema.model_json_schema()
    nested = schema["$defs"].items()

    assert unexplained(schema, "") == []
    assert [line for name, model in nested for line in unexplained(model, f"{name}.")] == []


def test_the_manual_tells_of_every_setting_what_it_takes_and_where_it_is_set(home: Paths) -> None:
    entries = {entry.key: entry for entry in manual()}

    assert set(entries) == set(origins())
    cap = entries["reconnect.cap"]
    assert (cap.takes, cap.default) == ("a number of seconds above 0 up to 86400", 30.0)
    assert cap.variable == "DSMIL_RECONNECT__CAP"
    assert cap.description == "The longest pause."
    assert entries["theme"].takes == "one of dark, light, ansi"
    assert entries["log_levels"].default == {}


@pytest.mark.parametrize("entry", manual(), ids=lambda entry: entry.key)
def test_every_variable_of_the_manual_is_read(
    entry: Entry, home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(entry.default).strip('"')
    monkeypatch.setenv(entry.variable, text)

    assert load_settings() == Settings()
    assert not text or origins()[entry.key] == (entry.default, f"environment {entry.variable}")


def test_the_strongest_source_wins_value_by_value(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        home.system_settings_file, "timeout = 1\nretry = 1\ntheme = 'ansi'\noutput = 'csv'\ncolor = 'never'"
    )
    write(
        home.settings_file, "timeout = 2\nretry = 2\ntheme = 'light'\noutput = 'wide'\n[reconnect]\ncap = 2"
    )
    write(Path(".dsmilctl.toml"), "timeout = 3\nretry = 3\ntheme = 'dark'\n[reconnect]\nfirst = 3")
    write(Path(".env"), "DSMIL_TIMEOUT=4\nDSMIL_RETRY=4\n")
    monkeypatch.setenv("DSMIL_TIMEOUT", "5")

    found = load_settings()

    assert (found.timeout, found.retry, found.theme, found.output, found.color) == (
        5,
        4,
        "dark",
        "wide",
        "never",
    )
    assert (found.reconnect.first, found.reconnect.cap, found.reconnect.jitter) == (3, 2, 0.2)


def test_every_value_tells_the_file_and_line_it_comes_from(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = write(home.settings_file, "# mine\n\ntheme = 'light'\n[reconnect]\n# seconds\ncap = 2\n")
    dotenv = write(Path(".env"), "OTHER=1\n\n# ours\nexport DSMIL_RETRY=4\n").absolute()
    monkeypatch.setenv("DSMIL_RECONNECT__FIRST", "0.1")
    monkeypatch.setenv("DSMIL_LOG_LEVELS", '{"guard": "debug"}')

    found = origins()

    assert found["theme"] == ("light", f"{user}:3")
    assert found["reconnect.cap"] == (2.0, f"{user}:6")
    assert found["retry"] == (4, f"{dotenv}:4")
    assert found["reconnect.first"] == (0.1, "environment DSMIL_RECONNECT__FIRST")
    assert found["log_levels.guard"] == ("debug", "environment DSMIL_LOG_LEVELS")
    assert found["timeout"] == (2.0, "default")
    assert {name.split(".")[0] for name in found} == set(Settings.__struct_fields__)


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("DSMIL_TIMEOUT", "2.5", "timeout", 2.5),
        ("DSMIL_RETRY", "3", "retry", 3),
        ("DSMIL_READ_ONLY", "yes", "read_only", True),
        ("DSMIL_READ_ONLY", "0", "read_only", False),
        ("DSMIL_CONTEXT", "sim", "context", "sim"),
        ("DSMIL_LOG_LEVELS__GUARD", "debug", "log_levels", {"guard": "debug"}),
        ("DSMIL_LOG_LEVELS", '{"drivers.host": "info"}', "log_levels", {"drivers.host": "info"}),
        ("DSMIL_LOG_FILE", "/tmp/a b.log", "log_file", "/tmp/a b.log"),
    ],
)
def test_a_variable_is_converted_to_the_type_of_its_setting(
    variable: str, text: str, path: str, value: object, home: Paths
) -> None:
    os.environ[variable] = text
    try:
        assert getattr(load_settings(), path) == value
    finally:
        del os.environ[variable]


def test_variables_of_the_sdk_and_empty_ones_are_not_settings(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSMIL_PASSWORD", "canary")
    monkeypatch.setenv("DSMIL_BASE_URL", "https://example.org")
    monkeypatch.setenv("DSMIL_TIMEOUT", "")

    assert load_settings() is DEFAULTS


def test_the_project_file_is_the_nearest_one_up_to_the_top_of_the_checkout(
    home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, inner = tmp_path / "work", tmp_path / "work/checkout/deep/folder"
    inner.mkdir(parents=True)
    (tmp_path / "work/checkout/.git").mkdir()
    write(outer / ".dsmilctl.toml", "retry = 1")
    monkeypatch.chdir(inner)
    assert load_settings().retry == 0

    write(tmp_path / "work/checkout/.dsmilctl.toml", "retry = 2")
    assert load_settings().retry == 2

    write(tmp_path / "work/checkout/deep/.dsmilctl.toml", "timeout = 9")
    assert (load_settings().retry, load_settings().timeout) == (0, 9.0)


def test_without_a_checkout_a_project_reaches_up_to_the_home_folder_and_no_further(
    home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "work/deep/folder"
    inner.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "work"))
    monkeypatch.chdir(inner)
    write(tmp_path / ".dsmilctl.toml", "retry = 1")
    assert load_settings().retry == 0

    write(tmp_path / "work/.dsmilctl.toml", "retry = 2")
    assert load_settings().retry == 2


def test_outside_of_the_home_folder_and_of_a_checkout_only_the_folder_itself_is_a_project(
    home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    (tmp_path / "work/below").mkdir()
    write(tmp_path / "work/.dsmilctl.toml", "retry = 7")

    assert load_settings().retry == 7
    monkeypatch.chdir("below")
    assert load_settings().retry == 0


def test_a_working_folder_that_was_removed_has_no_project(
    home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert load_settings() == DEFAULTS


def test_an_emergency_gets_the_defaults_and_the_error(home: Paths) -> None:
    write(home.settings_file, "timeout = 'soon'")

    found, error = settings_despite_errors()

    assert found == DEFAULTS
    assert isinstance(error, ConfigError)


def test_a_written_setting_is_in_force_and_comments_stay(home: Paths) -> None:
    file = write(
        home.settings_file,
        "# my settings\ntimeout = 1 # short\n\n[reconnect] # when lost\ncap = 5\n\n# end\n",
    )

    assert set_setting("timeout", "7.5") == file
    set_setting("theme", "light")
    set_setting("reconnect.first", "2")
    set_setting("log_levels.drivers.host", "debug")

    found = load_settings()
    assert (found.timeout, found.theme, found.reconnect.first, found.reconnect.cap) == (7.5, "light", 2, 5)
    assert found.log_levels == {"drivers.host": "debug"}
    assert file.read_text() == (
        '# my settings\ntimeout = 7.5 # short\ntheme = "light"\n\n[reconnect] # when lost\ncap = 5\n'
        'first = 2.0\n\n# end\n\n[log_levels]\n"drivers.host" = "debug"\n'
    )


@pytest.mark.parametrize(
    "before",
    [
        "",
        "reconnect = {cap = 5}",
        "reconnect.cap = 5",
        "reconnect.cap = 5\n[log_levels]\nguard = 'info'",
        "[reconnect]",
        "[reconnect]\nfirst = 1",
        "timeout = 1\n[log_levels]\n'a.b' = 'info'\r\n[reconnect]\r\ncap = 5 # five",
        "# only a comment",
        "log_file = '''\n[reconnect]\nfirst = 3'''",
    ],
)
def test_a_setting_is_written_however_its_table_is_spelled(before: str, home: Paths) -> None:
    write(home.settings_file, before)
    other = load_settings()

    set_setting("reconnect.first", "0.25")

    found = load_settings()
    assert found.reconnect.first == 0.25
    assert msgspec.structs.replace(found, reconnect=other.reconnect) == other
    assert found.reconnect.cap == other.reconnect.cap


def test_a_project_setting_goes_into_the_project_file(home: Paths, tmp_path: Path) -> None:
    (tmp_path / "work/.git").mkdir()

    file = set_setting("context", "sim", project=True)

    assert file == tmp_path / "work/.dsmilctl.toml"
    assert origins()["context"] == ("sim", f"{file}:1")
    assert not home.settings_file.exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("tiemout", "1", "unknown setting 'tiemout'"),
        ("timeout", "soon", "timeout should be a number of seconds above 0 up to 3600"),
        ("timeout", "nan", "timeout should be"),
        ("reconnect", "1", "reconnect is a table"),
        ("reconnect.firts", "1", "unknown setting 'reconnect.firts'"),
        ("timeout.x", "1", "timeout should be"),
        ("", "1", "unknown setting ''"),
        ("..", "1", "unknown setting"),
        ("log_levels.guard", "loud", "log_levels.guard should be one of debug, info, warning, error"),
    ],
)
def test_a_wrong_setting_is_refused_and_nothing_is_written(
    key: str, value: str, said: str, home: Paths
) -> None:
    with pytest.raises(ConfigError) as caught:
        set_setting(key, value)

    assert said in caught.value.message
    assert not home.settings_file.exists()


def test_a_file_with_errors_is_not_written_to(home: Paths) -> None:
    write(home.settings_file, "tiemout = 1\n")

    with pytest.raises(ConfigError, match="tiemout"):
        set_setting("timeout", "1")

    assert home.settings_file.read_text() == "tiemout = 1\n"


def test_writing_keeps_the_mode_of_the_file_and_follows_a_link(home: Paths, tmp_path: Path) -> None:
    real = write(tmp_path / "dotfiles/dsmilctl.toml", "retry = 1\n")
    real.chmod(0o640)
    home.config.mkdir(parents=True)
    home.settings_file.symlink_to(real)

    set_setting("retry", "2")

    assert home.settings_file.is_symlink()
    assert real.read_text() == "retry = 2\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert list(real.parent.iterdir()) == [real]


WORDS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
VALUES = {
    "timeout": st.floats(0.001, 3600),
    "retry": st.integers(0, 100),
    "read_only": st.booleans(),
    "theme": st.sampled_from(["dark", "light", "ansi"]),
    "log_file": WORDS,
    "reconnect.jitter": st.floats(0, 1),
    "reconnect.give_up": st.integers(0, 1_000_000),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    written=st.lists(st.sampled_from(sorted(VALUES)).flatmap(lambda key: VALUES[key].map(lambda v: (key, v))))
)
def test_whatever_is_written_is_loaded_again(written: list[tuple[str, object]], home: Paths) -> None:
    home.settings_file.unlink(missing_ok=True)
    for key, value in written:
        set_setting(key, str(value))

    found = origins()

    assert {key: found[key][0] for key, _ in written} == dict(written)
    assert validate() == []
