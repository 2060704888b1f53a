"""Secrets: private from the first moment, refused when they are not, never shown."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsmilctl import redaction
from dsmilctl.config.secrets import Secrets
from dsmilctl.errors import ConfigError, InvalidParameter, MissingExtraError, StateUnavailable
from tests.unit.homes import plain_user


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tokens"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_kept_replaced_listed_and_forgotten(folder: Path) -> None:
    secrets = Secrets(folder)
    assert secrets.get("sim") is None
    assert secrets.names() == []

    secrets.put("sim", "one")
    secrets.put("sim", "two")
    secrets.put("plant/operator", " with spaces and\nlines \n")

    assert secrets.get("sim") == "two"
    assert secrets.get("plant/operator") == " with spaces and\nlines \n"
    assert secrets.names() == ["plant/operator", "sim"]
    assert secrets.delete("sim")
    assert not secrets.delete("sim")
    assert secrets.names() == ["plant/operator"]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_folder_and_file_are_the_owners_alone_whatever_the_umask(mask: int, folder: Path) -> None:
    before = os.umask(mask)
    try:
        Secrets(folder).put("sim", "canary")
    finally:
        os.umask(before)

    (file,) = folder.iterdir()
    assert mode(folder) == 0o700
    assert mode(file) == 0o600
    assert file.stat().st_nlink == 1


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_there_is_no_moment_at_which_others_could_open_a_secret(folder: Path, tmp_path: Path) -> None:
    program = (
        "import os, sys; os.umask(0); from pathlib import Path; from dsmilctl.config.secrets import Secrets;"
        "secrets = Secrets(Path(sys.argv[1])); secrets.put('sim', 'one'); secrets.put('sim', 'two')"
    )
    calls = tmp_path / "calls"
    traced = "trace=open,openat,creat,mkdir,mkdirat,chmod,fchmod,fchmodat,rename,renameat,renameat2"

    subprocess.run(
        ["strace", "-f", "-o", str(calls), "-e", traced, sys.executable, "-c", program, str(folder)],
        check=True,
    )

    ours = [line for line in calls.read_text().splitlines() if str(folder) in line]
    created = [line for line in ours if "O_CREAT" in line]
    assert len(created) == 2
    assert all("O_EXCL" in line and "O_NOFOLLOW" in line and re.search(r"\b0600\)", line) for line in created)
    assert [line for line in ours if "mkdir" in line and re.search(r"\b0700\) += 0", line)]
    assert [line for line in ours if "chmod" in line] == []
    assert len([line for line in ours if "rename" in line]) == 2


@pytest.mark.parametrize("wide", [0o644, 0o640, 0o604, 0o660, 0o601, 0o666])
def test_a_file_that_others_can_open_is_refused_with_the_command_that_mends_it(
    wide: int, folder: Path
) -> None:
    secrets = Secrets(folder)
    secrets.put("sim", "canary")
    (file,) = folder.iterdir()
    file.chmod(wide)

    with pytest.raises(ConfigError, match="is open to others") as caught:
        secrets.get("sim")

    assert caught.value.hint == f"chmod 600 {file}"
    assert caught.value.exit_status == 2
    assert "canary" not in str(caught.value)
    subprocess.run(caught.value.hint.split(), check=True)
    assert secrets.get("sim") == "canary"


@pytest.mark.parametrize("wide", [0o755, 0o750, 0o701, 0o777])
def test_a_folder_that_others_can_enter_is_refused(wide: int, folder: Path) -> None:
    secrets = Secrets(folder)
    secrets.put("sim", "canary")
    folder.chmod(wide)

    for use in (
        lambda: secrets.get("sim"),
        lambda: secrets.put("new", "x"),
        lambda: secrets.delete("sim"),
        secrets.names,
    ):
        with pytest.raises(ConfigError, match="is open to others") as caught:
            use()
        assert caught.value.hint == f"chmod 700 {folder}"
    assert [file.name for file in folder.iterdir()] == ["sim"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_or_folder_of_somebody_else_is_refused(folder: Path) -> None:
    secrets = Secrets(folder)
    secrets.put("sim", "canary")
    (file,) = folder.iterdir()
    os.chown(file, 4711, 4711)
    with pytest.raises(ConfigError, match="belongs to user 4711"):
        secrets.get("sim")

    os.chown(folder, 4711, 4711)
    with pytest.raises(ConfigError, match=r"folder .* belongs to user 4711"):
        secrets.put("new", "x")


def test_a_link_in_the_place_of_a_secret_is_neither_followed_nor_written_through(
    folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    target.chmod(0o600)
    secrets = Secrets(folder)
    secrets.put("other", "x")
    (folder / "sim").symlink_to(target)

    with pytest.raises(ConfigError):
        secrets.get("sim")
    secrets.put("sim", "new")

    assert target.read_text() == "precious"
    assert secrets.get("sim") == "new"


def test_a_link_in_the_place_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.parent.mkdir()
    folder.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="neither a file nor a folder"):
        Secrets(folder).put("sim", "x")

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_fifo_in_the_place_of_a_secret_holds_nobody_up(folder: Path) -> None:
    secrets = Secrets(folder)
    secrets.put("other", "x")
    os.mkfifo(folder / "sim", 0o600)

    with pytest.raises(ConfigError, match="neither a file nor a folder"):
        secrets.get("sim")


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..", ".", "/etc/passwd", "a/b", "x\x00y", ".hidden", "ä\u202e", "%2F", "-rf"],
)
def test_no_name_leads_out_of_the_folder(name: str, folder: Path) -> None:
    secrets = Secrets(folder)

    secrets.put(name, "canary")

    (file,) = folder.iterdir()
    assert file.is_file()
    assert secrets.get(name) == "canary"
    assert secrets.names() == [name]
    assert [path.name for path in folder.parent.iterdir()] == ["tokens"]


@pytest.mark.parametrize("name", ["", "x" * 201, "ä" * 100])
def test_an_empty_or_endless_name_is_refused(name: str, folder: Path) -> None:
    with pytest.raises(InvalidParameter, match="cannot be the name"):
        Secrets(folder).put(name, "x")


@pytest.mark.parametrize("value", ["", "x" * 65_537])
def test_an_empty_or_endless_secret_is_refused_without_repeating_it(value: str, folder: Path) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Secrets(folder).put("sim", value)

    assert "xxx" not in str(caught.value)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_said_so(folder: Path, tmp_path: Path) -> None:
    folder.parent.write_text("a file in the place of the state folder")
    with pytest.raises(ConfigError, match=r"Not a directory|File exists"):
        Secrets(folder).put("sim", "x")

    with plain_user(), pytest.raises(ConfigError):
        Secrets(Path("/proc/tokens")).put("sim", "x")


def test_nothing_is_left_behind_when_a_secret_cannot_replace_the_old_one(folder: Path) -> None:
    secrets = Secrets(folder)
    secrets.put("other", "x")
    (folder / "sim").mkdir()

    with pytest.raises(ConfigError):
        secrets.put("sim", "canary")

    assert sorted(file.name for file in folder.iterdir()) == ["other", "sim"]


def test_what_a_crash_left_of_a_secret_is_forgotten_with_it(folder: Path) -> None:
    secrets = Secrets(folder)
    secrets.put("sim", "canary")
    secrets.put("simple", "x")
    (folder / ".sim.4711.1").write_text("canary")
    assert secrets.names() == ["sim", "simple"]

    secrets.delete("sim")

    assert [file.name for file in folder.iterdir()] == ["simple"]


def test_no_repr_and_no_log_shows_a_secret_that_was_read(folder: Path) -> None:
    redaction.forget()
    Secrets(folder).put("sim", "canary-4711")
    redaction.forget()
    secrets = Secrets(folder)
    assert redaction.redact("got canary-4711") == "got canary-4711"

    secrets.get("sim")

    assert "canary" not in repr(secrets) + str(vars(secrets))
    assert redaction.redact("got canary-4711") == "got ***"
    redaction.forget()


VALUES = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=50)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(kept=st.dictionaries(st.text(min_size=1, max_size=12), VALUES, max_size=5))
def test_whatever_is_kept_is_found_again(kept: dict[str, str], folder: Path) -> None:
    secrets = Secrets(folder)
    for name in secrets.names():
        secrets.delete(name)
    for name, value in kept.items():
        secrets.put(name, value)

    assert {name: secrets.get(name) for name in secrets.names()} == kept
    redaction.forget()


KEYRING = """
kept = {}
broken = False

