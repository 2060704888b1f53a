"""`dsmilctl record run --when`: only what surrounds an event is kept."""

from __future__ import annotations

import time

from tests.commands.shell import Shell

RUN = "dsmilctl -C sim record run -n x 0x8001 TEMP --interval 50ms -o json"
WRITE = "dsmilctl -C sim device write 0x8001 CONFIG"
MARK = "--yes --justification 'marks the event' >&2"


def test_readings_are_kept_only_around_what_a_condition_names(shell: Shell) -> None:
    script = f"{WRITE} 1 {MARK}; sleep 1.5; {WRITE} 7 {MARK}; sleep 0.5; {WRITE} 1 {MARK}; sleep 1.5"

    done = shell(f"""{RUN} --when 'CONFIG == 7' --pre-trigger 300ms --post-trigger 0s -- sh -c "{script}" """)

    assert done.exit == 0, done.err
    rows = shell("dsmilctl record query 0x8001 CONFIG -o json").data
    values = [row["value"] for row in rows]
    first = values.index(7)
    assert set(values[first:]) == {7}, "nothing is kept of what came after"
    assert 1 <= first <= 20, "a third of a second of what came before, and no more"
    events = shell("dsmilctl record query -o json --sql 'SELECT type, message FROM events'").data
    told = [(row["type"], row["message"]) for row in events if row["type"].startswith("trigger")]
    assert told == [("trigger.began", "CONFIG == 7 holds"), ("trigger.ended", "CONFIG == 7 is over")]
    assert "TEMP" in {row["register"] for row in shell("dsmilctl record query 0x8001 -o json").data}


def test_a_recorder_that_waits_says_so_and_keeps_nothing(shell: Shell) -> None:
    begun = shell("dsmilctl -C sim record start -n x --interval 50ms --when 'TEMP > 1000' -o json")
    assert begun.exit == 0, begun.err
    time.sleep(1)

    state = shell("dsmilctl record status -o json").data["health"]["state"]
    ended = shell("dsmilctl record stop -o json").data

    assert state == "waiting"
    assert ended["readings"] == 0


def test_how_much_is_kept_around_an_event_is_a_setting(shell: Shell) -> None:
    def kept(pre: str = "0", post: str = "0", room: str = "1000") -> int:
        script = f"{WRITE} 1 {MARK}; sleep 1; {WRITE} 7 {MARK}; sleep 0.3; {WRITE} 1 {MARK}; sleep 1"
        names = ("PRE_TRIGGER", "POST_TRIGGER", "RING_READINGS")
        settings = {
            f"DSMIL_ARCHIVE__{name}": value for name, value in zip(names, (pre, post, room), strict=True)
        }
        answer = shell(f"""{RUN} --when 'CONFIG == 7' -- sh -c "{script}" """, environment=settings)
        assert answer.exit == 0, answer.err
        return int(answer.data["readings"])

    nothing = kept()

    assert kept(pre="0.9") > nothing + 10
    assert kept(post="0.9") > nothing + 10
    assert kept(pre="0.9", room="1") < nothing + 10


def test_a_condition_that_is_none_is_refused_before_anything_is_recorded(shell: Shell) -> None:
    answer = shell(f"{RUN} --for 1s --when 'TEMP >'")

    assert (answer.exit, answer.error.code, answer.error.target) == (2, "INVALID_PARAMETER", "--when")
    assert "position 7" in answer.error.message
    assert not (shell.home / "data/archive/archive.db").exists()
