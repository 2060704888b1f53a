"""Extra: the packages that only an archive needs, and the sentence that is said where they are missing."""

from __future__ import annotations

import os
from importlib.util import find_spec

from dsmilctl.errors import MissingExtraError

PACKAGES = ("duckdb", "pyarrow", "zstandard")
INSTALL = "pip install 'dsmilctl[archive]'"


def require_archive() -> None:
    """Raise MissingExtraError, which names the extra, unless every package of it can be imported."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"an archive needs {', '.join(missing)}", hint=INSTALL, target="archive")


def give_free_memory_back() -> None:
    """Let Arrow take its memory from the C library; to be called before it is imported.

    A pool of its own keeps megabytes that nothing uses: a few more every hour in a recorder, thirty in an
    export that uses six.
    Source: Arrow C++, environment variables.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
