"""The log: levels per part, two forms, no secret, no repetition, nothing that a terminal obeys."""

from __future__ import annotations

import io
import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl import log_file, redaction
from dsmilctl.errors import ConfigError
from dsmilctl.log import Log, Repetitions, configure

CANARY = "canary-5e8c1f"


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def now(self) -> int:
        return int(self.seconds * 1_000_000_000)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def started(clock: Clock) -> Iterator[Callable[..., io.StringIO]]:
    """Starts a log and gives the stream that it writes to; everything is as before afterwards."""
    logs: list[Log] = []

    def start(**options: Any) -> io.StringIO:
        logging.getLogger().handlers.clear()  # pytest's own fail on what must not make ours fail
        stream = io.StringIO()
        logs.append(configure(stream=stream, clock=clock, **options))
        return stream

    yield start
    for log in logs:
        log.close()
    redaction.forget()


Start = Callable[..., io.StringIO]


def part(name: str) -> logging.Logger:
    return logging.getLogger(f"dsmilctl.{name}")


def messages(stream: io.StringIO) -> list[str]:
    """The lines without time and level."""
    return [line.split(" ", 1)[1].split(maxsplit=1)[1] for line in stream.getvalue().splitlines()]


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

    logging.getLogger("asyncio").error("Task exception was never retrieved password=%s", CANARY)
    logging.getLogger("asyncio").info("noise")

    assert messages(stream) == ["asyncio: Task exception was never retrieved password=***"]


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


def test_a_repetition_is_counted_and_told_when_something_else_comes(started: Start) -> None:
    stream = started()
    logger = part("drivers")

    for _ in range(18):
        logger.warning("no answer", extra={"subject": "a"})
    logger.warning("back again", extra={"subject": "a"})
    logger.warning("no answer", extra={"subject": "a"})

    assert messages(stream) == [
        "drivers: no answer subject=a",
        "drivers: no answer … repeated 17 times subject=a",
        "drivers: back again subject=a",
        "drivers: no answer subject=a",
    ]


def test_each_subject_is_counted_on_its_own(started: Start) -> None:
    stream = started()

    for _ in range(3):
        for subject in ("a", "b"):
            part("drivers").warning("no answer", extra={"subject": subject})
    part("guard").warning("no answer", extra={"subject": "a"})
    part("drivers").error("no answer", extra={"subject": "b"})

    assert messages(stream) == [
        "drivers: no answer subject=a",
        "drivers: no answer subject=b",
        "guard: no answer subject=a",
        "drivers: no answer … repeated 2 times subject=b",
        "drivers: no answer subject=b",
    ]


def test_what_goes_on_for_a_minute_is_told_every_minute(started: Start, clock: Clock) -> None:
    stream = started()

    for _ in range(130):
        part("drivers").warning("no answer")
        clock.seconds += 1

    assert messages(stream) == [
        "drivers: no answer",
        "drivers: no answer … repeated 60 times",
        "drivers: no answer … repeated 60 times",
    ]


def test_what_was_still_being_counted_is_told_at_the_end(clock: Clock) -> None:
    stream = io.StringIO()
    log = configure(stream=stream, clock=clock)
    for _ in range(2):
        part("drivers").warning("no answer")

    log.close()

    assert messages(stream) == ["drivers: no answer", "drivers: no answer … repeated once more"]


def test_many_subjects_do_not_fill_the_memory(clock: Clock) -> None:
    handler = logging.StreamHandler(io.StringIO())
    counting = Repetitions(handler, clock)

    for number in range(5_000):
        record = logging.makeLogRecord({"name": "dsmilctl.x", "msg": "no answer", "subject": number})
        assert counting.filter(record)

    assert len(vars(counting)["_last"]) == 1024


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from([0, 1, 70]))))
def test_no_record_is_lost_every_one_is_written_or_counted(records: list[tuple[str, str, int]]) -> None:
    clock, stream = Clock(), io.StringIO()
    log = configure(stream=stream, clock=clock)
    for subject, message, pause in records:
        part("drivers").warning(message, extra={"subject": subject})
        clock.seconds += pause
    log.close()

    told = 0
    for line in messages(stream):
        count = line.partition("… repeated ")[2].split(" ")[0]
        told += 1 if not count else 1 if count == "once" else int(count)
    assert told == len(records)


def test_a_log_file_is_private_even_where_the_umask_is_not(started: Start, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        started(file=tmp_path / "logs" / "dsmilctl.log")
        part("client").warning("hello")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "logs/dsmilctl.log").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700


def test_a_log_file_is_rotated_and_five_old_ones_are_kept_all_private(
    started: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (log_file.LARGEST, log_file.KEPT) == (10_000_000, 5)
    monkeypatch.setattr(log_file, "LARGEST", 1_000)
    file = tmp_path / "dsmilctl.log"
    started(file=file)

    for number in range(200):
        part("client").warning("record %s", number)

    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == [
        "dsmilctl.log",
        *(f"dsmilctl.log.{number}" for number in range(1, 6)),
    ]
    assert all(path.stat().st_size <= 1_000 for path in files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert "record 199" in file.read_text()


@pytest.mark.parametrize("place", ["/proc/nowhere/log", "/dev/null/log", "/"])
def test_a_log_file_that_cannot_be_opened_is_a_config_error(place: str) -> None:
    with pytest.raises(ConfigError, match="cannot be opened") as caught:
        configure(file=Path(place))

    assert place in caught.value.message
    assert caught.value.hint == "--log-file names another one"


def test_a_full_disk_is_told_once_and_fails_nothing(
    started: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    stream = started(file=Path("/dev/full"), level="error")

    for number in range(3):
        part("client").error("record %s", number)

    said = [line for line in stream.getvalue().splitlines() if "cannot be written" in line]
    assert said == ["dsmilctl: warning: the log file /dev/full cannot be written"]
    assert stream.getvalue().count("record") == 3
    assert capfd.readouterr() == ("", "")


WITHOUT_SPACE = """
import io, logging, resource, sys
from pathlib import Path
from dsmilctl.log import configure

stream = io.StringIO()
log = configure(stream=stream, file=Path(sys.argv[1]))
for turn in ("first", "second"):
    for space, word in ((0, "lost"), (resource.RLIM_INFINITY, "kept")):
        resource.setrlimit(resource.RLIMIT_FSIZE, (space, resource.RLIM_INFINITY))
        logging.getLogger("dsmilctl.x").warning("%s %s", turn, word)
log.close()
print(stream.getvalue().count("cannot be written"))
"""


def test_when_there_is_space_again_the_log_goes_on_and_the_next_loss_is_told_too(tmp_path: Path) -> None:
    file = tmp_path / "log"

    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_SPACE, str(file)], capture_output=True, text=True, check=True
    )

    assert [line.split(": ")[1] for line in file.read_text().splitlines()] == ["first kept", "second kept"]
    assert answer.stdout == "2\n"


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

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == ""
