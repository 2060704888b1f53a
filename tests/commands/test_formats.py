"""Formats: the same command for people and for programs, on a terminal, in a pipe and in a file."""

from __future__ import annotations

import csv
import io
import json
import signal

import pytest

from dsmilctl.output import FORMATS
from tests.commands.shell import Shell
from tests.commands.terminal import Terminal

READ = "-C sim device read 0x8030-0x8031 TEMP VOLTAGE"
COMMANDS = {
    "rows": READ,
    "one thing": "-C sim device show 0x8001",
    "rows of a bulk": "-C sim bulk read 0x8030-0x8031 TEMP",
    "nothing": "-C sim emergency status",
    "nested": "-C sim system status",
    "no client": "context list",
}


@pytest.mark.parametrize("line", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_speaks_every_format(shell: Shell, line: str) -> None:
    told = {format: shell(f"dsmilctl {line} -o {format}") for format in FORMATS}

    assert {format: answer.exit for format, answer in told.items()} == dict.fromkeys(FORMATS, 0)
    assert {format: answer.err for format, answer in told.items()} == dict.fromkeys(FORMATS, "")
    data = told["json"].data
    rows = data["results"] if isinstance(data, dict) and "results" in data else data
    rows = rows if isinstance(rows, list) else [rows]
    assert len(told["ndjson"].lines) == len(rows)
    assert [set(row) for row in told["ndjson"].lines] == [set(row) for row in rows]
    read = list(csv.DictReader(io.StringIO(told["csv"].out)))
    assert len(read) == len(rows)
    assert "\x1b" not in "".join(answer.out for answer in told.values()), "nothing is painted in a pipe"


def test_plain_rows_are_cells_with_tabs_between_and_no_headings(shell: Shell) -> None:
    answer = shell(f"dsmilctl {READ} -o plain --fields device_id,register,unit")

    assert answer.out == ("0x8030\tTEMP\t°C\n0x8030\tVOLTAGE\tV\n0x8031\tTEMP\t°C\n0x8031\tVOLTAGE\tV\n")


def test_wide_shows_more_columns_than_a_table(shell: Shell) -> None:
    narrow, wide = shell(f"dsmilctl {READ}"), shell(f"dsmilctl {READ} -o wide")

    assert "LATENCY MS" in wide.out.splitlines()[0]
    assert "LATENCY MS" not in narrow.out
    assert len(wide.out.splitlines()) == len(narrow.out.splitlines()) == 5


def test_fields_are_shown_in_the_order_asked_for_in_every_format(shell: Shell) -> None:
    line = f"dsmilctl {READ} --fields unit,register"

    assert shell(line).out.splitlines()[:2] == ["UNIT  REGISTER", "°C    TEMP"]
    assert shell(f"{line} -o csv").out.splitlines()[:2] == ["unit,register", "°C,TEMP"]
    assert list(shell(f"{line} -o json").data[0]) == ["unit", "register"]
    assert list(shell(f"{line} -o ndjson").lines[0]) == ["unit", "register"]
    bulk = shell("dsmilctl -C sim bulk read 0x8030 TEMP --fields unit,register -o json").data
    assert list(bulk["results"][0]) == ["unit", "register"]
    assert bulk["summary"]["total"] == 1, "the fields are those of the rows, the bulk stays whole"


def test_an_unknown_field_is_refused_with_the_nearest_one(shell: Shell) -> None:
    answer = shell(f"dsmilctl {READ} --fields device_id,valeu -o json")

    assert (answer.exit, answer.out) == (2, "")
    assert answer.error.code == "INVALID_PARAMETER"
    assert answer.error.message == "no field 'valeu'"
    assert answer.error.hint == "Did you mean value?"
    assert answer.error.target == "--fields"


def test_jq_filters_the_document_and_prints_strings_as_they_are(shell: Shell) -> None:
    pytest.importorskip("jq")

    answer = shell(f"dsmilctl {READ} --jq '.data[] | .device_id, .value'")
    assert answer.exit == 0
    assert answer.out.splitlines()[0] == "0x8030"
    assert all(line.startswith("0x") or line.isdigit() for line in answer.out.splitlines())

    compact = shell(f"dsmilctl {READ} --jq '[.data[].unit] | unique'")
    assert json.loads(compact.out) == ["V", "°C"]


@pytest.mark.parametrize(
    ("program", "said"), [(".data[", "syntax error"), (".data | .[0].value | keys", "has no keys")]
)
def test_a_jq_program_that_is_wrong_is_refused_in_words(shell: Shell, program: str, said: str) -> None:
    pytest.importorskip("jq")

    answer = shell(f"dsmilctl {READ} --jq '{program}'")

    assert (answer.exit, answer.out) == (2, "")
    assert said in answer.error.message
    assert answer.error.target == "--jq"


def test_what_jq_makes_of_a_document_is_a_line_where_lines_were_asked_for(shell: Shell) -> None:
    told = shell("dsmilctl -C sim device read 0x8000-0x8001 TEMP -o ndjson --jq '.data[] | {v: .value}'")

    assert [sorted(line) for line in told.lines] == [["v"], ["v"]]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_json_is_json_whatever_the_encoding_of_stdout_is(shell: Shell, encoding: str) -> None:
    told = shell("dsmilctl -C sim device read 0x8000 TEMP -o ndjson; dsmilctl -C sim context list -o json",
                 environment={"PYTHONIOENCODING": encoding})  # fmt: skip

    assert json.loads(told.out.splitlines()[0])["unit"] == "°C"
    assert told.out.isascii()


def test_an_option_means_the_same_before_and_after_the_noun(shell: Shell) -> None:
    lines = (
        "dsmilctl -o csv -C sim device list 0x8000",
        "dsmilctl device -o csv -C sim list 0x8000",
        "dsmilctl device list 0x8000 -C sim -o csv",
        "dsmilctl device list -ocsv 0x8000 --context=sim",
    )

    assert len({shell(line).out for line in lines}) == 1
    assert shell("dsmilctl -o csv -C sim device list 0x8000 -o json").json["context"] == "sim"


def test_json_is_the_same_as_output_format_json(shell: Shell) -> None:
    assert shell("dsmilctl context list --json") == shell("dsmilctl context list -o json")


def test_errors_are_json_where_json_was_asked_for_even_of_a_line_that_cannot_be_parsed(shell: Shell) -> None:
    for asked in ("-o json", "-ojson", "--json", "--output-format=ndjson", "-o ndjson", "--jq ."):
        answer = shell(f"dsmilctl device raed 0x8000 {asked}")
        assert (answer.exit, answer.out) == (2, "")
        assert answer.error.hint == "Did you mean read?"
    assert shell("dsmilctl device raed 0x8000").err.startswith("dsmilctl: error: ")
    assert shell("dsmilctl device raed 0x8000", environment={"DSMIL_OUTPUT": "json"}).err.startswith(
        "dsmilctl: error: "
    )
    assert (
        shell("dsmilctl -C sim device read 0x9999", environment={"DSMIL_OUTPUT": "json"}).error.code
        == "DEVICE_NOT_FOUND"
    )


def test_a_formula_in_a_csv_is_text(shell: Shell) -> None:
    reason = "=cmd|calc!A1 is no reason"
    shell.run("-C", "sim", "emergency", "stop", "0x8030", "--reason", "@SUM(1+1)")
    shell.run("-C", "sim", "context", "use", "sim")

    done = shell.run(
        "-C", "sim", "emergency", "release", "--justification", reason, "--confirm", "sim", "-o", "csv"
    )
    log = shell("dsmilctl audit log -o csv --fields action,parameters")
    (shell.home / "names.csv").write_text(
        f"device_id,register,value,justification\n0x8030,CONFIG,5,{reason}\n"
    )
    shell("dsmilctl -C sim bulk write --file names.csv --yes")
    history = shell("dsmilctl -C sim device history 0x8030 -o csv")

    for answer in (done, log, history):
        assert answer.exit == 0
        cells = [cell for row in csv.reader(io.StringIO(answer.out)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]


def test_a_table_is_never_cut_in_a_pipe_and_fits_a_narrow_terminal(shell: Shell) -> None:
    line = ["-C", "sim", "device", "list", "0x8000-0x8003"]
    piped = shell.run(*line, environment={"COLUMNS": "40"})
    with Terminal(shell, *line, columns=60) as terminal:
        assert terminal.ends() == 0

    assert max(map(len, piped.out.splitlines())) > 70
    shown = terminal.seen.splitlines()
    assert max(map(len, shown)) <= 60
    assert len(shown) == 5
    assert "…" in terminal.seen


def test_a_reader_sees_the_first_line_of_a_stream_while_the_command_still_runs(shell: Shell) -> None:
    running = shell.start("-C", "sim", "stream", "devices", "0x8000", "--interval", "0.05")

    first, second = running.line(), running.line()

    assert running.goes_on
    assert json.loads(first)["event"] == "start"
    assert json.loads(second)["device_id"] == "0x8000"
    rest = running.end(signal.SIGTERM)
    assert json.loads(rest.out.splitlines()[-1])["reason"] == "signal"


def test_a_stream_on_a_terminal_is_a_table_whose_rows_stand_below_each_other(shell: Shell) -> None:
    line = ["-C", "sim", "stream", "devices", "0x8000-0x8003", "TEMP", "--count", "4"]
    with Terminal(shell, *line) as terminal:
        assert terminal.ends() == 0

    head, *rows = terminal.seen.splitlines()
    assert head.split()[:4] == ["TIME", "DEVICE", "REGISTER", "VALUE"]
    assert len(rows) == 4
    assert {row.index("TEMP") for row in rows} == {head.index("REGISTER")}


def test_a_stream_as_csv_has_its_headings_once(shell: Shell) -> None:
    line = "dsmilctl -C sim stream devices 0x8000 TEMP --interval 0.02 --count 3 -o csv"

    rows = shell(line).out.splitlines()

    assert len(rows) == 4
    assert rows[0].startswith("device_id,register,value")


CURRENT: list[tuple[str, str, str]] = [
    ("dsmilctl config show --origin", "local", "default"),
    (
        "dsmilctl context use sim; dsmilctl config show --origin",
        "sim",
        "context use (HOME/state/current-context.json)",
    ),
    ("dsmilctl config set context sim; dsmilctl config show --origin", "sim", "HOME/config/config.toml:1"),
    (
        "dsmilctl context use sim; DSMIL_CONTEXT=local dsmilctl config show --origin",
        "local",
        "environment DSMIL_CONTEXT",
    ),
    ("dsmilctl context use local; dsmilctl -C sim config show --origin", "sim", "command line"),
]


@pytest.mark.parametrize(("line", "context", "origin"), CURRENT)
def test_the_configuration_shows_the_current_context_and_where_it_comes_from(
    shell: Shell, line: str, context: str, origin: str
) -> None:
    told = shell(f'({line} -o ndjson) | grep \'"key":"context"\'').out

    row = json.loads(told.splitlines()[-1])
    assert row == {"key": "context", "value": context, "origin": origin.replace("HOME", str(shell.home))}
