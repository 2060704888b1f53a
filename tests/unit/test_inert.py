"""Inert: no name of a stranger steers a terminal, and every name can be told apart."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.inert import HARMFUL, encodable, inert


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("boiler-1", "boiler-1"),
        ("Lüfter 温度 °C", "Lüfter 温度 °C"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\x00b\nc", r"a\x00b\x0ac"),
        ("\u202eevil", r"\u202eevil"),
        ("\u2028", r"\u2028"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
        ("[red]", "[red]"),
    ],
)
def test_only_what_could_steer_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert inert(text) == shown


@given(st.text())
def test_nothing_harmful_is_left(text: str) -> None:
    assert not {unicodedata.category(character) for character in inert(text)} & HARMFUL


@given(st.text(alphabet=st.characters(codec=None)))
def test_every_text_can_be_encoded_once_it_is_made_so(text: str) -> None:
    assert encodable(text).encode("utf-8").decode("utf-8") == encodable(text)
