"""The fleet file: what it may say, and every mistake with its line and column."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.client.fleets import fleet_context
from dsmilctl.client.opening import connect_context
from dsmilctl.config.contexts import DriverUse
from dsmilctl.config.paths import Paths
from dsmilctl.drivers.registry import Registry
from dsmilctl.errors import ConfigError
from dsmilctl.fleet.fleet_file import FleetDriver, read_fleet_file
from tests.drivers.far import federating

NAMES = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}\Z")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"id": NAMES, "driver": NAMES}, optional={"options": st.dictionaries(NAMES, VALUES)}
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda entry: str(entry["id"]),
)

MIXED = """\
version: 2
name: plant
devices:
  - id: here
    driver: host
  - id: hall
    driver: sim
    options: {devices: 3}
  - id: north
    driver: dsmil
    options:
      url: https://north.example:8443
      username: gateway
      secret: file:/etc/dsmil/north.secret
      prefix: north-
  - {id: south, driver: dsmil, options: {url: "https://south.example", secret: env:TOKEN, prefix: south-}}
"""


def write(folder: Path, text: str, name: str = "fleet.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def problems(folder: Path, text: str, name: str = "fleet.yaml") -> str:
    """What is said of a fleet file that is wrong, without the folder's name."""
    with pytest.raises(ConfigError) as error:
        fleet_context(write(folder, text, name), federating())
    return error.value.message.replace(f"{folder}/", "")


def test_this_machine_simulated_devices_and_two_other_servers_make_one_fleet(
    home: Paths, tmp_path: Path
) -> None:
    context = fleet_context(write(tmp_path, MIXED), federating())

    assert context.name == "plant"
    assert [(use.name, use.driver) for use in context.drivers] == [
        ("here", "host"),
        ("hall", "sim"),
        ("north", "dsmil"),
        ("south", "dsmil"),
    ]
    assert context.drivers[1] == DriverUse("sim", {"devices": 3}, "hall")
    assert (context.fleet, context.aliases[0]) == ("named-plant", str(tmp_path / "fleet.yaml"))


ONE = "devices: [{id: a, driver: sim}]\n"
LIST = "version: 2\ndevices:\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: a fleet file is a mapping"),
        ("- a\n", "1:1: a fleet file is a mapping"),
        ("version: 2\n", "1:1: devices is missing"),
        (f"version: 3\n{ONE}", "1:1: version: 3 is not 2"),
        (f"version: true\n{ONE}", "1:1: version: True is not 2"),
        ("version: 2\ndevices: []\n", "2:1: devices: no device is named"),
        ("version: 2\ndevices: {}\n", "2:1: devices: expected a list, not a mapping"),
        (f"{LIST}- 5\n", "3:3: devices[0]: an entry is a mapping"),
        (f"{LIST}- id: 7\n  driver: sim\n", "3:3: devices[0].id: expected text, not a number"),
        (f"{LIST}- id: a\n", "3:3: devices[0]: driver is missing"),
        (f"{LIST}- {{id: a/b, driver: sim}}\n", "3:4: devices[0].id: 'a/b' is no name"),
        (
            f"{LIST}- id: a\n  driver: sim\n- {{driver: host, id: a}}\n",
            "5:18: devices[1].id: 'a' is the id of",
        ),
        (f"version: 2\nversion: 2\n{ONE}", "2:1: key version is there already, at 1:1"),
        (f"version: 2\nname: 2026-01-02\n{ONE}", "2:7: a date is no value here"),
        (f"version: 2\nname: !!binary aGk=\n{ONE}", "2:7: !binary means nothing here"),
        (f"{LIST}- {{id: a, driver: sim, options: {{devices: .inf}}}}\n", "3:43: .inf is no number"),
        (f"version: 2\nb: &b {{id: a}}\n{LIST[11:]}- <<: *b\n", "4:3: merge keys are not read here"),
        ("version: 2\ndevices: [\n", "3:1: not YAML"),
        ("version: 2\n--- \nversion: 2\n", "2:1: not YAML: but found another document"),
        (f"version: 2\ndevices: {'[' * 100_000}\n", "2:59: not YAML: nested more than 50 levels"),
        (f"{LIST}- {{id: a, driver: simm}}\n", "3:11: devices[0].driver: no driver 'simm'"),
        (f"{LIST}- {{id: a, driver: sim, options: {{devics: 3}}}}\n", "3:34: devices[0].options.devics: "),
        (f"{LIST}- {{id: a, driver: sim, options: {{devices: x}}}}\n", "3:34: devices[0].options.devices: "),
        (f"{LIST}- {{id: a, driver: dsmil}}\n", "3:3: devices[0].options: Object missing required field"),
        (
            f"{LIST}- {{id: a, driver: dsmil, options: {{url: 'ftp://x'}}}}\n",
            "3:36: devices[0].options.url: ",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_column(
    home: Paths, tmp_path: Path, text: str, said: str
) -> None:
    assert f"fleet.yaml:{said}" in problems(tmp_path, text)


def test_every_mistake_is_told_at_once_in_the_order_of_the_lines(home: Paths, tmp_path: Path) -> None:
    text = "version: 2\nread_only: maybe\ndevises: []\ndevices:\n- {id: a, drive: sim}\n- 7\n"

    told = re.findall(r"fleet\.yaml:(\d+):(\d+)", problems(tmp_path, text))

    assert told == [("2", "1"), ("3", "1"), ("5", "3"), ("5", "11"), ("6", "3")]


def test_a_misspelt_key_is_told_the_right_one(home: Paths, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read_fleet_file(write(tmp_path, "version: 2\ndevices: []\nread_olny: true\n"))

    assert "Did you mean read_only?" in str(error.value)


def test_thousands_of_mistakes_are_a_score_of_them_and_a_number(home: Paths, tmp_path: Path) -> None:
    text = "version: 2\ndevices:\n" + "- {id: a, driver: sim, x: 1}\n" * 5000

    assert "and 980 more" in problems(tmp_path, text)


def test_a_document_that_unfolds_without_end_is_refused(home: Paths, tmp_path: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))

    assert "more than 200,000 values" in problems(tmp_path, f"version: 2\nl0: &l0 [x]\n{levels}devices: []\n")


def test_json_and_toml_say_the_same(home: Paths, tmp_path: Path) -> None:
    entry = {"id": "hall", "driver": "sim", "options": {"devices": 3}}
    as_json = write(tmp_path, json.dumps({"version": 2, "devices": [entry]}), "fleet.json")
    toml = '"version" = 2\n[[devices]]\nid = "hall"\ndriver = "sim"\n[devices.options]\ndevices = 3\n'

    assert read_fleet_file(as_json) == read_fleet_file(write(tmp_path, toml, "fleet.toml"))
    wrong = 'version = 2\n[[devices]]\nid = "hall"\ndriver = "sim"\noptins = 3\n'
    assert "fleet.toml:5:1: devices[0].optins" in problems(tmp_path, wrong, "fleet.toml")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\x00b", b"x" * (3 << 20)])
def test_what_is_no_text_or_too_long_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match=str(file)):
        read_fleet_file(file)
    with pytest.raises(ConfigError, match="No such file"):
        read_fleet_file(tmp_path / "nowhere.yaml")


