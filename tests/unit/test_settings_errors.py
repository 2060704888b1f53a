"""Wrong settings: every error at once, each with file, line and column, what is wrong and what is right."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsmilctl.config.paths import Paths
from dsmilctl.config.settings import Settings, load_settings, origins, validate
from dsmilctl.errors import ConfigError
from tests.unit.homes import plain_user, throw_away_home, write

BOUND = 10.0
"""Seconds: ten times what an answer may take."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return throw_away_home(tmp_path, monkeypatch)


def refused() -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert caught.value.exit_status == 2
    return caught.value


def test_all_errors_of_all_sources_come_at_once_with_their_places(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = write(
        home.settings_file,
        "timeout = 'soon'\n\n  retry = 1.5\nread_only = 1\n"
        "[reconnect]\n  firts = 1\ncap = -1\n[colour]\nx = 1\n",
    )
    system = write(home.system_settings_file, "theme = 'pink'\n")
    project = write(Path(".dsmilctl.toml"), "log_levels = {guard = 'loud'}").absolute()
    dotenv = write(Path(".env"), "A=1\nDSMIL_REFRESH=often\n").absolute()
    monkeypatch.setenv("DSMIL_TIEMOUT", "5")
    monkeypatch.setenv("DSMIL_RECONNECT__CAP", "big")
    monkeypatch.setenv("DSMIL_LOG_LEVELS", "debug")

    assert sorted(validate()) == sorted(
        [
            f'{user}:1:1: timeout should be a number of seconds above 0 up to 3600, not "soon"',
            f"{user}:3:3: retry should be a whole number of attempts from 0 up to 100, not 1.5",
            f"{user}:4:1: read_only should be true or false, not 1",
            f"{user}:6:3: unknown setting 'reconnect.firts'. Did you mean first?",
            f"{user}:7:1: reconnect.cap should be a number of seconds above 0 up to 86400, not -1",
            f"{user}:8:1: unknown setting 'colour'. Did you mean color?",
            f'{system}:1:1: theme should be one of dark, light, ansi, not "pink"',
            f'{project}:1:15: log_levels.guard should be one of debug, info, warning, error, not "loud"',
            f'{dotenv}:2: refresh should be a number of seconds from 0.05 up to 3600, not "often"',
            "environment DSMIL_TIEMOUT: unknown variable DSMIL_TIEMOUT. Did you mean DSMIL_TIMEOUT?",
            "environment DSMIL_RECONNECT__CAP: reconnect.cap should be a number of seconds"
            ' above 0 up to 86400, not "big"',
            "environment DSMIL_LOG_LEVELS: DSMIL_LOG_LEVELS is not a JSON object."
            ' DSMIL_LOG_LEVELS={"key": value} or DSMIL_LOG_LEVELS__KEY=value',
        ]
    )
    error = refused()
    assert all(line in error.message for line in validate())


def test_one_error_is_one_line_with_its_hint_apart(home: Paths) -> None:
    file = write(home.settings_file, "\ntiemout = 1")

    error = refused()

    assert error.message == f"{file}:2:1: unknown setting 'tiemout'"
    assert error.hint == "Did you mean timeout?"
    assert error.target == f"{file}:2:1"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("timeout = ", ":1:11", "is not TOML: Invalid value"),
        ("a = 1\nb ==\n", ":2:4", "is not TOML: Invalid value"),
        ("timeout = 1\ntimeout = 2", ":2:12", "is not TOML: Cannot overwrite a value"),
        ("theme = 'dark", ":1:14", 'is not TOML: Expected "\'"'),
        ("[reconnect", ":1:11", "is not TOML: Expected ']' at the end of a table declaration"),
        pytest.param("retry = [" + "[" * 5000, "", "is nested too deeply", id="brackets"),
        pytest.param("a" + ".a" * 20_000 + " = 1", ":1:1", "is nested deeper than 32 tables", id="dots"),
        ("log_file = '\x00'", ":1:13", "is not TOML"),
    ],
)
def test_what_is_not_toml_is_located(text: str, place: str, said: str, home: Paths) -> None:
    file = write(home.settings_file, text)

    error = refused()

    assert error.message.startswith(f"{file}{place}: ")
    assert said in error.message


