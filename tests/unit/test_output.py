"""Output: every format of rows, of one thing and of a stream, and what of them is refused."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.errors import InvalidParameter
from dsmilctl.inert import STEERING, inert_lines
from dsmilctl.output import FORMATS, FORMULA_STARTS, Output
from dsmilctl.tables import Column

ROWS: list[dict[str, Any]] = [
    {"device_id": "0x8000", "value": 5, "error": None},
    {"device_id": "0x8001", "value": None, "error": {"code": "TIMEOUT", "message": "silent"}},
]
COLUMNS = (Column("device_id", "DEVICE"), Column("value", right=True), Column("error", wide=True))
Printed = pytest.CaptureFixture[str]


def test_rows_are_a_table_for_people(capsys: Printed) -> None:
    Output("table").show(ROWS, schema="test/1", columns=COLUMNS)

    assert capsys.readouterr().out == "DEVICE  VALUE\n0x8000      5\n0x8001\n"


def test_wide_shows_every_column(capsys: Printed) -> None:
    Output("wide").show(ROWS, schema="test/1", columns=COLUMNS)

    assert capsys.readouterr().out.splitlines()[0] == "DEVICE  VALUE  ERROR"


def test_json_is_one_document_with_its_schema_and_context(capsys: Printed) -> None:
    Output("json", context="sim").show(ROWS, schema="test/1", columns=COLUMNS)

    assert json.loads(capsys.readouterr().out) == {
        "schema": "dsmilctl/test/1",
        "context": "sim",
        "data": ROWS,
    }


def test_ndjson_is_a_line_per_row(capsys: Printed) -> None:
    Output("ndjson").show(ROWS, schema="test/1")

    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ROWS


def test_csv_has_every_field_and_keeps_what_is_nested_as_json(capsys: Printed) -> None:
    Output("csv").show(ROWS, schema="test/1", columns=COLUMNS)

    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        ["device_id", "value", "error"],
        ["0x8000", "5", ""],
        ["0x8001", "", '{"code":"TIMEOUT","message":"silent"}'],
    ]


def test_plain_is_cells_with_tabs_between(capsys: Printed) -> None:
    Output("plain").show(ROWS, schema="test/1", columns=COLUMNS)

    assert capsys.readouterr().out == "0x8000\t5\n0x8001\t\n"


def test_a_truth_is_yes_and_no_for_people_and_true_and_false_for_every_program(capsys: Printed) -> None:
    row, said = {"device_id": "0x8000", "quarantined": False, "here": [True]}, {}
    columns = (Column("device_id"), Column("quarantined"))
    for format in ("table", "csv", "plain", "ndjson"):
        for shown in ([row], row):
            Output(format).show(shown, schema="test/1", columns=columns)
            said[format, type(shown)] = capsys.readouterr().out.splitlines()

    assert said["table", list][1].split() == ["0x8000", "no"]
    assert said["csv", list] == said["csv", dict] == ["device_id,quarantined,here", "0x8000,false,[true]"]
    assert said["plain", list] == ["0x8000\tfalse"]
    assert said["plain", dict][1] == "quarantined\tfalse"
    assert said["ndjson", list] == ['{"device_id":"0x8000","quarantined":false,"here":[true]}']


def test_nothing_is_said_for_people_and_empty_for_programs(capsys: Printed) -> None:
    said = {}
    for format in FORMATS:
        Output(format).show([], schema="test/1", columns=COLUMNS, empty="no devices")
        said[format] = capsys.readouterr().out

    assert said["table"] == said["wide"] == "no devices\n"
    assert (said["ndjson"], said["plain"]) == ("", "")
    assert said["csv"] == "device_id,value,error\n"
    assert json.loads(said["json"])["data"] == []


def test_one_thing_is_a_page_or_a_row(capsys: Printed) -> None:
    said = {}
    for format in ("table", "plain", "csv", "ndjson"):
        Output(format).show(ROWS[0], schema="test/1", columns=COLUMNS)
        said[format] = capsys.readouterr().out

    assert said["table"] == "device_id  0x8000\nvalue      5\nerror      -\n"
    assert said["plain"] == "device_id\t0x8000\nvalue\t5\nerror\t\n"
    assert said["csv"] == "device_id,value,error\n0x8000,5,\n"
    assert json.loads(said["ndjson"]) == ROWS[0]


def test_the_rows_inside_a_thing_are_its_table_and_its_fields(capsys: Printed) -> None:
    bulk = {"id": "bulk-1", "results": ROWS}

    Output("table").show(bulk, schema="test/1", columns=COLUMNS, rows="results")
    assert capsys.readouterr().out.startswith("DEVICE  VALUE\n")

    Output("json", fields=["value"]).show(bulk, schema="test/1", columns=COLUMNS, rows="results")
    assert json.loads(capsys.readouterr().out)["data"] == {
        "id": "bulk-1",
        "results": [{"value": 5}, {"value": None}],
    }


@pytest.mark.parametrize("format", FORMATS)
def test_an_unknown_field_is_refused_before_anything_is_shown(format: str, capsys: Printed) -> None:
    with pytest.raises(InvalidParameter, match="no field 'valeu'") as refused:
        Output(format, fields=["device_id", "valeu"]).show(ROWS, schema="test/1", columns=COLUMNS)

    assert refused.value.hint == "Did you mean value?"
    assert capsys.readouterr().out == ""


def test_an_unknown_format_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InvalidParameter, match="no output format 'jsn'") as refused:
        Output("jsn")

    assert refused.value.hint == "Did you mean json?"


def test_a_stream_of_rows_has_one_heading(capsys: Printed) -> None:
    said = {}
    for format in ("table", "csv", "plain", "ndjson"):
        output = Output(format)
        for row in ROWS:
            output.row(row, COLUMNS)
        said[format] = capsys.readouterr().out.splitlines()

    assert said["table"] == ["DEVICE  VALUE", "0x8000      5", "0x8001"]
    assert said["csv"][:2] == ["device_id,value,error", "0x8000,5,"]
    assert said["plain"] == ["0x8000\t5", "0x8001\t"]
    assert [json.loads(line) for line in said["ndjson"]] == ROWS


def test_a_mark_is_whole_whatever_fields_were_asked_for(capsys: Printed) -> None:
    Output("ndjson", fields=["value"]).mark({"event": "gap", "missed": 3})

    assert json.loads(capsys.readouterr().out) == {"event": "gap", "missed": 3}


def test_a_jq_program_sees_the_document_and_strings_come_out_bare(capsys: Printed) -> None:
    pytest.importorskip("jq")
    output = Output("table", jq=".schema, (.data[] | .value)")

    output.show(ROWS, schema="test/1", columns=COLUMNS)

    assert capsys.readouterr().out == "dsmilctl/test/1\n5\nnull\n"
    assert output.as_json and not output.for_people


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON)
def test_every_value_is_shown_in_every_format(value: Any) -> None:
    for format in FORMATS:
        out = _shown(format, [{"value": value}])
        if format == "ndjson":
            assert _same(json.loads(out)["value"], value)
        elif format == "csv":
            assert len(list(csv.reader(io.StringIO(out, newline="")))) == 2


@given(text=st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_cell_of_a_csv_is_a_formula_and_every_harmless_text_comes_back(text: str) -> None:
    out = _shown("csv", [{"a": text, "b": 1}])

    cell = list(csv.reader(io.StringIO(out, newline="")))[1][0]
    assert not cell.startswith(FORMULA_STARTS)
    assert inert_lines(text) in (cell, cell.removeprefix("'"))


STEERING_TEXT = st.text(
    st.sampled_from('a\n\t°"\\\x00\r\x07\x1b\x7f\x85\x9b\u061c\u200f\u2028\u202e\u2066'), min_size=1
)


@given(text=STEERING_TEXT)
def test_no_format_lets_anything_through_that_steers_a_terminal(text: str) -> None:
    for format in FORMATS:
        for data in ([{"value": text, "all": [text]}], {"value": text, "more": {text: text}}, text):
            assert STEERING.search(_shown(format, data)) is None, format


@given(text=STEERING_TEXT)
def test_programs_see_every_text_as_it_is(text: str) -> None:
    assert json.loads(_shown("ndjson", [{text: text}])) == {text: text}
    assert json.loads(_shown("json", [{text: text}]))["data"] == [{text: text}]


@given(text=STEERING_TEXT)
def test_a_bare_string_of_a_jq_program_is_harmless_and_json_in_it_stays_json(text: str) -> None:
    pytest.importorskip("jq")
    bare = _shown("json", [text], jq=".data[]")

    assert STEERING.search(bare) is None
    assert json.loads(_shown("json", [text], jq=".data[] | tojson")) == text


def test_a_cell_of_a_csv_is_written_as_in_a_table_but_keeps_its_lines(capsys: Printed) -> None:
    Output("csv").show([{"a": "one\x1b[31m\ttwo\u202e\nthree"}], schema="test/1")

    assert capsys.readouterr().out == 'a\n"one\\x1b[31m\ttwo\\u202e\nthree"\n'


def _shown(format: str, data: Any, jq: str = "") -> str:
    import contextlib

    stream = io.StringIO(newline="")
    with contextlib.redirect_stdout(stream):
        Output(format, jq=jq).show(data, schema="test/1")
    return stream.getvalue()


def _same(read: Any, value: Any) -> bool:
    if isinstance(value, str):
        return bool(read == value.encode("utf-8", "backslashreplace").decode())
    if isinstance(value, float) and not math.isfinite(value):
        return read is None
    if isinstance(value, dict):
        return len(read) <= len(value)
    if isinstance(value, list):
        return all(map(_same, read, value))
    return bool(read == value)
