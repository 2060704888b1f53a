"""Inert: no name of a stranger steers a terminal, and every name can be told apart."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.inert import HARMFUL, STEERING, encodable, escaped, inert, inert_lines, is_harmless


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


def test_lines_and_tabs_stay_where_that_is_wanted() -> None:
    assert inert_lines("a\tb\n\x1b\r\n") == "a\tb\n\\x1b\\x0d\n"


def test_json_escapes_only_what_steers_a_terminal() -> None:
    assert escaped("Lüfter\u200d\n\x7f\x9b\u2067") == "Lüfter\u200d\n\\u007f\\u009b\\u2067"


@given(st.text(st.characters(codec="utf-8")))
def test_json_is_harmless_unless_something_in_it_steers_a_terminal(text: str) -> None:
    encoded = json.dumps(text, ensure_ascii=False).encode()

    assert is_harmless(encoded) == (STEERING.search(encoded.decode()) is None)


@given(st.text())
def test_nothing_harmful_is_left(text: str) -> None:
    assert not {unicodedata.category(character) for character in inert(text)} & HARMFUL


@given(st.text(alphabet=st.characters(codec=None)))
def test_every_text_can_be_encoded_once_it_is_made_so(text: str) -> None:
    assert encodable(text).encode("utf-8").decode("utf-8") == encodable(text)
