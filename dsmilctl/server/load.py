"""Load of the server's machine, read without waiting for it.

The system before this one measured for a second on the event loop and stalled every client meanwhile.
"""

from __future__ import annotations

import psutil

_PRIMED = psutil.cpu_percent(interval=None)


def cpu_percent() -> float:
    """Processor use since the call before, in percent."""
    return float(psutil.cpu_percent(interval=None))


def memory_percent() -> float:
    """Memory in use, in percent."""
    return float(psutil.virtual_memory().percent)
