"""Generated files are those that the command tree would give now, and every command explains itself."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dsmilctl.cli import NOUNS
from dsmilctl.diagnostics import EXIT_CODES
from dsmilctl.reference.__main__ import documents, write
from dsmilctl.reference.tree import Command, Option, Tree
from dsmilctl.reference.walk import walk
from tests.contract.shells import need
from tests.contract.source import ROOT

PAGES = sorted((ROOT / "man").glob("*.1"))
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "ENVIRONMENT", "FILES", "EXIT STATUS"]
IMPACTS = {"read", "makes", "write", "danger"}


@pytest.fixture(scope="module")
def tree() -> Tree:
    return walk()


def test_completions_man_pages_and_the_reference_have_not_drifted(tree: Tree) -> None:
    drifted = [
        name
        for name, content in documents(tree).items()
        if not (ROOT / name).exists() or (ROOT / name).read_text(encoding="utf-8") != content
    ]

    assert drifted == [], "make docs writes them anew"


def test_no_page_of_a_noun_that_is_gone_is_left() -> None:
    assert {path.stem for path in PAGES} == {"dsmilctl", *(f"dsmilctl-{noun}" for noun in NOUNS)}


def test_every_command_says_what_it_does_how_dangerous_it_is_and_gives_an_example(tree: Tree) -> None:
    lacking = [
        " ".join(command.path)
        for command in tree.commands
        if not command.summary or command.impact not in IMPACTS or not command.examples
    ]

    assert lacking == []


def test_an_option_is_no_folder_to_write_into(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "dsmilctl.reference", "--check"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, list(tmp_path.iterdir())) == (1, [])
    assert "has no options" in done.stderr


def test_every_option_and_argument_says_what_it_is_for(tree: Tree) -> None:
    silent = [
        f"{' '.join(command.path)} {place}"
        for command in tree.commands
        for place, words in [
            *((option.names[-1], option.help) for option in command.options),
            *((argument.metavar, argument.help) for argument in command.arguments),
        ]
        if not words
    ]

    assert silent == []


def test_every_example_is_a_line_that_its_command_accepts(tree: Tree) -> None:
    wrong = [
        f"{' '.join(command.path)}: {example}"
        for command in tree.commands
        for example in command.examples
        if not fits(example, command, tree)
    ]

    assert wrong == []


def fits(example: str, command: Command, tree: Tree) -> bool:
    """Whether an example calls its own command, with options that exist and the operands that it needs."""
    line = re.split(r"\s[|<>]\s", example)[-1 if "| dsmilctl" in example else 0]
    program, *words = shlex.split(line, comments=True)
    known = {name: option for option in (*tree.options, *command.options) for name in option.all_names}
    operands, unknown = operands_of(words, known)
    named, given = tuple(operands[: len(command.path)]), operands[len(command.path) :]
    needed = sum(argument.required for argument in command.arguments)
    room = len(command.arguments) if not any(item.repeated for item in command.arguments) else len(given)
    return program == "dsmilctl" and not unknown and named == command.path and needed <= len(given) <= room


def operands_of(words: list[str], known: dict[str, Option]) -> tuple[list[str], list[str]]:
    """The words that are neither options nor their values, and the options that do not exist."""
    operands, unknown = [], []
    waiting = iter(words)
    for word in waiting:
        name, _, value = word.partition("=")
        if word == "--":
            operands += list(waiting)
        elif not word.startswith("-") or word == "-":
            operands.append(word)
        elif name not in known:
            unknown.append(name)
        elif known[name].metavar and not value:
            next(waiting)
    return operands, unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_man_page_has_no_warning_and_every_section(page: Path) -> None:
    need("mandoc")
    lint = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False
    )
    shown = subprocess.run(
        ["mandoc", "-T", "utf8", "-O", "width=100", page], capture_output=True, text=True, check=True
    ).stdout
    plain = re.sub(".\b", "", shown)

    assert lint.stdout == ""
    assert [
        name
        for name in SECTIONS
        if f"\n{name}\n" not in plain and (name != "FILES" or page.stem == "dsmilctl")
    ] == []


def test_the_man_page_tells_every_noun_every_exit_status_and_every_file() -> None:
    need("mandoc")
    shown = subprocess.run(
        ["mandoc", "-T", "ascii", ROOT / "man/dsmilctl.1"], capture_output=True, text=True, check=True
    ).stdout
    plain = re.sub(".\b", "", shown)

    assert [noun for noun in NOUNS if f"dsmilctl-{noun}(1)" not in plain] == []
    assert [code for code in EXIT_CODES if not re.search(rf"^ +{code}\b", plain, re.MULTILINE)] == []
    assert {"DSMIL_HOME", "~/.config/dsmilctl/contexts.toml"} <= set(plain.replace(",", " ").split())


def test_a_word_that_the_formatter_would_obey_is_shown_as_it_is() -> None:
    from dsmilctl.reference.mdoc import literal, text

    need("mandoc")
    lines = [".Dd November 20, 2026", ".Dt X 1", ".Os", ".Sh NAME", ".Nm x", ".Nd y", ".Sh DESCRIPTION"]
    source = (
        "\n".join([*lines, *text("'quoted .Sh \\fB -x `Op` 12 °C"), *literal([".Sh not", "a\\nb"])]) + "\n"
    )

    shown = subprocess.run(
        ["mandoc", "-T", "utf8"], input=source, capture_output=True, text=True, check=True
    ).stdout
    plain = re.sub(".\b", "", shown)

    assert "'quoted .Sh \\fB -x Op 12 °C" in plain
    assert ".Sh not" in plain
    assert "a\\nb" in plain


def test_writing_the_reference_leaves_every_file_and_no_page_of_a_noun_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "man").mkdir()
    (tmp_path / "man/dsmilctl-gone.1").write_text("a noun of last year")

    write(tmp_path)

    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == set(documents(walk()))


async def test_the_dashboard_draws_the_picture_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dsmilctl.reference import picture

    monkeypatch.setenv("DSMIL_HOME", str(tmp_path))
    monkeypatch.setattr(picture, "SECONDS", 1.5)

    drawn = await picture.picture()

    assert drawn.startswith("<svg")
    assert "0x8000" in drawn
    assert "STOP" in drawn


def test_the_words_offered_for_a_status_are_those_of_its_noun(tree: Tree) -> None:
    offered = {
        command.path[0]: set(option.choices)
        for command in tree.commands
        for option in command.options
        if "--status" in option.names
    }

    assert "disconnected" in offered.pop("device")
    assert offered.pop("approval") == {"pending", "approved", "rejected", "used", "expired"}
    assert not any("disconnected" in words for words in offered.values())