def test_a_file_that_is_not_utf8_is_located(home: Paths) -> None:
    write(home.settings_file, "").write_bytes(b"# fine\nlog_file = 'caf\xe9'\n")

    assert refused().message == f"{home.settings_file}:2:16: is not UTF-8 text"


@pytest.mark.parametrize("ending", ["yaml", "yml", "json"])
def test_two_files_of_one_level_are_an_error_that_names_both(ending: str, home: Paths) -> None:
    toml = write(home.settings_file, "retry = 1")
    other = write(home.config / f"config.{ending}", "{}")

    error = refused()

    assert str(toml) in error.message
    assert str(other) in error.message


@pytest.mark.parametrize("name", ["config.yaml", "config.json"])
def test_a_lone_file_of_another_format_is_not_passed_over(name: str, home: Paths) -> None:
    file = write(home.config / name, "timeout: 5")

    error = refused()

    assert error.message == f"{file}: is not read: settings are TOML"
    assert error.hint == "write it as config.toml"


def test_an_unreadable_file_is_said_to_be_unreadable(home: Paths) -> None:
    write(home.settings_file, "retry = 1").chmod(0)

    with plain_user():
        os.chdir("/")
        problems = validate()

    file = home.settings_file
    assert f"{file}: cannot be read: Permission denied. chmod u+r {file}" in problems


def test_a_folder_in_the_place_of_the_file_is_an_error(home: Paths) -> None:
    home.settings_file.mkdir(parents=True)

    assert refused().message == f"{home.settings_file}: cannot be read: Is a directory"


def test_a_fifo_in_the_place_of_the_file_holds_nobody_up(home: Paths) -> None:
    home.config.mkdir(parents=True)
    os.mkfifo(home.settings_file)

    assert refused().message == f"{home.settings_file}: is not a regular file"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("name", [".dsmilctl.toml", ".env"])
def test_a_project_file_of_somebody_else_is_not_obeyed(name: str, home: Paths) -> None:
    file = write(Path(name), "").absolute()
    os.chown(file, 4711, 4711)

    assert refused().message == f"{file}: belongs to user 4711, not to you, so it is not obeyed"


@pytest.mark.parametrize("name", [".dsmilctl.toml", ".env"])
def test_a_project_file_that_everybody_can_write_is_not_obeyed(name: str, home: Paths) -> None:
    file = write(Path(name), "").absolute()
    file.chmod(0o666)

    error = refused()

    assert error.message == f"{file}: is writable for everybody, so it is not obeyed"
    assert error.hint == f"chmod o-w {file}"


def test_a_value_of_an_unknown_setting_is_never_repeated(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home.settings_file, "password = 'canary-1'\n[reconnect]\ntoken = 'canary-2'")
    monkeypatch.setenv("DSMIL_PASSWROD", "canary-3")

    assert len(validate()) == 3
    assert "canary" not in " ".join(validate()) + refused().message + refused().hint


def test_more_errors_than_anybody_reads_are_counted(home: Paths) -> None:
    write(home.settings_file, "".join(f"k{number} = 1\n" for number in range(60)))

    assert len(validate()) == 51
    assert validate()[-1] == "and 10 more"


def test_everything_that_is_configured_is_validated_or_one_file_alone(home: Paths, tmp_path: Path) -> None:
    settings_file = write(home.settings_file, "tiemout = 1")
    contexts_file = write(home.contexts_file, "[contexts.a]\ndrivr = 'sim'\ndriver = 'sim'")
    other = write(tmp_path / "other/contexts.toml", "[context.a]")
    sound = write(tmp_path / "other/sound.toml", "timeout = 1")

    assert validate() == [
        f"{settings_file}:1:1: unknown setting 'tiemout'. Did you mean timeout?",
        f"{contexts_file}:2:1: unknown key 'drivr'. Did you mean driver?",
    ]
    assert validate(settings_file) == validate()[:1]
    assert validate(contexts_file) == validate()[1:]
    assert validate(other) == [f"{other}:1:1: unknown key 'context'. Did you mean contexts?"]
    assert validate(sound) == []
    assert validate(tmp_path / "absent.toml") == [
        f"{tmp_path}/absent.toml: cannot be read: No such file or directory. it has to be a readable file"
    ]


