"""Chronicle: what the guard lets through, refuses and sees the end of, in the words of the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from dsmilctl.guard.plan import Plan

LOGGER = logging.getLogger("dsmilctl.guard")
SHOWN = 20
"""Changes that are told one by one at INFO; of more at once only the number is, and each at DEBUG."""


def tell(moment: str, plans: Sequence[Plan]) -> None:
    """Log changes that were just `intended`, `refused` or `ended`."""
    level = logging.INFO
    if len(plans) > SHOWN:
        level = logging.DEBUG
        LOGGER.info("%d changes of %s %s", len(plans), plans[0].bulk or "one plan", moment)
    if LOGGER.isEnabledFor(level):
        for plan in plans:
            LOGGER.log(level, "%s", SENTENCES[moment](plan), extra={"subject": plan.operation_id})


def _intended(plan: Plan) -> str:
    return f"{_what(plan)} intended"


def _refused(plan: Plan) -> str:
    return f"{_what(plan)} refused: {plan.error} ({plan.error.code if plan.error else ''})"


def _ended(plan: Plan) -> str:
    outcome = plan.operation.status.value if plan.operation else "UNKNOWN" if plan.sent else "FAILED"
    back = plan.register.format(plan.read_back) if plan.register else ""
    told = [f"{_what(plan)} ended: {outcome}", f"reads back {back}" if back else "", str(plan.error or "")]
    return ", ".join(part for part in told if part)


SENTENCES: Mapping[str, Callable[[Plan], str]] = {
    "intended": _intended,
    "refused": _refused,
    "ended": _ended,
}


def _what(plan: Plan) -> str:
    """`write CONFIG of 0x8030, 3 → 5`, `activate of 0x8030`."""
    request, shown = plan.request, plan.managed.device.shown_id
    if plan.register is None:
        words = (request.type.lower(), request.command or request.register, "of", shown)
        return " ".join(word for word in words if word)
    old, new = plan.register.format(plan.old) or "?", plan.register.format(request.value)
    return f"write {plan.register.name} of {shown}, {old} → {new}"
