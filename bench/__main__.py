"""Every benchmark, one line a row: `python -m bench [NAME…]` runs the modules here that have `rows()`."""

from __future__ import annotations

import importlib
import pkgutil
import platform
import sys
import time

import bench


def names() -> list[str]:
    """Every benchmark by the name of its module."""
    found = [module.name for module in pkgutil.iter_modules(bench.__path__)]
    return [name for name in found if hasattr(importlib.import_module(f"bench.{name}"), "rows")]


def main(wanted: list[str]) -> int:
    """Run the benchmarks and print their rows; the status is 0 whatever the figures are."""
    unknown = set(wanted) - set(names())
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}", file=sys.stderr)
        return 2
    begun, over, count = time.perf_counter(), 0, 0
    print(f"Python {platform.python_version()}, {platform.system()} {platform.release()}")
    for name in wanted or names():
        for row in importlib.import_module(f"bench.{name}").rows():
            print(row.line, flush=True)
            over, count = over + (not row.met), count + 1
    print(f"{count} rows, {over} over their bar, {time.perf_counter() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
