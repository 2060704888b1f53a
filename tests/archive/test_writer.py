"""Writer: one caller's mistake is that caller's alone, and the thread that writes for all goes on."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from tests.archive.stand import START, some_readings, table


@pytest.mark.parametrize("error", [RuntimeError("a bug"), SystemExit(3), OSError("no file"), MemoryError()])
def test_a_change_that_raises_fails_its_caller_alone_is_logged_and_leaves_nothing(
    error: BaseException, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = Places(tmp_path)

    def failing(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE test_sessions SET operator = 'half done'")
        raise error

    with Store(places) as store:
        writer = store.begin(new_recording("tour", START, operator="ada"))
        writer.readings(some_readings(100))
        failed, good = writer.work(failing), writer.work(lambda _: None)
        assert type(failed.exception(timeout=20)) is type(error)
        assert good.result(timeout=20) is None
        writer.readings(some_readings(100, first=100))
        writer.flush()
        assert writer.problem == ""
        store.end(writer, "completed")

    assert "a change of the archive failed" in caplog.text
    assert table(places).num_rows == 200
    with closing(connect(places.database, read_only=True)) as connection:
        assert recordings.find(connection, "tour").operator == "ada"


def test_a_caller_that_no_longer_waits_does_not_end_the_writer(tmp_path: Path) -> None:
    with Store(Places(tmp_path)) as store:
        writer = store.begin(new_recording("tour", START))
        begun, go_on = threading.Event(), threading.Event()
        held = writer.work(lambda _: [begin() for begin in (begun.set, go_on.wait)])
        begun.wait(20)
        given_up = writer.work(lambda _: None)
        assert given_up.cancel()
        go_on.set()
        held.result(timeout=20)
        writer.flush()
        store.end(writer, "completed")


def test_a_wrong_statement_of_one_caller_does_not_hold_up_the_others(tmp_path: Path) -> None:
    with Store(Places(tmp_path)) as store:
        writer = store.begin(new_recording("tour", START))
        wrong = writer.work(lambda connection: connection.execute("SELECT * FROM nowhere"))
        assert isinstance(wrong.exception(timeout=20), sqlite3.OperationalError)
        assert writer.problem == ""
        store.end(writer, "completed")
