"""The log: levels per part, two forms, no secret, no repetition, nothing that a terminal obeys."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl import redaction
from dsmilctl.log import configure
from tests.unit.logs import Start, messages, part

CANARY = "canary-5e8c1f"


def test_a_line_says_when_how_bad_where_and_what(started: Start) -> None:
    stream = started()

    part("drivers.sim").warning("device %s is silent", "0x8000", extra={"subject": "0x8000", "age": 3})

    line = stream.getvalue()
    assert line.endswith(" WARNING drivers.sim: device 0x8000 is silent subject=0x8000 age=3\n")
    assert len(line.split(" ")[0]) == len("2026-01-01T00:00:00.000Z")


def test_the_json_form_is_one_object_per_line_with_the_extras_as_fields(started: Start) -> None:
    stream = started(form="json")

    part("guard").error(
        "refused\n%s", "\x1b[31m", extra={"subject": "0x8000", "limit": 2.5, "odd": float("nan")}
    )
    part("guard").error("a plain one", extra={"device": {"id": 1}, "path": Path("/x"), "level": "mine"})

    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["level"], first["part"], first["message"]) == ("error", "guard", "refused\n\x1b[31m")
    assert (first["subject"], first["limit"], first["odd"]) == ("0x8000", "2.5", "nan")
    assert second["device"] == {"id": 1}
    assert second["path"] == "/x"
    assert second["level"] == "error"
    assert list(second)[:4] == ["time", "level", "part", "message"]


@pytest.mark.parametrize(
    ("level", "verbosity", "shown"),
    [
        ("warning", 0, ["warning", "error"]),
        ("error", 0, ["error"]),
        ("warning", 1, ["info", "warning", "error"]),
        ("error", 1, ["info", "warning", "error"]),
        ("debug", 1, ["debug", "info", "warning", "error"]),
        ("warning", 2, ["debug", "info", "warning", "error"]),
        ("warning", 7, ["debug", "info", "warning", "error"]),
    ],
)
def test_v_shows_more_and_never_less(level: str, verbosity: int, shown: list[str], started: Start) -> None:
    stream = started(level=level, verbosity=verbosity)

    for name in ("debug", "info", "warning", "error"):
        getattr(part("client"), name)(name)

    assert [line.split(": ")[1] for line in stream.getvalue().splitlines()] == shown


def test_a_part_has_a_level_of_its_own_and_its_parts_inherit_it(started: Start) -> None:
    stream = started(level="warning", levels={"drivers": "debug", "drivers.host": "error", "guard": "error"})

    for name in ("drivers.sim", "drivers.host", "guard", "client"):
        part(name).debug("debug")
        part(name).warning("warning")

    assert messages(stream) == ["drivers.sim: debug", "drivers.sim: warning", "client: warning"]


def test_closing_gives_every_level_and_handler_back() -> None:
    before = list(logging.getLogger().handlers), part("guard").level, logging.getLogger("dsmilctl").level

    configure(stream=io.StringIO(), levels={"guard": "debug"}, verbosity=2).close()

    after = list(logging.getLogger().handlers), part("guard").level, logging.getLogger("dsmilctl").level
    assert after == before


def test_another_librarys_warnings_come_in_the_same_form(started: Start) -> None:
    stream = started()

    logging.getLogger("another.library").error("Task exception was never retrieved password=%s", CANARY)
    logging.getLogger("another.library").info("noise")

    mine = [line for line in messages(stream) if line.startswith("another.library: ")]
    assert mine == ["another.library: Task exception was never retrieved password=***"]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("tracebacks", [True, False])
def test_no_planted_secret_reaches_stream_or_file(
    form: str, tracebacks: bool, started: Start, tmp_path: Path
) -> None:
    file = tmp_path / "log"
    stream = started(form=form, tracebacks=tracebacks, file=file, verbosity=2)
    redaction.register(f"{CANARY}-registered")
    logger = part("client")

    logger.info("Authorization: Bearer %s", CANARY)
    logger.info("GET https://op:%s@plant/api?token=%s", CANARY, CANARY)
    logger.info("body %s", json.dumps({"password": CANARY}))
    logger.info("options %s", {"mqtt_password": CANARY})
    logger.info("login", extra={"password": CANARY, "options": {"api_key": CANARY}, "note": f"pwd={CANARY}"})
    logger.info("said %s-registered", CANARY)
    logger.info("argv %s", ["dsmilctl", f"--password={CANARY}"])
    try:
        try:
            raise ValueError(f"bad token: {CANARY}")
        except ValueError as error:
            raise OSError(f"https://{CANARY}@host {CANARY}-registered") from error
    except OSError:
        logger.exception("failed")
    logger.info("%d", f"password={CANARY}")

    for written in (stream.getvalue(), file.read_text()):
        assert "canary" not in written
        assert written.count("***") >= 10
        assert len(written.splitlines()) >= 9


def test_a_traceback_is_shown_only_where_it_was_asked_for(started: Start, tmp_path: Path) -> None:
    file = tmp_path / "log"
    stream = started(file=file)

    try:
        raise ValueError("of no use")
    except ValueError:
        part("client").exception("failed")

    assert messages(stream)[0] == "client: failed"
    assert stream.getvalue().splitlines()[1] == "  ValueError: of no use"
    assert "Traceback" not in stream.getvalue()
    assert "Traceback" in file.read_text()
    assert "in test_a_traceback" in file.read_text()


@pytest.mark.parametrize(
    "hostile", ["\x1b[2J", "a\nERROR forged", "\x00", "\x9b31m", "\u202egnp", "\r", "\x07", "\x7f"]
)
def test_nothing_in_a_name_reaches_the_terminal_as_a_command(hostile: str, started: Start) -> None:
    stream = started()

    part("fleet").warning("device %s", hostile, extra={"subject": hostile})
    try:
        raise ValueError(hostile)
    except ValueError:
        part("fleet").exception("failed")

    written = stream.getvalue()
    assert hostile not in written
    assert len(written.splitlines()) == 3
    assert all(character.isprintable() or character == "\n" for character in written)


@given(st.text(), st.text())
def test_any_text_is_one_printable_line(message: str, subject: str) -> None:
    stream = io.StringIO()
    log = configure(stream=stream)

    part("fleet").warning(message, extra={"subject": subject})
    log.close()

    written = stream.getvalue()
    assert written.count("\n") == 1
    written.encode()


def test_a_message_that_does_not_fit_its_arguments_is_logged_as_it_is(started: Start) -> None:
    stream = started()

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    part("client").warning("%s and %s", 1)
    part("client").warning("broken: %s", Broken())

    assert messages(stream) == ["client: %s and %s", "client: broken: %s"]


def test_a_closed_stream_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    log = configure(stream=stream)
    stream.close()

    part("client").warning("to nobody")
    log.close()

    assert capfd.readouterr() == ("", "")


def test_a_program_with_a_screen_and_no_file_logs_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    program = (
        "import logging; from dsmilctl.log import configure; log = configure();"
        "logging.getLogger('asyncio').error('on the screen'); logging.getLogger('dsmilctl.x').error('too')"
    )

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert (answer.stdout, answer.stderr) == ("", "")
    assert capfd.readouterr() == ("", "")


def test_the_rotation_is_not_loaded_where_no_file_is_asked_for() -> None:
    program = (
        "import sys; from dsmilctl.log import configure; configure(stream=sys.stderr, form='text');"
        "print(*(name for name in ('logging.handlers', 'json', 'socket', 'pickle') if name in sys.modules))"
    )

    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", program]

    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == ""
