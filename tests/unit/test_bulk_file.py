"""Bulk files: operations from CSV and JSON, and every mistake with the line that it is on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.commands.bulk_file import MOST, read_requests
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.register import Register

REGISTERS = (Register("CONFIG", 1, access="rw"), Register("SPEED", 2, type="f64", access="rw"))
DEVICES = [
    Device(0x8030, "Pump", "sim", REGISTERS),
    Device(0x8031, "Valve", "sim", REGISTERS),
    Device("boiler-1", "Boiler", "plant", REGISTERS),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "operations"


def read(file: Path, text: str) -> list[Request]:
    file.write_text(text)
    return read_requests(str(file), DEVICES)


def refusal(file: Path, text: str) -> str:
    with pytest.raises(InvalidParameter) as refused:
        read(file, text)
    return refused.value.message


def test_a_row_of_a_csv_is_a_write(file: Path) -> None:
    requests = read(
        file, "device_id,register,value,justification\n0x8030,config,0x10,why\nboiler-1,SPEED,-1.5,\n"
    )

    first, second = requests
    assert (first.device_id, first.type, first.register, first.value) == (
        0x8030,
        OperationType.WRITE,
        "CONFIG",
        16,
    )
    assert first.justification == "why"
    assert (second.device_id, second.register, second.value) == ("boiler-1", "SPEED", -1.5)


@pytest.mark.parametrize("name", ["0x8030", "0X8030", "32816", "Pump", "pump"])
def test_a_device_has_its_id_and_its_name(file: Path, name: str) -> None:
    assert read(file, f"device_id,register,value\n{name},CONFIG,1\n")[0].device_id == 0x8030


def test_lines_of_json_and_a_list_of_json_are_the_same(file: Path) -> None:
    rows = [
        {"device_id": 0x8030, "type": "activate"},
        {"device_id": "0x8031", "register": "CONFIG", "value": 7, "if_value": 3},
        {"device_id": "Boiler", "type": "COMMAND", "command": "ignite"},
    ]
    lines = "\n\n".join(msgspec.json.encode(row).decode() for row in rows)

    requests = read(file, lines)

    assert requests == read(file, msgspec.json.encode(rows).decode())
    assert [request.type for request in requests] == ["ACTIVATE", "WRITE", "COMMAND"]
    assert requests[1].if_value == 3
    assert requests[2].command == "ignite"


def test_a_configuration_has_its_settings_as_an_object_or_as_words(file: Path) -> None:
    (from_json,) = read(
        file, '{"device_id": "Pump", "type": "config", "arguments": {"threshold": 5, "on": true}}'
    )
    (from_csv,) = read(file, "device_id,type,arguments\nPump,config,threshold=5 on=true\n")

    assert from_json.arguments == from_csv.arguments == (("threshold", 5), ("on", True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("device_id,register,value\n0x9999,CONFIG,1\n", ":2: no device 0x9999"),
        ("device_id,register,value\n0x8030,CNOFIG,1\n", ":2: no register 'CNOFIG' (Did you mean CONFIG?)"),
        ("device_id,register,value\n0x8030,CONFIG,many\n", ":2: CONFIG: 'many' is not a whole number"),
        ("device_id,type\n0x8030,explode\n", ":2: no type 'explode'"),
        ("device_id,regster,value\n0x8030,CONFIG,1\n", ":1: no column 'regster'"),
        ("0x8030,CONFIG,1\n0x8031,CONFIG,1\n", ":1: the first line must name the columns"),
        ("0x8030,CONFIG,1\n", "and this one is '0x8030,CONFIG,1'"),
        ("device_id,type,register\n0x8030,read,CONFIG\n", ":2: a plan holds changes, and a read is none"),
        ('{"device_id": 32816, "type": "READ"}', "dsmilctl bulk read SEL REGISTER"),
        ("device_id,type\n0x8030,command\n", ":2: a command needs its name"),
        ("register,value\nCONFIG,1\n", ":2: no device_id"),
        ("device_id,register,value\n0x8030,CONFIG,1,2\n", ":2: more cells than the first line has names"),
        ('device_id,register,value\n0x8030,"CONF\n', "unexpected end of data"),
        ("device_id,register,value\n0x8030,CONFIG\n", ":2: a write needs a value"),
        ('{"device_id": 32816, "register": "CONFIG", "value": [1]}', "is not a value"),
        ('{"device_id": 32816}\n{"device_id": }', ":2: JSON is malformed"),
        ('{"device_id": 32816, "type": "config", "arguments": [1]}', "are not an object"),
        ("device_id,type,arguments\n0x8030,config,threshold\n", "is not KEY=VALUE"),
        ("[1, 2]", "Expected `object`, got `int`"),
        ("device_id,register,value\n", "holds no operation"),
        ("", "holds no operation"),
    ],
)
def test_a_mistake_is_told_with_its_line(file: Path, text: str, said: str) -> None:
    assert said in refusal(file, text)


def test_all_mistakes_are_told_at_once_and_very_many_are_counted(file: Path) -> None:
    rows = "".join(f"0x{index:04x},CONFIG,1\n" for index in range(30))

    told = refusal(file, f"device_id,register,value\n{rows}").splitlines()

    assert told[0] == "30 mistakes"
    assert len(told) == MOST + 2
    assert told[-1].strip() == "… and 20 more"


def test_a_file_that_is_not_there_too_large_or_not_text_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidParameter, match="No such file"):
        read_requests(str(file), DEVICES)
    file.write_bytes(b"device_id\n\xff\n")
    with pytest.raises(InvalidParameter, match="is not UTF-8"):
        read_requests(str(file), DEVICES)
    monkeypatch.setattr("dsmilctl.commands.bulk_file.LARGEST", 4)
    with pytest.raises(InvalidParameter, match="is larger than"):
        read_requests(str(file), DEVICES)


@given(st.text(max_size=200))
def test_no_content_ends_in_anything_but_requests_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_text(text, encoding="utf-8", errors="replace")
    try:
        assert read_requests(str(file), DEVICES)
    except InvalidParameter as error:
        assert error.message


@given(st.integers(0, 2**32 - 1), st.sampled_from(DEVICES))
def test_what_is_written_as_csv_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, value: int, device: Device
) -> None:
    file = tmp_path_factory.getbasetemp() / "written"

    requests = read(file, f"device_id,register,value\n{device.shown_id},CONFIG,{value}\n")

    assert [(request.device_id, request.value) for request in requests] == [(device.device_id, value)]
