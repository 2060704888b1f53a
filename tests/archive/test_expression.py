"""Expression: conditions over registers, read by a grammar of their own and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.archive.expression import Expression
from dsmilctl.archive.heat import Key
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register, Value

DEVICES = [
    Device(0x8000, "one", "sim", (Register("TEMP"), Register("STATUS"))),
    Device(0x8003, "two", "sim", (Register("TEMP"), Register("STATUS"))),
    Device("pump-1", "pump", "other", (Register("mode", type="str"), Register("block.level", type="f64"))),
    Device("disk:/home", "disk", "host", (Register("used_percent", type="f64"),)),
]
VALUES: dict[Key, Value | None] = {
    Key(0x8000, "TEMP"): 40,
    Key(0x8003, "TEMP"): 90.5,
    Key(0x8000, "STATUS"): 1,
    Key(0x8003, "STATUS"): None,
    Key("pump-1", "mode"): "auto",
    Key("pump-1", "block.level"): -2.5,
    Key("disk:/home", "used_percent"): 80.0,
}


def holds(text: str) -> bool:
    expression = Expression(text, DEVICES)
    expression.values = VALUES
    return expression.holds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TEMP > 90", True),
        ("TEMP > 91", False),
        ("temp >= 90.5", True),
        ("not TEMP > 91", True),
        ("0x8000.TEMP > 80", False),
        ("0x8003.TEMP > 80", True),
        ("32771.TEMP > 80", True),
        ("0x8003.TEMP > 80 and 0x8000.TEMP > 80", False),
        ("0x8003.TEMP > 80 or 0x8000.TEMP > 80", True),
        ("0x8000.STATUS == 0x1", True),
        ("0x8003.STATUS == 1", False),
        ("0x8003.STATUS != 1", False),
        ("STATUS", True),
        ("pump-1.mode == 'auto'", True),
        ('pump-1.mode != "auto"', False),
        ("pump-1.mode == 1", False),
        ("pump-1.block.level < -2", True),
        ("block.level = -2.5", True),
        ("disk:/home.used_percent > 7.9e1", True),
        ("80 < TEMP", True),
        ("0x8000.TEMP < 0x8003.TEMP", True),
        ("true and not false", True),
        ("not (TEMP > 91 or pump-1.mode == 'auto')", False),
        ("TEMP > 91 and TEMP > 91 or TEMP > 1", True),
        ("TEMP > 1 or TEMP > 91 and TEMP > 91", True),
    ],
)
def test_a_condition_means_what_it_says(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 1, "expected"),
        ("TEMP >", 7, "expected"),
        ("TEMP > > 5", 8, "not '>'"),
        ("(TEMP > 5", 10, "parenthesis of position 1"),
        ("TEMP > 5)", 9, "before ')'"),
        ("TEMP > 5 STATUS", 10, "'and' or 'or'"),
        ("TEMP > 5 && STATUS", 10, "'&' means nothing"),
        ("TEMPP > 5", 1, "no register 'TEMPP'"),
        ("1 < 0x9999.TEMP", 5, "no register '0x9999.TEMP'"),
        ("__import__('os').system('x')", 1, "no register"),
        ("'open", 1, "means nothing"),
        ("not " * 60 + "TEMP", 201, "too deeply"),
    ],
)
def test_a_mistake_is_told_with_its_position(text: str, position: int, said: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Expression(text, DEVICES)

    assert f"position {position}:" in caught.value.message
    assert said in caught.value.message
    *_, line, marker = caught.value.message.split("\n")
    assert line == f"  {text}"
    assert marker.index("^") == position + 1


def test_a_wrong_name_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(InvalidParameter) as caught:
        Expression("TEMPP > 5", DEVICES)

    assert "TEMP" in caught.value.hint


@given(st.text(max_size=60) | st.text("TEMPandornt()<>='x08. 123", max_size=60))
def test_no_text_does_more_than_to_be_understood_or_refused(text: str) -> None:
    try:
        expression = Expression(text, DEVICES)
    except InvalidParameter:
        return
    expression.values = VALUES
    assert expression.holds in (True, False)


TERMS = st.sampled_from([("TEMP > 50", True), ("TEMP > 95", False), ("pump-1.mode == 'auto'", True)])
TREES = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=12,
)


def written(tree: Any) -> str:
    """A tree as text, with parentheses around everything."""
    match tree:
        case ("not", inner):
            return f"not ({written(inner)})"
        case ("and" | "or" as word, left, right):
            return f"({written(left)}) {word} ({written(right)})"
        case (text, _):
            return str(text)
    raise AssertionError(tree)


def meant(tree: Any) -> bool:
    match tree:
        case ("not", inner):
            return not meant(inner)
        case ("and", left, right):
            return meant(left) and meant(right)
        case ("or", left, right):
            return meant(left) or meant(right)
        case (_, truth):
            return bool(truth)
    raise AssertionError(tree)


@given(TREES)
def test_any_condition_has_the_truth_of_its_parts(tree: Any) -> None:
    assert holds(written(tree)) is meant(tree)
