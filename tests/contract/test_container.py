"""The Containerfile, checked by its words: a root user or a lost health check is seen without an engine."""

from __future__ import annotations

import json
import re

from tests.contract.source import ROOT


def instructions() -> list[tuple[str, str]]:
    """The instructions in order: continued lines joined, comments dropped."""
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    lines = re.sub(r"\\\n\s*", " ", plain).splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines) if name]


def final_stage() -> dict[str, str]:
    """The last word on each instruction of the last stage."""
    names = [name for name, _ in instructions()]
    start = len(names) - 1 - names[::-1].index("FROM")
    return dict(instructions()[start:])


def test_the_image_is_slim_and_of_the_newest_supported_python() -> None:
    supported = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    newest = max(supported, key=lambda version: int(version.split(".")[1]))

    assert final_stage()["FROM"] == f"docker.io/library/python:{newest}-slim"


def test_the_program_runs_as_an_ordinary_user() -> None:
    names = [name for name, _ in instructions()]

    assert final_stage()["USER"] == "1000:1000"
    assert any("useradd --uid 1000" in rest for _, rest in instructions())
    assert "RUN" not in names[names.index("USER") :], "nothing is installed as the ordinary user"


def test_the_latch_and_the_journal_lie_in_a_volume() -> None:
    stage = final_stage()
    settings = dict(pair.split("=") for pair in stage["ENV"].split())

    assert json.loads(stage["VOLUME"]) == [settings["DSMIL_HOME"]] == [stage["WORKDIR"]]


def test_health_is_asked_of_the_program_itself() -> None:
    check = final_stage()["HEALTHCHECK"]

    assert json.loads(check.partition("CMD ")[2]) == ["dsmilctl", "-C", "local", "system", "health"]
    assert "--timeout=" in check


def test_the_image_is_the_command() -> None:
    assert json.loads(final_stage()["ENTRYPOINT"]) == ["dsmilctl"]
    assert json.loads(final_stage()["CMD"]) == ["--help"]


def test_no_environment_or_history_of_the_builder_is_copied_into_the_image() -> None:
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").split()

    assert {".git", ".venv*", "build", "dist"} <= set(ignored)
