"""Pages of recorded readings: worked out by one engine, and still each from its own archive."""

from __future__ import annotations

from pathlib import Path

from dsmilctl.archive.history import Asked, HistoryPages
from dsmilctl.archive.places import Places
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.model.register import Value
from tests.archive.stand import SECOND, START, left_hot, recorded, some_readings

SEALED = Asked(devices={"0x8001": 0x8001}, context="sim", limit=10_000)
VALUES: tuple[Value, ...] = ("hot", True, 7)
HOT = Asked(devices={"0x8001": 0x8001}, context="", limit=10_000)


def archive(folder: Path, sealed: int, hot: int) -> Places:
    places, _ = recorded(folder, some_readings(sealed))
    left_hot(places, some_readings(hot, first=sealed))
    return places


def told(pages: HistoryPages) -> tuple[int, int]:
    """How many readings are on a page of sealed ones, and on one of hot ones."""
    return len(pages.page(SEALED)), len(pages.page(HOT))


def test_two_archives_asked_at_once_by_one_engine_answer_each_with_its_own_readings(tmp_path: Path) -> None:
    small, large = archive(tmp_path / "small", 40, 8), archive(tmp_path / "large", 400, 80)

    with HistoryPages(small) as few, HistoryPages(large) as many:
        before = told(few)
        all_of_the_large_one = told(many)
        after = told(few)

    assert (before, all_of_the_large_one, after) == ((10, 2), (100, 20), (10, 2))


def test_a_page_that_is_broken_off_leaves_the_engine_fit_for_the_next(tmp_path: Path) -> None:
    places = archive(tmp_path, 400, 80)
    with HistoryPages(places) as first:
        told(first)
        first.interrupt()

    with HistoryPages(places) as second:
        assert told(second) == (100, 20)


def test_everything_of_a_reading_is_on_its_page_and_nothing_that_it_did_not_have(tmp_path: Path) -> None:
    plain = Reading(0x8001, "TEMP", 41.5, START, "°C", sequence=1)
    rich = Reading(
        0x8001, "TEMP", None, START + SECOND, "°C", Quality.BAD, raw=7, latency_ms=2.5, error="no answer",
        error_code="TIMEOUT", sequence=2,
    )  # fmt: skip
    huge = Reading(0x8001, "TEMP", 2**63 - 1, START + 2 * SECOND, "°C", Quality.STALE, sequence=3)
    words = [
        Reading(0x8001, "TEMP", value, START + number * SECOND, "°C", sequence=number)
        for number, value in enumerate(VALUES, 4)
    ]

    pages = []
    for number, readings in enumerate(([plain], [plain, rich, huge, *words])):
        places, _ = recorded(tmp_path / str(number), readings)
        with HistoryPages(places) as history:
            pages.append(history.page(SEALED))

    found = [(item.value, item.quality, item.raw, item.latency_ms, item.error, item.error_code, item.sequence)
             for item in (*pages[0], *pages[1])]  # fmt: skip
    assert [type(item[0]) for item in found[-3:]] == [str, bool, int]
    good = (41.5, Quality.GOOD, None, None, "", "", 1)
    assert found == [
        good,
        good,
        (None, Quality.BAD, 7, 2.5, "no answer", "TIMEOUT", 2),
        (2**63 - 1, Quality.STALE, None, None, "", "", 3),
        *((value, Quality.GOOD, None, None, "", "", number) for number, value in enumerate(VALUES, 4)),
    ]
