"""An export as a process of its own: everything of an archive as a file, and its peak memory on stdout."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from dsmilctl.archive.asking import Wanted
from dsmilctl.archive.exporting import export, layout_of
from dsmilctl.archive.places import Places
from dsmilctl.archive.scanning import Scan


def main(folder: Path, file: Path) -> None:
    """Export, then tell the largest resident size in KiB."""
    with Scan(Places(folder)) as scan:
        export(scan.readings(Wanted()), scan.description("last"), file, layout_of(file), lambda _: None)
    status = Path("/proc/self/status").read_text()  # rusage would count the peak of the parent, too
    sys.stdout.write(re.findall(r"VmHWM:\s+(\d+)", status)[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
