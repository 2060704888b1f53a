"""The project's outside: its top level, its extras, its version, and the promises of `pyproject.toml`."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from dsmilctl import __version__
from tests.contract.source import ROOT

TOP_LEVEL = {"dsmilctl", "tui", "commands", "completions", "tests", "man", "docs", "bench", ".ci"}
FILES = {
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "Containerfile",
    "CONTRIBUTING.md",
}
EXTRAS = {"server", "archive", "modbus", "mqtt", "can", "analysis", "web", "jq", "all", "test", "dev"}
ALIASES = {"async", "ml", "visualization"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, Any] = content["project"]
    return found


def test_the_top_level_is_where_people_look() -> None:
    assert {name for name in TOP_LEVEL if (ROOT / name).is_dir()} == TOP_LEVEL
    assert {name for name in FILES if (ROOT / name).is_file()} == FILES


@pytest.mark.parametrize("name", ["commands", "tui", "completions"])
def test_a_top_level_folder_is_linked_into_the_package(name: str) -> None:
    link = ROOT / "dsmilctl" / name

    assert link.is_symlink()
    assert link.readlink().as_posix() == f"../{name}"


def test_the_licence_is_apache_2_in_full(project: dict[str, Any]) -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert project["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_newest_change_is_told_for_this_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert changes.split("\n## ")[1].startswith(f"{__version__} ")


def test_every_extra_that_the_readme_and_the_specification_name_exists(project: dict[str, Any]) -> None:
    extras = set(project["optional-dependencies"])

    assert extras >= EXTRAS | ALIASES
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [
        name for name in EXTRAS - {"test"} if f"`{name}`" not in readme and f"[{name}]" not in readme
    ] == []


def test_typer_stays_below_the_version_that_is_slow(project: dict[str, Any]) -> None:
    assert "typer>=0.28,<0.29" in project["dependencies"]


def test_every_driver_of_ours_is_an_entry_point_that_can_be_imported(project: dict[str, Any]) -> None:
    from importlib import import_module

    for name, target in project["entry-points"]["dsmilctl.drivers"].items():
        module, _, attribute = target.partition(":")

        assert getattr(import_module(module), attribute).name == name
