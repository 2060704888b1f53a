"""Which modules a fresh process has loaded in the end: start-up time, and the walls between the layers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.source import ROOT, modules

FACES = {"typer", "rich", "textual"}
SLOW = {
    "email",
    "http",
    "httpx",
    "importlib.metadata",
    "jq",
    "platformdirs",
    "plotext",
    "psutil",
    "pydantic",
    "pydantic_settings",
    "rich",
    "tempfile",
    "textual",
    "websockets",
    "yaml",
}
RUN = """
import os, sys
from dsmilctl.cli import main
try:
    main()
except SystemExit:
    pass
os.write(int(os.environ["REPORT"]), "\\n".join(sys.modules).encode())
"""
IMPORT = """
import importlib, os, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
os.write(int(os.environ["REPORT"]), "\\n".join(sys.modules).encode())
"""


def loaded(program: str, *arguments: str, home: Path) -> set[str]:
    """The modules that a fresh process has loaded after running a program with these arguments."""
    reading, writing = os.pipe()
    environment = {
        "HOME": str(home),
        "DSMIL_HOME": str(home),
        "PATH": os.environ["PATH"],
        "REPORT": str(writing),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd="/",
        env=environment,
        pass_fds=[writing],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        found = set(pipe.read().splitlines())
    assert process.wait() == 0
    assert "dsmilctl" in found
    return found


def packages(found: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in found}


def names(*folders: str) -> list[str]:
    """The import names of every module below these folders of the package."""
    paths = [Path(module.path) for module in modules(folders)]
    linked = [path if path.parts[0] == "dsmilctl" else Path("dsmilctl") / path for path in paths]
    dotted = [".".join(path.with_suffix("").parts) for path in linked]
    return [name.removesuffix(".__init__") for name in dotted if not name.endswith("__main__")]


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_help_and_version_load_neither_the_grammar_nor_any_noun(argument: str, tmp_path: Path) -> None:
    found = loaded(RUN, argument, home=tmp_path)

    assert packages(found) & {"typer", "msgspec", "asyncio", "logging", "inspect", "subprocess"} == set()
    assert not any(name.startswith(("dsmilctl.commands.", "dsmilctl.client")) for name in found)


@pytest.mark.parametrize(
    "line",
    [
        "-C sim device list",
        "-C sim device read 0x8000",
        "-C sim device read 0x8000-0x8003 TEMP -o json",
        "-C sim device write 0x8030 CONFIG 5 --yes",
        "-C sim bulk read @all TEMP",
        "-C sim emergency stop",
        "-C local device read load",
        "audit log",
        "context list",
        "completion bash",
    ],
)
def test_a_one_shot_command_loads_nothing_slow(line: str, tmp_path: Path) -> None:
    loaded(RUN, *line.split(), home=tmp_path)  # the first run fills the caches

    found = loaded(RUN, *line.split(), home=tmp_path)

    assert {name for name in found if name in SLOW or name.partition(".")[0] in SLOW} == set()


def test_users_are_looked_after_without_loading_the_server_that_they_come_in_to(tmp_path: Path) -> None:
    found = loaded(RUN, "user", "list", home=tmp_path)

    assert packages(found) & {"uvicorn", "starlette", "jwt", "cryptography"} == set()


def test_a_recorder_that_writes_nothing_beside_loads_no_other_format(tmp_path: Path) -> None:
    line = "-C sim record run --name tour 0x8000 TEMP --interval 50ms --for 100ms"

    assert not loaded(RUN, *line.split(), home=tmp_path) & {
        "dsmilctl.archive.beside",
        "dsmilctl.archive.exporting",
    }


def test_one_noun_does_not_load_the_others(tmp_path: Path) -> None:
    found = loaded(RUN, "-C", "sim", "device", "read", "0x8000", home=tmp_path)

    assert "dsmilctl.commands.device" in found
    assert {"dsmilctl.commands.audit", "dsmilctl.commands.demo", "dsmilctl.commands.stream"} & found == set()


def test_the_core_loads_no_library_of_a_face(tmp_path: Path) -> None:
    core = [
        name
        for name in names("dsmilctl")
        if not name.startswith("dsmilctl.reference") and name != "dsmilctl.testing.conformance"
    ]

    found = loaded(IMPORT, *core, home=tmp_path)

    assert len(core) > 50
    assert packages(found) & FACES == set()
    assert not any(name.startswith(("dsmilctl.commands", "dsmilctl.tui")) for name in found)


def test_no_command_loads_the_dashboard(tmp_path: Path) -> None:
    found = loaded(IMPORT, *names("commands"), home=tmp_path)

    assert "textual" not in packages(found)
    assert not any(name.startswith("dsmilctl.tui") for name in found)


def test_the_dashboard_loads_no_command(tmp_path: Path) -> None:
    found = loaded(IMPORT, *names("tui"), home=tmp_path)

    assert "dsmilctl.tui.app" in found
    assert {"typer", "dsmilctl.cli", "dsmilctl.commands", "dsmilctl.output"} & found == set()


def test_every_module_can_be_imported_alone(tmp_path: Path) -> None:
    """A cycle of imports shows only to the one who enters it at the wrong place."""
    everything = names("dsmilctl", "commands", "tui")
    program = """
import importlib, os, sys
for name in sys.argv[1:]:
    for loaded in [entry for entry in sys.modules if entry.partition(".")[0] == "dsmilctl"]:
        del sys.modules[loaded]
    importlib.import_module(name)
os.write(int(os.environ["REPORT"]), b"dsmilctl")
"""

    assert loaded(program, *everything, home=tmp_path) == {"dsmilctl"}
    assert (ROOT / "dsmilctl/commands").is_symlink()
