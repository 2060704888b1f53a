"""Later: what has a place in the command line and is not part of this version, and what there is instead."""

from __future__ import annotations

from dsmilctl import __version__
from dsmilctl.errors import UsageError

LOCAL = "contexts here reach their devices with a driver: dsmilctl context add NAME --driver DRIVER"
WORDS = {
    "analyze": "dsmilctl stream devices -o csv > FILE makes what other programs read",
    "fleet": LOCAL,
    "profile": LOCAL,
    "alarm": "dsmilctl stream events follows devices that fail",
    "driver new": "dsmilctl driver list shows what there is",
    "driver check": "dsmilctl driver list says which driver cannot be used, and why",
    "stream raw": "dsmilctl -vv logs each call of a driver",
    "tui --web": "dsmilctl tui opens the dashboard in the terminal",
    "tui --port": "dsmilctl tui opens the dashboard in the terminal",
}
"""Noun, noun and verb, or command and option → what can be done today."""


def later(*words: str) -> UsageError | None:
    """The error of a word that this version does not have yet; None for any other."""
    what = " ".join(words)
    if what not in WORDS:
        return None
    return UsageError(f"{what} is not part of dsmilctl {__version__} yet", hint=WORDS[what], target=words[-1])
