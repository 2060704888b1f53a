"""Dependencies: which tokens follow, overlap, enable or hinder which others, out of all tests there were."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from itertools import groupby
from operator import itemgetter

import msgspec

from dsmilctl.archive.correlation import WINDOW
from dsmilctl.archive.tokens import hex_id_of
from dsmilctl.clock import NANOSECONDS

LEAST = 3
"""Tests of a pair from which on more than an order is said of it."""

CLEAR = 0.5
"""Difference of success rates from which on a token depends on another, or conflicts with it."""

PAIR = """INSERT INTO token_correlations (primary_token_id, correlated_token_id, correlation_type,
  correlation_strength, correlation_window_ms, test_count, success_rate, discovered_at, last_observed)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""

FOUND = "found by comparing tests"
CLEAR_PAIRS = """SELECT primary_token_id, correlated_token_id, correlation_type, correlation_strength,
    test_count, success_rate FROM token_correlations
  WHERE correlation_type IN ('dependent', 'conflicting')
    AND correlated_token_id IN (SELECT token_id FROM token_tests WHERE session_id = ?1)
    AND primary_token_id IN (SELECT token_id FROM token_tests WHERE session_id = ?1)"""
DISCOVERY = """INSERT INTO discovery_log (session_id, discovery_timestamp, discovery_type, token_ids, title,
  evidence_data, confidence_level, notes, created_at) VALUES (?, ?, 'correlation', ?, ?, ?, ?, ?, ?)"""


class Seen(msgspec.Struct):
    """What was seen of one token behind another: tests, successes, overlaps, and the last time."""

    tests: int = 0
    succeeded: int = 0
    behind_success: int = 0
    both: int = 0
    overlaps: int = 0
    last: int = 0

    def add(self, first: bool, second: bool, overlap: bool, moment: int) -> None:
        """Count one test of the second token behind one of the first."""
        self.tests += 1
        self.succeeded += second
        self.behind_success += first
        self.both += first and second
        self.overlaps += overlap
        self.last = max(self.last, moment)

    @property
    def difference(self) -> float:
        """Success rate behind a success of the first token, less that behind a failure of it."""
        behind_failure = self.tests - self.behind_success
        if not self.behind_success or not behind_failure:
            return 0.0
        return self.both / self.behind_success - (self.succeeded - self.both) / behind_failure

    def kind(self) -> str:
        """sequential, simultaneous, dependent or conflicting."""
        if self.tests >= LEAST and abs(self.difference) >= CLEAR:
            return "dependent" if self.difference > 0 else "conflicting"
        return "simultaneous" if 2 * self.overlaps > self.tests else "sequential"


def relate_tokens(connection: sqlite3.Connection, now: int, window: float = WINDOW) -> int:
    """Write `token_correlations` anew out of all tests with an outcome; how many pairs there are.

    A pair is a token and another that was tested at most `window` seconds behind its end, in one recording.
    The strength of dependent and conflicting pairs is the difference of the success rates, that of the
    others the share of the second token's tests that came so.  Runs in the caller's transaction.
    """
    pairs, tests = _pairs(connection, round(window * NANOSECONDS))
    known = dict(
        connection.execute(
            "SELECT primary_token_id || '-' || correlated_token_id, min(discovered_at) "
            "FROM token_correlations GROUP BY 1"
        ).fetchall()
    )
    connection.execute("DELETE FROM token_correlations")
    for (first, second), seen in pairs.items():
        kind = seen.kind()
        clear = kind in ("dependent", "conflicting")
        strength = abs(seen.difference) if clear else min(1.0, seen.tests / tests[second])
        row = (
            first, second, kind, strength, window * 1000, seen.tests, seen.succeeded / seen.tests,
            known.get(f"{first}-{second}", now), seen.last,
        )  # fmt: skip
        connection.execute(PAIR, row)
    return len(pairs)


def note_discoveries(connection: sqlite3.Connection, recording_id: str, now: int) -> int:
    """Write what a recording shows of dependent and conflicting tokens into its `discovery_log`; how many.

    What an earlier call has found of it is written anew.  Runs in the caller's transaction.
    """
    connection.execute(
        "DELETE FROM discovery_log WHERE session_id = ? AND notes = ? AND verified = 0", (recording_id, FOUND)
    )
    rows = connection.execute(CLEAR_PAIRS, (recording_id,)).fetchall()
    for first, second, kind, strength, count, rate in rows:
        told = "works only behind" if kind == "dependent" else "fails behind"
        evidence = {"tests": count, "success_rate": rate, "difference": strength}
        row = (
            recording_id, now, msgspec.json.encode([first, second]).decode(),
            f"{hex_id_of(second)} {told} {hex_id_of(first)}", msgspec.json.encode(evidence).decode(),
            strength, FOUND, now,
        )  # fmt: skip
        connection.execute(DISCOVERY, row)
    return len(rows)


def _pairs(connection: sqlite3.Connection, window: int) -> tuple[dict[tuple[int, int], Seen], dict[int, int]]:
    rows = connection.execute(
        """SELECT session_id, token_id, test_timestamp,
             test_timestamp + CAST(coalesce(test_duration_ms, 0) * 1000000 AS INTEGER), success
           FROM token_tests WHERE success IS NOT NULL ORDER BY session_id, test_timestamp, test_id"""
    ).fetchall()
    pairs: dict[tuple[int, int], Seen] = defaultdict(Seen)
    tests: dict[int, int] = defaultdict(int)
    for _, group in groupby(rows, key=itemgetter(0)):
        before: list[tuple[int, int, bool]] = []
        for _, token, started, ended, success in group:
            tests[token] += 1
            before = [item for item in before if item[1] + window >= started]
            for first, first_ended, first_success in {item[0]: item for item in before}.values():
                if first != token:
                    pairs[first, token].add(first_success, bool(success), first_ended > started, started)
            before.append((token, ended, bool(success)))
    return pairs, tests
