"""Row: one measured figure beside its peer's and its bar, and how it is printed."""

from __future__ import annotations

from typing import NamedTuple

from bench.machine import GH_THERE


class Row(NamedTuple):
    """One line of the report.

    With a peer, `bar` bounds the ratio ours/theirs; without one, or when `absolute`, it bounds `ours` itself.
    `at_least` turns the bound around (rates); a bar of 0 is none, the row is for the reader.
    `gh` are the milliseconds of `gh --version` in the same run: a bar for `ours` itself is then one for the
    machine where that takes `GH_THERE`, and this machine is held to its share of it; 0 takes it as it is.
    """

    name: str
    ours: float
    unit: str
    bar: float = 0.0
    peer: str = ""
    theirs: float = 0.0
    at_least: bool = False
    absolute: bool = False
    gh: float = 0.0

    @property
    def ratio(self) -> float:
        """Ours over theirs; 0 without a peer."""
        return self.ours / self.theirs if self.theirs else 0.0

    @property
    def judges_ratio(self) -> bool:
        """Whether the bar is one of the ratio."""
        return bool(self.theirs) and not self.absolute

    @property
    def scaled(self) -> float:
        """The bar of this machine."""
        if not self.gh or self.judges_ratio:
            return self.bar
        slower = self.gh / GH_THERE
        return self.bar / slower if self.at_least else self.bar * slower

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        judged = self.ratio if self.judges_ratio else self.ours
        return not self.bar or (judged >= self.scaled if self.at_least else judged <= self.scaled)

    @property
    def line(self) -> str:
        """The row as it is printed."""
        peer = f"{self.peer} {number(self.theirs)} {self.unit}" if self.theirs else ""
        ratio = f"{self.ratio:.2f} x" if self.theirs else ""
        sign = "≥" if self.at_least else "≤"
        bar = f"{sign} {self.bar:,g}{' x' if self.judges_ratio else ''}" if self.bar else ""
        if bar and self.scaled != self.bar:
            there = f"{self.bar:,g} where gh takes {GH_THERE:g} ms, not {self.gh:.0f}"
            bar = f"{sign} {number(self.scaled)} ({there})"
        verdict = ("ok" if self.met else "OVER") if self.bar else ""
        ours = f"{number(self.ours)} {self.unit}"
        return f"{self.name:<46} {ours:>16}   {peer:<30} {ratio:>8}   {bar:<10} {verdict}".rstrip()


def number(value: float) -> str:
    """A figure with three digits that matter, thousands apart."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
