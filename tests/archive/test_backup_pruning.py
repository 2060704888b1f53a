"""Pruning: the rules keep what restic's manual says they keep, and the last good backup stays."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.archive.backup.creating import create
from dsmilctl.archive.backup.folder import Folder
from dsmilctl.archive.backup.keeping import Policy, apply
from dsmilctl.archive.backup.pruning import GOOD, prune
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.backup.verifying import strangers, verify
from dsmilctl.clock import NANOSECONDS
from dsmilctl.errors import InvalidParameter
from tests.archive.stand import recorded, some_readings

FUTURE = 10**19
SUNDAYS = {
    "0a1f9759": "2019-09-01", "46cfe4d5": "2019-09-08", "f6b1f037": "2019-09-15", "eb430a5d": "2019-09-22",
    "8cf1cb9a": "2019-09-29", "5d33b116": "2019-10-06", "b9553125": "2019-10-13", "e1a7b58b": "2019-10-20",
    "8f8018c0": "2019-10-27", "59403279": "2019-11-03", "dfee9fb4": "2019-11-10", "e1ae2f40": "2019-11-17",
}  # fmt: skip
"""The table of restic's manual: one backup every Sunday at eleven."""


def at(text: str) -> int:
    """A moment of this machine's clock in nanoseconds."""
    return int(datetime.fromisoformat(text).timestamp()) * NANOSECONDS


def kept(policy: Policy, backups: dict[str, str], now: int = FUTURE) -> list[str]:
    """The names that a policy keeps, oldest first."""
    given = [(name, at(moment)) for name, moment in backups.items()]
    return [item.name for item in reversed(apply(policy, given, now)) if item.reasons]


ELEVEN = {name: f"{day} 11:00" for name, day in SUNDAYS.items()}


def test_the_example_of_the_manual_keeps_the_last_four_sundays() -> None:
    assert kept(Policy(daily=4), ELEVEN) == ["8f8018c0", "59403279", "dfee9fb4", "e1ae2f40"]


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        (Policy(last=2), ["dfee9fb4", "e1ae2f40"]),
        (Policy(hourly=1), ["e1ae2f40"]),
        (Policy(weekly=3), ["59403279", "dfee9fb4", "e1ae2f40"]),
        (Policy(monthly=2), ["8f8018c0", "e1ae2f40"]),
        (Policy(monthly=9), ["0a1f9759", "8cf1cb9a", "8f8018c0", "e1ae2f40"]),  # the oldest one additionally
        (Policy(yearly=2), ["0a1f9759", "e1ae2f40"]),
        (Policy(within=15 * 86400.0), ["59403279", "dfee9fb4", "e1ae2f40"]),
        (Policy(last=1, monthly=2), ["8f8018c0", "e1ae2f40"]),
    ],
)
def test_each_rule_keeps_the_last_one_of_its_stretches(policy: Policy, names: list[str]) -> None:
    assert kept(policy, ELEVEN) == names


def test_a_hundred_years_of_days_keep_what_the_manual_says() -> None:
    last = datetime(2019, 12, 15, 11)
    days = [(str(number), at(str(last - timedelta(days=number)))) for number in range(100 * 365)]

    judged = apply(Policy(daily=7, weekly=5, monthly=12, yearly=75), days, FUTURE)

    reasons = Counter(reason for item in judged for reason in item.reasons)
    assert reasons == {"daily": 7, "weekly": 5, "monthly": 12, "yearly": 75}
    only = Counter(item.reasons[0] for item in judged if item.reasons)
    assert (only["daily"], only["weekly"]) == (7, 4)
    assert only["monthly"] in (11, 12)
    assert only["yearly"] in (75, 74)


def test_only_the_last_of_a_day_is_kept_and_hours_without_a_backup_do_not_count() -> None:
    moments = {
        "a": "2026-03-01 08:00",
        "b": "2026-03-01 08:59",
        "c": "2026-03-01 20:00",
        "d": "2026-03-09 01:00",
    }

    assert kept(Policy(daily=2), moments) == ["c", "d"]
    assert kept(Policy(hourly=3), moments) == ["b", "c", "d"]


def test_one_from_the_future_is_kept_and_does_not_count() -> None:
    moments = {"old": "2026-03-01 08:00", "now": "2026-03-02 08:00", "future": "2036-03-02 08:00"}

    assert kept(Policy(last=1), moments, now=at("2026-03-03 00:00")) == ["now", "future"]


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=60, unique=True),
    st.builds(Policy, last=st.integers(0, 9), daily=st.integers(0, 9), monthly=st.integers(0, 9)),
)
def test_no_rule_keeps_more_than_it_counts_and_the_newest_is_never_lost(
    seconds: list[int], policy: Policy
) -> None:
    judged = apply(policy, [(str(item), item * NANOSECONDS) for item in seconds], FUTURE)

    for rule in ("last", "daily", "monthly"):
        assert sum(rule in item.reasons for item in judged) <= getattr(policy, rule)
    if not policy.empty:
        assert judged[0].reasons


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Three backups, each of an archive that has grown; the first one is verified."""
    repository = Repository(Folder(tmp_path / "backups"))
    for name in ("one", "two", "three"):
        places = recorded(tmp_path / "archive", some_readings(500), name=name)[0]
        made = create(places, repository, name=name)
        if name == "one":
            verify(repository, made)
    return repository


def names(repository: Repository) -> list[str]:
    return [item.name for item in repository.manifests()]


def test_what_only_removed_backups_needed_goes_and_the_others_stay_whole(repository: Repository) -> None:
    for manifest in repository.manifests():
        verify(repository, manifest)
    before = len(repository.target.names())

    done = prune(repository, Policy(last=1))

    assert names(repository) == ["three"]
    assert done.objects > 0
    assert len(repository.target.names()) < before
    assert verify(repository, repository.manifest("three")) == []
    assert list(strangers(repository)) == []


def test_a_dry_run_removes_nothing(repository: Repository) -> None:
    before = repository.target.names()

    done = prune(repository, Policy(last=1), dry_run=True)

    assert [item.name for item in done.backups if not item.reasons] == ["two"]
    assert repository.target.names() == before


def test_the_last_good_backup_stays_whatever_the_policy_says(repository: Repository) -> None:
    done = prune(repository, Policy(last=1))

    assert names(repository) == ["three", "one"], "only the first one was ever verified"
    assert {item.name: item.reasons for item in done.backups}["one"] == (GOOD,)


def test_a_verified_backup_that_lost_a_file_is_no_good_one(repository: Repository, tmp_path: Path) -> None:
    for name in ("two", "three"):
        verify(repository, repository.manifest(name))
    theirs = repository.manifest("three").needs - repository.manifest("two").needs
    (tmp_path / "backups/objects" / min(theirs)).unlink()

    prune(repository, Policy(last=1))

    assert names(repository) == ["three", "two"]


def test_183_a_policy_that_keeps_nothing_is_refused(repository: Repository) -> None:
    with pytest.raises(InvalidParameter, match="keep no backup"):
        prune(repository, Policy())
    assert len(names(repository)) == 3


def test_while_a_manifest_is_damaged_no_object_is_removed(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "backups/two.json").write_text("{")
    objects = len(list((tmp_path / "backups/objects").iterdir()))

    done = prune(repository, Policy(last=1))

    assert "two cannot be told" in done.problem
    assert len(list((tmp_path / "backups/objects").iterdir())) == objects
