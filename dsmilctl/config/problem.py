"""Problem: one thing that is wrong in a configuration, with the place where it is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dsmilctl.errors import ConfigError


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One error: `place` is `file:line:column` or `environment NAME`, `key` the setting's path."""

    place: str
    message: str
    key: str = ""
    hint: str = ""

    def __str__(self) -> str:
        said = f"{self.place}: {self.message}" if self.place else self.message
        return f"{said}. {self.hint}" if self.hint else said


def raise_for(problems: Sequence[Problem], hint: str = "dsmilctl config validate checks again") -> None:
    """Raise one ConfigError that tells all problems; nothing where there is none."""
    if not problems:
        return
    first = problems[0]
    if len(problems) == 1:
        raise ConfigError(
            str(first.place and f"{first.place}: ") + first.message, hint=first.hint, target=first.place
        )
    lines = "\n".join(f"  {problem}" for problem in problems)
    message = f"{len(problems)} errors in the configuration:\n{lines}"
    raise ConfigError(message, hint=hint, target=first.place)
