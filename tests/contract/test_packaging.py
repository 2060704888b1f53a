"""The source archive and the wheel: whole, without strangers, and working in an environment of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from dsmilctl import __version__
from tests.contract.source import ROOT

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("packaging")]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "__pycache__", ".*_cache", ".coverage*", ".hypothesis", "build", "dist", "*.egg-info"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive, and the wheel that was built from that archive."""
    folder = tmp_path_factory.mktemp("built")
    tree = folder / "tree"
    shutil.copytree(ROOT, tree, symlinks=True, ignore=LEFT_OUT)
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def archive(built: Path) -> set[str]:
    """The files of the source archive, from the project's root."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as opened:
        return {member.name.partition("/")[2] for member in opened if member.isfile() or member.issym()}


@pytest.fixture(scope="module")
def wheel(built: Path) -> set[str]:
    """The files of the wheel."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as opened:
        return set(opened.namelist())


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and nothing else; the dependencies are lent to it by ours."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin/python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
    ]
    subprocess.run([*pip, str(next(built.glob("*.whl")))], check=True, capture_output=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def tree(folder: str) -> set[str]:
    """Every file below a folder of the project, links followed, by its path from the root."""
    found = set()
    for where, folders, names in os.walk(ROOT / folder, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        found |= {(Path(where) / name).relative_to(ROOT).as_posix() for name in names}
    return found


def test_the_wheel_holds_all_of_the_package_with_its_links_and_nothing_else(wheel: set[str]) -> None:
    package = {name for name in wheel if not name.startswith(f"dsmilctl-{__version__}.")}

    assert package == tree("dsmilctl")
    assert {"dsmilctl/commands/bulk.py", "dsmilctl/tui/app.py", "dsmilctl/py.typed"} <= package


def test_man_pages_and_completions_are_installed_where_man_and_the_shells_look(wheel: set[str]) -> None:
    prefix = f"dsmilctl-{__version__}.data/data/share"
    pages = {f"{prefix}/man/man1/{path.name}" for path in (ROOT / "man").glob("*.1")}
    scripts = {
        f"{prefix}/bash-completion/completions/dsmilctl.bash",
        f"{prefix}/zsh/site-functions/_dsmilctl",
        f"{prefix}/fish/vendor_completions.d/dsmilctl.fish",
    }

    assert {name for name in wheel if name.startswith(prefix)} == pages | scripts


@pytest.mark.parametrize("folder", ["dsmilctl", "tests", "bench", "docs", "man", "completions", ".ci"])
def test_the_source_archive_holds_every_file_of_the_project(archive: set[str], folder: str) -> None:
    assert tree(folder) - archive == set()
    assert {"LICENSE", "Makefile", "README.md", "pyproject.toml"} <= archive


def test_what_was_built_from_the_source_archive_runs(installed: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        environment = {
            "HOME": str(tmp_path),
            "DSMIL_HOME": str(tmp_path / "home"),
            "PATH": os.environ["PATH"],
        }
        command = [str(installed / "bin/dsmilctl"), *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    where = [str(installed / "bin/python"), "-c", "import dsmilctl; print(dsmilctl.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert found.startswith(str(installed))
    assert run("--version") == f"dsmilctl {__version__}\n"
    assert run("completion", "zsh") == (ROOT / "completions/_dsmilctl").read_text(encoding="utf-8")
    assert "0x8000" in run("-C", "sim", "device", "read", "0x8000", "-o", "plain")
