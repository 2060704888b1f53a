"""Wrong lines: each says what is wrong and what would be right, and changes nothing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from dsmilctl.cli import NOUNS, root_help
from dsmilctl.commands.later import WORDS
from dsmilctl.commands.nouns import nouns
from dsmilctl.commands.runner import run_command_line
from tests.commands.shell import Shell


class Wrong(NamedTuple):
    """A line, and parts of the error and of the hint that answer it."""

    line: str
    error: str
    hint: str


NAMES = [
    Wrong("devcie list", "no noun 'devcie'", "Did you mean device?"),
    Wrong("-C sim device raed 0x8000", "device has no verb 'raed'", "Did you mean read?"),
    Wrong("-C sim device xyzzy", "device has no verb 'xyzzy'", "verbs of device: list, show"),
    Wrong("-C smi device list", "no context 'smi'", "Did you mean sim?"),
    Wrong("-C sim device read 0x8000 --wacth", "no option --wacth", "Did you mean --watch?"),
    Wrong("-C sim device read 0x8000 -Z", "no option -Z", "dsmilctl device read --help"),
    Wrong("--contxt sim device list", "no option --contxt", "Did you mean --context?"),
    Wrong("-C sim device read 0x9999", "no device 0x9999", "ids here go from 0x8000 to 0x8053"),
    Wrong("-C sim device read 0x80F0", "no device 0x80F0", "Did you mean 0x8053?"),
    Wrong("-C sim device read 'emergency wipe controler'", "no device", "Did you mean Emergency Wipe"),
    Wrong("-C sim device read @coer", "@coer names no device", "Did you mean @core?"),
    Wrong("-C sim device read 0x8000 TMEP", "no register 'TMEP'", "Did you mean TEMP?"),
    Wrong("-C sim device write 0x8030 CNOFIG 5 --yes", "no register 'CNOFIG'", "Did you mean CONFIG?"),
    Wrong("-C sim device command 0x8030 identfy --yes", "no command 'identfy'", "Did you mean identify?"),
    Wrong("-C sim driver show simm", "no driver 'simm'", "Did you mean sim?"),
    Wrong("context use loacl", "no context 'loacl'", "Did you mean local?"),
    Wrong("context add big --driver simm", "no driver 'simm'", "Did you mean sim?"),
    Wrong("config set timeuot 5", "unknown setting 'timeuot'", "Did you mean timeout?"),
    Wrong("-C sim device list -o jsno", "no output format 'jsno'", "Did you mean json?"),
    Wrong("-C sim device list --fields nmae", "no field 'nmae'", "Did you mean name?"),
    Wrong("-C sim bulk read @all --mode seqential", "no mode 'seqential'", "Did you mean sequential?"),
    Wrong("-C sim stream events --severity eror", "no severity 'eror'", "Did you mean error?"),
    Wrong("-C sim stream devices --transport pol", "no transport 'pol'", "Did you mean poll?"),
    Wrong("-C sim device list --risk hgih", "--risk cannot be 'HGIH'", "Did you mean HIGH?"),
    Wrong("-C sim device list --status eror", "--status cannot be 'eror'", "Did you mean error?"),
    Wrong("-C sim device history 0x8030 --type WRTE", "--type cannot be 'WRTE'", "Did you mean WRITE?"),
    Wrong("audit log --action device.wirte", "--action cannot be", "Did you mean device.write?"),
    Wrong("audit log --action nope", "--action cannot be 'nope'", "emergency.release, driver.enable"),
    Wrong("audit log --outcome denid", "--outcome cannot be 'denid'", "Did you mean DENIED?"),
    Wrong("audit log --outcome nope", "--outcome cannot be 'nope'", "one of INTENT, SUCCESS, FAILED"),
    Wrong("-C sim stream events --type device.stat", "--type cannot be", "Did you mean device.state?"),
    Wrong("-C sim stream events --type nope", "--type cannot be 'nope'", "one of device.state, alarm.state"),
    Wrong("-C sim device list --progress josn", "--progress cannot be 'josn'", "Did you mean json?"),
    Wrong("-C sim device list --log-format txet", "--log-format cannot be 'txet'", "Did you mean text?"),
]

LATER = [
    Wrong("analyze stats", "analyze is not part of dsmilctl", "stream devices"),
    Wrong("driver new pump", "driver new is not part of dsmilctl", "driver list"),
    Wrong("stream raw 0x8000", "stream raw is not part of dsmilctl", "-vv"),
    Wrong("tui --web", "tui --web is not part of dsmilctl", "in the terminal"),
    Wrong("recrod list", "no noun 'recrod'", "Did you mean record?"),
]
"""What is not there yet says so, and no word is offered for it that means something else."""

SELECTORS = [
    Wrong("-C sim device read 0x8000,,0x8001", "has an empty term", "a selector is 0x8000, "),
    Wrong("-C sim device read 0x80zz", "'0x80zz' is not a hexadecimal number", "a selector is "),
    Wrong("-C sim device read 0x8003-0x8000", "is reversed", "0x8000-0x8003"),
    Wrong("-C sim device read 0-0x10000000000", "spans 1,099,511,627,777 ids", "@all is every device"),
    Wrong("-C sim device read risk=HUGE", "risk is never 'HUGE'", "LOW, MEDIUM, HIGH, CRITICAL"),
    Wrong("-C sim device read colour=red", "no filter 'colour'", "filters: risk, state"),
    Wrong("-C sim device read 'zzz*'", "zzz* names no device", "dsmilctl device list"),
    Wrong("-C sim device show 0x8000-0x8001", "names 2 devices, not one", "name one device"),
]

VALUES = [
    Wrong("-C sim device write 0x8030 TEMP 5 --yes", "read-only register", "writable registers of 0x8030"),
    Wrong("-C sim device write 0x8030 CONFIG -5 --yes", "-0x00000005 is outside", "CONFIG is u32"),
    Wrong("-C sim device write 0x8030 CONFIG 4294967296 --yes", "is outside", "CONFIG is u32"),
    Wrong("-C sim device write 0x8030 CONFIG five --yes", "'five' is not a whole number", "CONFIG is u32"),
    Wrong("-C sim device write 0x8030 CONFIG 1.5 --yes", "'1.5' is not a whole number", "CONFIG is u32"),
    Wrong("-C sim device write 0x8030 --yes", "REGISTER is missing", "device write DEV REGISTER VALUE"),
    Wrong("-C sim device read", "SEL is missing", "device read SEL [REGISTER]..."),
    Wrong("-C sim device write 0x8030 CONFIG 5 6 --yes", "too many arguments: 6", "device write --help"),
    Wrong("-C sim device configure 0x8030 --yes", "no setting is given", "threshold=1024"),
    Wrong("-C sim device configure 0x8030 threshold --yes", "is not KEY=VALUE", "threshold=1024"),
    Wrong("-C sim device configure 0x8030 --file no.json --yes", "no.json: No such file", "looked for it in"),
    Wrong("-C sim bulk write 0x8030 CONFIG --yes", "name either devices, register and value", "--file FILE"),
    Wrong("-C sim bulk run no.csv --yes", "no.csv: No such file", "looked for it in"),
    Wrong("record import no.parquet", "there is no file no.parquet", "looked for it in"),
    Wrong("record export last none/x.csv", "there is no folder none", "mkdir -p none"),
    Wrong("-C sim bulk status bulk-0", "no bulk 'bulk-0'", "dsmilctl audit log"),
    Wrong("-C sim device read 0x8000 --offset -1", "--offset: -1 is less than 0", "device read --help"),
    Wrong("-C sim device read 0x8000 --watch 0", "--watch cannot be 0", "50ms or more"),
    Wrong("-C sim device read 0x8000 --watch=soon", "'soon' is not a duration", "500ms, 10s, 2m, 1h or 3d"),
    Wrong("-C sim stream devices --interval 0", "--interval cannot be 0", "10ms or more"),
    Wrong("-C sim stream devices --interval x", "'x' is not a duration", "500ms, 10s, 2m, 1h or 3d"),
    Wrong("-C sim stream devices --for 10x", "'10x' is not a duration", "500ms, 10s, 2m, 1h or 3d"),
    Wrong("-C sim stream devices --transport ws", "a local context has no transport ws", "auto or poll"),
    Wrong("-C sim audit log --limit none", "--limit: 'none' is not a whole number", "audit log --help"),
    Wrong("-C sim audit log --since yesterday", "'yesterday' is not a time", "or a duration ago: 2h"),
    Wrong("-C sim audit verify --anchor ''", "neither a file nor a hash", "dsmilctl audit export FILE"),
    Wrong("-C sim audit verify --anchor 6:", "6: is neither a file nor a hash", "dsmilctl audit export FILE"),
    Wrong("-C sim audit verify --anchor x", "neither a file nor a hash", "dsmilctl audit export FILE"),
    Wrong("-C sim audit show 99", "no record 99", "dsmilctl audit log"),
    Wrong("-C sim device list --timeout -1", "'-1' is not a duration", "500ms, 10s, 2m, 1h or 3d"),
    Wrong("-C sim device list --deadline 0", "--deadline cannot be 0", "a number of seconds above 0"),
    Wrong("-C sim device list --deadline", "--deadline needs a value", "dsmilctl --help"),
    Wrong("-C sim device list --retry -1", "--retry cannot be -1", "0 or more"),
    Wrong("-C sim device list --json=yes", "--json takes no value", "dsmilctl --help"),
    Wrong("-C sim", "a noun is missing", "nouns: device, bulk"),
    Wrong("-C sim device -o json", "a verb is missing", "verbs of device: list"),
    Wrong("-C sim device write 0x8030 CONFIG 5 --approval X --yes", "no approvals", "leave --approval out"),
    Wrong("-C sim device activate 0x8030 --approval X --yes", "no approvals", "leave --approval out"),
    Wrong("context add 'a b' --driver sim", "cannot be the name of a context", "letters, digits"),
    Wrong("context add sim --driver sim", "there is a context 'sim' already", "take another name"),
    Wrong("context add plant --url 127.0.0.1:1", "--url: '127.0.0.1:1' is no address", "https://host:8443"),
    Wrong("sim serve --port 0 --fault nonsense", "no fault 'nonsense'", "a fault is silent:SEL"),
    Wrong("context add big --driver sim --option devices", "is not KEY=VALUE", "--option devices=10000"),
    Wrong("context add big --driver sim --option devises=3", "unknown field `devises`", "options of sim"),
    Wrong("context remove sim", "is built in", ""),
    Wrong("context previous", "no context was chosen before", "dsmilctl context use NAME"),
    Wrong("config set timeout five", "timeout should be a number of seconds above 0", ""),
    Wrong("config set reconnect 5", "reconnect is a table", "reconnect.first"),
    Wrong("-C local sim reset --yes", "context local has no simulated devices", "dsmilctl -C sim sim reset"),
]


EMPTY = [
    Wrong("-C sim device reset '' --yes", "the selector is empty", "@all is every device"),
    Wrong("-C sim device activate ' ' --yes", "the selector is empty", "@all is every device"),
    Wrong("-C sim bulk read '' TEMP", "the selector is empty", "@all is every device"),
    Wrong("-C sim device write '' CONFIG 5 --yes", "the selector is empty", "@all is every device"),
    Wrong("-C '' device list", "the name of the context is empty", "dsmilctl context list"),
    Wrong("-C '' emergency stop", "NOTHING WAS STOPPED", "dsmilctl -C NAME emergency stop"),
    Wrong("context use ''", "the name of the context is empty", "dsmilctl context list"),
    Wrong("-C sim stream devices --count 0", "--count: 0 is less than 1", "dsmilctl stream devices --help"),
    Wrong("-C sim stream events --for 0s", "--for cannot be 0s", "leave it out to follow for ever"),
]
"""A shell's variable that nobody has set names nothing, and not everything."""

