"""Names that look the same are the same, whatever they are written with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.guard.approvals import same_person
from dsmilctl.model.identity import Identity
from dsmilctl.model.lookalike import skeleton


@pytest.mark.parametrize(
    "twin",
    ["ADMIN", "admln", "adm1n", "\u0430dmin", "adm\u0131n", "a\u0301dmin", "\uff41dmin", "ad\u200bmin",
     "adrnin", "\u00a0admin", "adm\u0456n", "a dmin"],
)  # fmt: skip
def test_a_twin_of_a_name_is_recognised(twin: str) -> None:
    assert skeleton(twin) == skeleton("admin")
    assert same_person(Identity("admin", ""), Identity(twin, ""))


@pytest.mark.parametrize("other", ["administrator", "adam", "supervisor", "dmin"])
def test_another_name_is_another(other: str) -> None:
    assert skeleton(other) != skeleton("admin")
    assert not same_person(Identity("admin", ""), Identity(other, ""))


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing_and_neither_does_case_or_what_nobody_sees(name: str) -> None:
    folded = skeleton(name)
    assert skeleton(folded) == folded
    assert skeleton(f"\u200b{name}\u00ad") == folded


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=20))
def test_shouting_a_plain_name_does_not_make_it_another(name: str) -> None:
    assert skeleton(name.upper()) == skeleton(name)


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_a_key_in_common_makes_two_names_one_person(one: set[str], other: set[str]) -> None:
    first, second = Identity("ada", "", keys=frozenset(one)), Identity("grace", "", keys=frozenset(other))
    assert same_person(first, second) is bool(one & other)
