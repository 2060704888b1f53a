"""What the Makefile and the programs in .ci promise to someone on a fresh machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData

from tests.contract.source import ROOT, modules

CI = ROOT / ".ci"
SCRIPTS = sorted(path for path in CI.iterdir() if path.is_file() and os.access(path, os.X_OK))
TARGETS = ("demo", "test", "check", "bench", "docs", "picture", "soak", "clean")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_written_for_the_shell_that_it_names(script: Path) -> None:
    shell = script.read_text(encoding="utf-8").splitlines()[0].split("/")[-1].split()[-1]

    assert run("/usr/bin/env", shell, "-n", script, PATH=os.environ["PATH"]).stderr == ""


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_every_target_and_says_what_it_is_for(target: str) -> None:
    assert run("make", "--dry-run", target, PATH=os.environ["PATH"]).returncode == 0
    assert re.search(rf"make {target} +\w+", run("make", PATH=os.environ["PATH"]).stdout)


def test_a_python_that_runs_is_found_and_a_shim_without_its_python_is_not(tmp_path: Path) -> None:
    shims, good = tmp_path / "shims", tmp_path / "good"
    for folder in (shims, good):
        folder.mkdir()
    (shims / "python3.11").write_text("#!/bin/sh\necho 'no such version' >&2\nexit 127\n")
    (shims / "python3.11").chmod(0o755)
    (good / "python3.12").symlink_to(sys.executable)

    found = run(CI / "pythons", PATH=f"{shims}:{good}:/usr/bin:/bin", HOME=str(tmp_path)).stdout

    assert f"3.12\t{good}/python3.12\n" in found
    assert str(shims) not in found


def test_a_machine_without_python_is_told_what_to_install(tmp_path: Path) -> None:
    for tool in ("sh", "dirname", "head", "cut", "id"):
        (tmp_path / tool).symlink_to(Path("/usr/bin") / tool)

    refused = run("/bin/sh", CI / "venv", "unused", "core", PATH=str(tmp_path), HOME=str(tmp_path))

    assert refused.returncode == 2
    assert "needs Python 3.11 or newer" in refused.stderr
    assert "apt-get install python3" in refused.stderr


def test_uv_is_told_what_pip_is_configured_to_use(tmp_path: Path) -> None:
    tools = environment_with_uv(tmp_path, "printenv | grep ^UV_")
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://far.example/simple\nfind-links = /wheels /more\n"
        "extra-index-url =\n  https://one.example/simple\n  https://two.example/simple?a=b\n"
    )

    told = run(
        CI / "install",
        tools,
        sys.executable,
        "dsmilctl",
        PATH=os.environ["PATH"],
        PIP_CONFIG_FILE=str(settings),
        PIP_INDEX_URL="https://near.example/simple",
    ).stdout.splitlines()

    assert {
        "UV_DEFAULT_INDEX=https://near.example/simple",
        "UV_INDEX=https://one.example/simple https://two.example/simple?a=b",
        "UV_FIND_LINKS=/wheels,/more",
    } <= set(told)


def test_pip_installs_where_uv_cannot(tmp_path: Path) -> None:
    tools = environment_with_uv(tmp_path, "exit 2")

    def install(package: str) -> subprocess.CompletedProcess[str]:
        return run(CI / "install", tools, sys.executable, "--no-index", package, PATH=os.environ["PATH"])

    done = install("dsmilctl")
    lacking = install("no-such-thing")

    assert (done.returncode, "with pip" in done.stderr) == (0, True)
    assert lacking.returncode != 0
    assert "No matching distribution found for no-such-thing" in lacking.stderr


# sys.monitoring came with 3.12; before it coverage.py measures the processes of tests itself.
@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 cannot tell of its lines")
def test_the_lines_that_a_process_notes_are_those_that_it_ran(tmp_path: Path) -> None:
    package, notes = tmp_path / "ours", tmp_path / "notes"
    package.mkdir()
    notes.mkdir()
    program = package / "program.py"
    program.write_text("def told(n):\n    if n:\n        return 1\n    return 2\n\n\ntold(0)\n")
    (tmp_path / "link").symlink_to(package)
    begun = "import runpy, sys; sys.path.insert(0, sys.argv[1]); import lines; lines.note()"
    told = {"COVERAGE_LINES": f"{notes}:{tmp_path}/link/", "COVERAGE_FILE": str(tmp_path / "data")}

    for _ in range(2):
        ran = f"{begun}; runpy.run_path(sys.argv[2])"
        assert run(sys.executable, "-c", ran, CI, tmp_path / "link/program.py", **told).stderr == ""
    assert run(sys.executable, CI / "lines.py", "end", notes, **told).stderr == ""

    found = CoverageData(str(tmp_path / "data.processes"))
    found.read()
    assert found.measured_files() == {str(program)}
    assert sorted(found.lines(str(program)) or ()) == [1, 2, 4, 7]


def environment_with_uv(folder: Path, does: str) -> Path:
    """A folder like that of an environment, with our pip and a uv that does as it is told here."""
    programs = folder / "tools/bin"
    programs.mkdir(parents=True)
    for name, lines in {"python": f'exec "{sys.executable}" "$@"', "uv": does}.items():
        (programs / name).write_text(f"#!/bin/sh\n{lines}\n")
        (programs / name).chmod(0o755)
    return programs.parent


def test_a_skip_that_this_machine_could_have_run_fails_the_run(tmp_path: Path) -> None:
    allowed = [line for line in (CI / "allowed-skips").read_text().splitlines() if line and line[0] != "#"]
    reasons = {
        "tests/tui/test_terminal.py:20: tmux is not installed": False,
        "Python 3.13 is not installed: nothing was run under it": True,
        "tests/drivers/test_host.py:9: this machine has no thermal zone": True,
    }

    for reason, expected in reasons.items():
        assert any(re.search(pattern, reason) for pattern in allowed) is expected


def test_every_program_without_which_a_test_is_skipped_is_installed_by_ci() -> None:
    installed = re.search(r"set -- (.+)$", (CI / "packages").read_text(), re.MULTILINE)
    needed = {
        program
        for module in modules(("tests",))
        if module.path != "tests/contract/test_make.py"
        for program in re.findall(r'reason="([a-z]+) is not installed"', module.text)
    }

    assert installed is not None
    assert {"tmux", "strace", "faketime"} <= needed
    assert needed <= set(installed[1].split())
