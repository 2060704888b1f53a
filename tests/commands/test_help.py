"""Help: every command says what it does, what it takes, how risky it is, and shows lines that really run."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from dsmilctl.commands.grammar import parameters
from dsmilctl.commands.help_page import IMPACTS, fitting, noun_page, verb_page
from dsmilctl.commands.nouns import Noun, Verb, nouns
from dsmilctl.tables import columns_taken
from tests.archive.sftp_server import serving_sftp
from tests.commands.shell import Shell
from tests.commands.terminal import Terminal

VERBS = [(noun, verb) for noun in nouns() for verb in noun.verbs.values()]
NAMES = [f"{noun.name} {verb.name}".strip() for noun, verb in VERBS]
WATCHING = "--watch"
LONGEST = 300.0
"""Seconds for an example on a machine that is busy: the tour starts a server, a recorder and a backup."""
SERVERS = ("-C plant", "dsmilctl approval", "dsmilctl serve", "sim serve")
"""What needs a server, or is one: see `test_remote_examples`."""

SFTP = "sftp://ada@vault"
CRONTAB = """\
printf '#!/bin/sh\\nexit 1\\n' > bin/systemctl; printf '#!/bin/sh\\ncat > crontab.txt\\n' > bin/crontab
chmod u+x bin/systemctl bin/crontab
"""
"""A machine with cron and without systemd of the user."""

EXAMPLES = [
    line
    for _, verb in VERBS
    for line in verb.examples
    if not any(words in line for words in (WATCHING, SFTP, *SERVERS))
]

RECORDED = "dsmilctl -C sim record run --name tour --for 200ms 0x8000 TEMP --interval 50ms"
PREPARED = {
    "dsmilctl record query": RECORDED,
    "dsmilctl record show": RECORDED,
    "dsmilctl record export": RECORDED,
    "dsmilctl record report": RECORDED,
    "dsmilctl record replay": RECORDED,
    "dsmilctl record import": f"{RECORDED}; dsmilctl record export last tour.parquet",
    "dsmilctl record maintain": RECORDED,
    "dsmilctl record check": RECORDED,
    "dsmilctl record note": RECORDED,
    "dsmilctl record stop": "dsmilctl -C sim record start --name night",
    "./token-tests.sh": "printf '#!/bin/sh\\n' > token-tests.sh && chmod u+x token-tests.sh",
    "replay:last": RECORDED,
    "dsmilctl backup": f"{RECORDED}; dsmilctl backup create",
    "restore last --recording": "rm -r data/archive",
    "backup restore before-upgrade": "dsmilctl backup create --name before-upgrade",
    "record token end": "dsmilctl -C local record token begin 0x481",
    "record token show": "dsmilctl -C local record token begin 0x481",
    "session_20250901.json": (
        'echo \'{"session_info": {"session_name": "old", "start_timestamp": 1756713600}}\''
        " > session_20250901.json"
    ),
    "setpoints.csv": "printf 'device_id,register,value\\n0x8030,CONFIG,5\\n' > setpoints.csv",
    "night.ndjson": 'echo \'{"device_id": "0x8030", "type": "deactivate"}\' > night.ndjson',
    "anchor.json": "dsmilctl -C sim device write 0x8030 CONFIG 5 --yes; dsmilctl audit export anchor.json",
    "emergency release": "dsmilctl -C sim emergency stop",
    "audit show": "dsmilctl -C sim device write 0x8030 CONFIG 5 --yes",
    "schedule --install": CRONTAB,
    "validate plant.yaml": "printf 'version: 2\\ndevices:\\n  - {id: a, driver: sim}\\n' > plant.yaml",
    "plant-ca.pem": "touch plant-ca.pem",
    "hall.yaml": "printf 'version: 2\\ndevices:\\n  - {id: a, driver: sim}\\n' > hall.yaml",
    "< password": "echo 'correct horse battery' > password",
    "user disable": "dsmilctl user add ada --no-password",
    "user passwd": "dsmilctl user add ada --no-password; echo 'correct horse battery' > password",
    "user totp": "dsmilctl user add ada --no-password",
    "context previous": "dsmilctl context use sim",
    "context remove": "dsmilctl context add big --driver sim",
    "share/bash-completion": "mkdir -p .local/share/bash-completion/completions",
    ".zfunc": "mkdir .zfunc",
    "config/fish": "mkdir -p .config/fish/completions",
    "bulk-0123456789ab": (
        "dsmilctl -C sim bulk write 0x8030 CONFIG 5 --justification 'night setpoints' --yes"
        " && cd state/bulks/sim && f=$(ls *.json)"
        " && sed s/${f%.json}/bulk-0123456789ab/ $f > bulk-0123456789ab.json"
    ),
}
"""What has to be there for an example with these words."""

SHORTENED = {
    "--count 50": "--count 2",
    "--for 10s": "--for 200ms",
    "/media/safe/": "",
    "/tmp/look": "look",
    "/mnt/disk": "disk",
    "~/": "",
    "user add ada --clearance": "user add ada --no-password --clearance",
    "user passwd ada": "user passwd ada --password-stdin < password",
}
"""What is put in the place of words, so that an example takes no longer than a test may and stays at home.