@settings(max_examples=60, deadline=None)
@given(entries=ENTRIES, read_only=st.booleans())
def test_what_was_written_is_read(
    entries: list[dict[str, Any]], read_only: bool, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("fleets")
    said = {"version": 2, "devices": entries, "read_only": read_only}

    for name, text in (("f.yaml", yaml.safe_dump(said, allow_unicode=True)), ("f.json", json.dumps(said))):
        found = read_fleet_file(write(folder, text, name))
        assert found.read_only == read_only
        assert found.devices == [FleetDriver(**entry) for entry in entries]


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from("versiond: 2[]{}-&*!|>'\"\n\t#,?%@`\x85é0.~<"), max_size=120))
def test_any_text_is_a_fleet_or_a_config_error_with_a_place(text: str, tmp_path_factory: Any) -> None:
    file = write(tmp_path_factory.getbasetemp(), f"version: 2\n{text}")

    try:
        read_fleet_file(file)
    except ConfigError as error:
        assert re.search(r"fleet\.yaml(:\d+:\d+)?: ", error.message)


def test_a_registry_without_a_driver_leaves_the_reason_to_the_opening(home: Paths, tmp_path: Path) -> None:
    class Broken(Registry):
        def load(self, name: str) -> Any:
            raise ConfigError("driver sim failed to import")

    context = fleet_context(write(tmp_path, "version: 2\ndevices: [{id: a, driver: sim}]\n"), Broken())

    assert context.drivers == (DriverUse("sim", {}, "a"),)


async def test_a_fleet_in_a_very_deep_folder_can_be_stopped_and_stays_stopped(
    home: Paths, tmp_path: Path
) -> None:
    deep = tmp_path / "/".join(["a folder of forty letters and more, ok?"] * 6)
    deep.mkdir(parents=True)
    file = write(deep, "version: 2\ndevices: [{id: a, driver: sim, options: {devices: 1}}]\n")
    beside = write(deep, "version: 2\ndevices: [{id: b, driver: sim, options: {devices: 1}}]\n", "other.yaml")

    async with connect_context(fleet_context(file)) as client:
        stop = await client.stop(reason="smoke")

    assert (stop.latch_error, stop.unconfirmed) == ("", ())
    async with connect_context(fleet_context(file)) as again:
        assert [item.stop_id for item in await again.stops()] == [stop.stop_id]
    async with connect_context(fleet_context(beside)) as other:
        assert await other.stops() == []
