"""Checks: the order in which the guard checks a change, to show which ones it passed."""

from __future__ import annotations

CHECKS = (
    ("EMERGENCY_STOP", "no stop"),
    ("READ_ONLY", "not read-only"),
    ("DEVICE_QUARANTINED", "no quarantine"),
    ("PERMISSION_DENIED", "allowed"),
    ("JUSTIFICATION_REQUIRED", "justified"),
    ("APPROVAL_REQUIRED", "approved"),
    ("INVALID_PARAMETER", "value"),
    ("RATE_LIMITED", "rate"),
    ("DEVICE_BUSY", "free"),
)
"""The code of each refusal and what passing means, in the guard's order; the first refusal wins."""


def checks_text(refused: str) -> str:
    """Which checks a change passed: all of them, or those before the one that refused it."""
    codes = [code for code, _ in CHECKS]
    if refused and refused not in codes:
        return ""
    until = codes.index(refused) if refused else len(codes)
    shown = [f"✓ {name}" for _, name in CHECKS[:until]]
    if refused:
        shown.append(f"✕ {CHECKS[until][1]}")
    return "  ".join(shown)
