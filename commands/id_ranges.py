"""Id ranges: many shown ids in few words, as a selector takes them: `0x8000-0x8053, boiler-1`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def counted_ids(shown: Sequence[str]) -> str:
    """How many ids, and which: `84: 0x8000-0x8053`; `none` of none."""
    return f"{len(shown)}: {id_ranges(shown)}" if shown else "none"


def id_ranges(shown: Iterable[str]) -> str:
    """Ids with every run of numbers as a range, numbers before names."""
    numbers, names = set[int](), list[str]()
    for text in shown:
        if (number := _number(text)) is None:
            names.append(text)
        else:
            numbers.add(number)
    return ", ".join([*_runs(sorted(numbers)), *sorted(names)])


def _number(text: str) -> int | None:
    """The number of an id that is one; a name may begin with 0x, too."""
    try:
        return int(text, 16) if text.startswith("0x") else None
    except ValueError:
        return None


def _runs(numbers: Sequence[int]) -> list[str]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [f"0x{first:04X}" + (f"-0x{last:04X}" if last > first else "") for first, last in runs]
