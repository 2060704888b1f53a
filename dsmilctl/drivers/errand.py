"""Errand: what a driver may know of the change that it carries out, and what it can tell of it.

A driver of one device needs none of it.  A driver in front of another system, which guards and journals
changes itself, hands on who asked and why, and notes what the other side calls it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from dsmilctl.model.operation import Reference


class Errand:
    """One change on its way to a device: its id here, who asked, why, and by whose approval."""

    __slots__ = ("approval", "justification", "operation_id", "reference", "refused", "user")

    def __init__(
        self, operation_id: str = "", *, user: str = "", justification: str = "", approval: str = ""
    ) -> None:
        self.operation_id = operation_id
        self.user = user
        self.justification = justification
        self.approval = approval
        self.reference: Reference | None = None
        """What the other system calls it, once that has answered."""
        self.refused = False
        """Whether the other system said no, and did nothing."""


_UNDER_WAY: ContextVar[Errand | None] = ContextVar("errand", default=None)


@contextmanager
def sent_on(errand: Errand) -> Iterator[None]:
    """Everything that a driver is asked inside belongs to this errand."""
    token = _UNDER_WAY.set(errand)
    try:
        yield
    finally:
        _UNDER_WAY.reset(token)


def under_way() -> Errand:
    """The errand that the caller is sent on; an empty one where nobody said."""
    return _UNDER_WAY.get() or Errand()