Where nobody types a password it comes from a file.
"""

NEEDS_TERMINAL = ("dsmilctl -C sim tui", "dsmilctl -C local --read-only tui", "dsmilctl -C replay:last tui")


@pytest.mark.parametrize(("noun", "verb"), VERBS, ids=NAMES)
def test_every_command_says_what_it_does_with_an_example_and_its_impact(noun: Noun, verb: Verb) -> None:
    assert verb.summary[0].isupper()
    assert verb.impact in IMPACTS
    assert verb.examples
    assert all(line.startswith("dsmilctl ") for line in verb.examples)
    assert all(f" {noun.name} {verb.name}".rstrip() in line for line in verb.examples)
    assert all(getattr(parameter, "help", "") for parameter in parameters(verb))


def test_only_reading_commands_are_tagged_as_reading() -> None:
    changing = {name for name, (_, verb) in zip(NAMES, VERBS, strict=True) if verb.impact != "read"}

    assert {"device write", "bulk undo", "emergency stop", "driver disable", "config set"} <= changing
    assert not {name for name in changing if name.split()[-1] in ("list", "show", "log", "status", "read")}


def test_a_command_that_leaves_something_behind_does_not_say_that_it_changes_nothing(shell: Shell) -> None:
    for line in ("record import", "record check", "record run", "backup create"):
        page = shell(f"dsmilctl {line} --help").out
        assert "changes no device" in page
        assert "changes nothing" not in page
    assert "changes nothing" in shell("dsmilctl record list --help").out


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_runs(shell: Shell, line: str) -> None:
    for words, preparation in PREPARED.items():
        if words in line:
            prepared = shell(preparation)
            assert prepared.exit == 0, prepared.err
    for words, shorter in SHORTENED.items():
        line = line.replace(words, shorter)

    answer = shell(line, timeout=LONGEST)
    if "record start" in line:
        assert shell("dsmilctl record stop").exit == 0

    if line in NEEDS_TERMINAL:
        assert (answer.exit, "needs a terminal" in answer.err) == (2, True)
    else:
        assert answer.exit == 0, answer.err


def test_an_example_that_backs_up_behind_ssh_runs(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory
) -> None:
    [line] = [line for _, verb in VERBS for line in verb.examples if SFTP in line]
    assert shell(RECORDED).exit == 0
    served: Path = tmp_path_factory.mktemp("served")

    with serving_sftp(shell.home, served) as port:
        line = line.replace("ada@vault", f"ada:engine@127.0.0.1:{port}")
        answer = shell(line, environment={"DSMIL_BACKUP_PASSPHRASE": "correct horse battery"})

    assert answer.exit == 0, answer.err
    assert any(file.is_file() for file in served.glob("srv/backups/**/*"))


def test_an_example_that_watches_goes_on_until_it_is_interrupted(shell: Shell) -> None:
    watching = [line for _, verb in VERBS for line in verb.examples if WATCHING in line]
    assert len(watching) == 1

    running = shell.start(*watching[0].split()[1:])

    assert running.line().startswith("DEVICE")
    assert running.end(signal.SIGINT).exit == 130


def test_help_is_found_in_every_way_that_people_try(shell: Shell) -> None:
    wanted = shell("dsmilctl emergency stop --help")

    assert wanted.out.startswith("Usage: dsmilctl emergency stop [SEL] [OPTIONS]")
    for line in ("help emergency stop", "-C sim emergency stop -h", "emergency stop 0x8000 --help"):
        assert shell(f"dsmilctl {line}") == wanted
    root = shell("dsmilctl --help")
    for line in ("", "help", "-h", "-C sim --help"):
        assert shell(f"dsmilctl {line}") == root


def test_help_fits_a_narrow_terminal(shell: Shell) -> None:
    with Terminal(shell, "device", "read", "--help", columns=60) as terminal:
        assert terminal.ends() == 0

    long = [line for line in terminal.seen.splitlines() if columns_taken(line) > 60]
    assert all(line.startswith("  dsmilctl") for line in long), "examples are never broken"


def test_a_page_names_arguments_options_examples_and_impact() -> None:
    page = verb_page(
        usage="dsmilctl device read SEL [OPTIONS]",
        text="Read registers.\n\nA device that fails\nis a row.",
        arguments=[("SEL", "devices")],
        options=[("--offset N", "byte offset"), ("-h, --help", "this page")],
        examples=["dsmilctl device read 0x8000"],
        impact="read",
        width=60,
    )

    assert page.splitlines()[:12] == [
        "Usage: dsmilctl device read SEL [OPTIONS]",
        "",
        "Read registers.",
        "",
        "A device that fails is a row.",
        "",
        "Arguments:",
        "  SEL         devices",
        "",
        "Options:",
        "  --offset N  byte offset",
        "  -h, --help  this page",
    ]
    assert "Example:\n  dsmilctl device read 0x8000\n" in page
    assert "Impact:         read: changes nothing\n" in page


def test_a_name_that_is_too_long_has_its_meaning_on_the_next_line() -> None:
    page = noun_page("fleet", "many devices", [("a-very-long-verb-that-nobody-would-type", "Go")], 60)

    assert page.splitlines()[5:6] == ["  a-very-long-verb-that-nobody-would-type  Go"]


@pytest.mark.parametrize(("terminal", "page"), [(None, 100), (300, 100), (72, 72), (10, 40)])
def test_a_page_is_as_wide_as_the_terminal_within_reason(terminal: int | None, page: int) -> None:
    assert fitting(terminal) == page