HUGE = {
    "a million lines": "retry = 1\n" * 1_000_000,
    "a million comments": "# x\n" * 1_000_000,
    "ten million characters in one line": "log_file = '" + "x" * 10_000_000 + "'",
    "the largest file that is read, one table per line": "".join(
        f"[t{number}]\n" for number in range(14_000)
    ),
    "the largest file that is read, all unknown": "".join(f"k{number} = 1\n" for number in range(9_900)),
    "one key of many dots": "a." * 60_000 + "a = 1",
    "many keys of many dots": "".join("a." * 30 + f"b{number} = 1\n" for number in range(1_900)),
    "dots in an inline table": "x = {" + "a." * 60_000 + "a = 1}",
    "quotes": "x = " + '"' * 120_000,
    "escapes": 'x = """' + '\\"' * 60_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_file_is_answered_at_once(name: str, home: Paths) -> None:
    write(home.settings_file, HUGE[name])
    begin = time.monotonic()

    refused()

    assert time.monotonic() - begin < BOUND


def test_an_error_reaches_the_shell_in_time(home: Paths) -> None:
    write(home.settings_file, "tiemout = 1\n" + "# x\n" * 30_000)
    program = "from dsmilctl.config.settings import load_settings; load_settings()"
    begin = time.monotonic()

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert time.monotonic() - begin < BOUND
    assert f"{home.settings_file}:1:1: unknown setting 'tiemout'" in answer.stderr


FRAGMENTS = st.sampled_from(
    [
        *Settings.__struct_fields__,
        *(
            "[",
            "]",
            "{",
            "}",
            "=",
            ".",
            ",",
            "\n",
            "#",
            '"',
            "'",
            '"""',
            "'''",
            "\\",
            "\\u00",
            " ",
            "\t",
            "\r",
        ),
        *(
            "true",
            "1",
            "-1",
            "1.5",
            "nan",
            "1e999",
            "0x",
            "1979-05-27",
            "[reconnect]",
            "[[reconnect]]",
            "cap",
        ),
        *("timeout = 1", "theme = 'dark'", "retry = 99999999999999999999", "\x00", "\ufeff", "ü", "=x"),
    ]
)
TEXTS = st.one_of(st.lists(FRAGMENTS, max_size=30).map("".join).map(str.encode), st.binary(max_size=200))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(content=TEXTS)
def test_any_file_is_settings_or_a_config_error_with_its_place(content: bytes, home: Paths) -> None:
    write(home.settings_file, "").write_bytes(content)
    try:
        assert isinstance(load_settings(), Settings)
        assert origins()
    except ConfigError as error:
        assert f"{home.settings_file}:" in error.message
    write(Path(".env"), "").write_bytes(content)
    home.settings_file.unlink()
    try:
        load_settings()
    except ConfigError as error:
        assert ".env:" in error.message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    name=st.sampled_from(
        ["TIMEOUT", "LOG_LEVELS", "RECONNECT", "RECONNECT__CAP", "LOG_LEVELS__X", "X", "__", "CONTEXT"]
    ),
    text=st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=30)
    | st.just("\udcff"),
)
def test_any_variable_is_a_setting_or_a_config_error(name: str, text: str, home: Paths) -> None:
    os.environ[f"DSMIL_{name}"] = text
    try:
        assert isinstance(load_settings(), Settings)
    except ConfigError as error:
        assert f"DSMIL_{name}" in error.message
    finally:
        del os.environ[f"DSMIL_{name}"]