def _check():
    if broken:
        raise RuntimeError("locked: canary")

def set_password(service, name, value):
    _check()
    kept[service, name] = value

def get_password(service, name):
    _check()
    return kept.get((service, name))

def delete_password(service, name):
    _check()
    del kept[service, name]
"""


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A keyring of our own, found as the package would be."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/keyring.py").write_text(KEYRING)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    return "keyring"


def test_with_the_keyring_no_file_holds_the_secret(keyring: str, folder: Path) -> None:
    secrets = Secrets(folder, keyring=True)

    secrets.put("sim", "canary")

    assert secrets.get("sim") == "canary"
    assert secrets.names() == ["sim"]
    assert (folder / "sim").read_bytes() == b""
    assert sys.modules[keyring].kept == {("dsmilctl", "sim"): "canary"}
    assert secrets.delete("sim")
    assert sys.modules[keyring].kept == {}
    assert secrets.get("sim") is None


def test_a_secret_of_the_keyring_is_not_taken_for_an_empty_one(keyring: str, folder: Path) -> None:
    Secrets(folder, keyring=True).put("sim", "canary")

    with pytest.raises(ConfigError, match="is in the system keyring") as caught:
        Secrets(folder).get("sim")

    assert caught.value.hint == f"dsmilctl config set {keyring} true"


def test_secrets_in_files_are_still_read_when_the_keyring_is_switched_on(keyring: str, folder: Path) -> None:
    Secrets(folder).put("sim", "canary")

    assert Secrets(folder, keyring=True).get("sim") == "canary"
    assert keyring not in sys.modules


def test_a_broken_keyring_is_a_refusal_that_repeats_nothing(keyring: str, folder: Path) -> None:
    secrets = Secrets(folder, keyring=True)
    secrets.put("sim", "canary")
    sys.modules[keyring].__dict__["broken"] = True

    with pytest.raises(StateUnavailable, match="the system keyring refused: RuntimeError") as caught:
        secrets.get("sim")

    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_the_package_the_extra_to_install_is_named(folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from dsmilctl.config.secrets import Secrets;"
        "sys.modules['keyring'] = None;"
        "Secrets(Path(sys.argv[1]), keyring=True).put('sim', 'x')"
    )

    answer = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False
    )

    assert MissingExtraError.__name__ in answer.stderr
    assert "needs the package keyring" in answer.stderr