USERS = [
    Wrong("user add ada --no-password --devices 0x80ZZ", "'0x80ZZ' is no device's id", "0x8000-0x803B"),
    Wrong("user add ada --no-password --devices '@all'", "'@all' is no device's id", "leave --devices out"),
    Wrong("user add ada --no-password --devices 0x8003-0x8000", "is no range of devices", "0x8000-0x803B"),
    Wrong("sim serve --port 99999", "--port: 99999 is not between 0 and 65535", "dsmilctl sim serve --help"),
    Wrong("-C sim device write 0x8030-0x8031 CONFIG 5 --yes", "names 2 devices, not one", "`bulk write`"),
]


@pytest.mark.parametrize(
    "wrong", [*NAMES, *LATER, *SELECTORS, *VALUES, *EMPTY, *USERS], ids=lambda wrong: wrong.line
)
def test_a_wrong_line_is_answered_with_what_would_be_right(
    wrong: Wrong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DSMIL_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    status = run_command_line(shlex.split(wrong.line))

    told = capfd.readouterr()
    error, _, hint = told.err.partition("\nhint: ")
    assert status == 2
    assert told.out == ""
    assert error.startswith(("dsmilctl: error: ", '{"error"')) and wrong.error in error
    assert wrong.hint in (hint or error)
    assert not list(tmp_path.glob("state/journal*")) or "device" in wrong.line


@pytest.mark.parametrize(
    "content",
    [
        b'{"sequence":6,"hash":"","time":"","records":6}',
        b'{"sequence":6}',
        b'{"hash":6}',
        b"[]",
        b"",
        b"\xff",
    ],
)
def test_a_file_that_is_no_anchor_proves_nothing(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "anchor.json").write_bytes(content)
    wrong = Wrong(
        "-C sim audit verify --anchor anchor.json", "anchor.json is no exported", "audit export FILE"
    )

    test_a_wrong_line_is_answered_with_what_would_be_right(wrong, tmp_path, monkeypatch, capfd)


def test_nothing_that_is_not_there_yet_is_listed_or_hides_something_that_is_there() -> None:
    there = {f"{noun.name} {verb}".strip() for noun in nouns() for verb in noun.verbs} | set(NOUNS)

    assert not there & set(WORDS)
    assert "analyze" not in root_help()
    assert not [word for word in WORDS if " " not in word and f"  {word} " in root_help()]


def test_wrong_lines_are_answered_the_same_by_a_fresh_process(shell: Shell) -> None:
    for wrong in (NAMES[1], SELECTORS[2], VALUES[1]):
        answer = shell(f"dsmilctl {wrong.line}")
        assert answer.exit == 2
        assert answer.out == ""
        assert f"{wrong.error}" in answer.err.splitlines()[0]
        assert wrong.hint in answer.err.splitlines()[1]


def test_what_is_wrong_is_shown_harmless_whatever_bytes_it_is_made_of(shell: Shell) -> None:
    for word in (b"\xff\xfe", b"boiler\x1b[31m", "\u202edeliob".encode(), b"a" * 100_000):
        plain = shell.run("-C", "sim", "device", "read", word)
        json = shell.run("-C", "sim", "device", "read", word, "-o", "json")
        assert (plain.exit, json.exit) == (2, 2)
        assert plain.err.isprintable() or set(plain.err) - {"\n"} <= set(filter(str.isprintable, plain.err))
        assert json.error.code == "DEVICE_NOT_FOUND"


def test_every_justification_that_bytes_can_spell_is_journalled(shell: Shell) -> None:
    reason = "Prüfung der Lüfter ".encode() + b"\xff\x00"[:1]

    written = shell.run(
        "-C", "sim", "device", "write", "0x8030", "CONFIG", "5", "--justification", reason, "--yes"
    )
    log = shell("dsmilctl audit log --limit 2 -o json")

    assert written.exit == 0, written.err
    assert "Prüfung der Lüfter \\xff" in log.out.replace("\\\\", "\\")
    assert shell("dsmilctl audit verify").exit == 0


def test_a_mistake_of_ours_is_a_sentence_and_a_traceback_only_with_debug(shell: Shell) -> None:
    (shell.home / "bin/sitecustomize.py").write_text(
        "import dsmilctl.commands.context as module\n"
        "def contexts(): raise KeyError('surprise')\n"
        "module.contexts = contexts\n"
    )
    shell.environment["PYTHONPATH"] = str(shell.home / "bin")

    plain = shell("dsmilctl context list")
    json = shell("dsmilctl context list -o json")
    debug = shell("dsmilctl --debug context list")

    assert (plain.exit, json.exit, debug.exit) == (1, 1, 1)
    assert plain.err.startswith("dsmilctl: error: a mistake in dsmilctl: KeyError: 'surprise'\nhint: ")
    assert json.error.code == "INTERNAL_ERROR"
    assert "Traceback (most recent call last)" in debug.err
