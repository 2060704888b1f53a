"""Lines: notes which lines of ours a process runs, at a tenth of what coverage.py costs to start and to end.

The tests start thousands of processes, most of them for one short command.  coverage.py itself measures the
workers of pytest, and the processes, too, under a Python that cannot tell of its lines (3.11).

    .ci/lines.py begin ENVIRONMENT   have its processes note lines, where COVERAGE_LINES=FOLDER:PACKAGE/
    .ci/lines.py end FOLDER          make of what they noted a file for `coverage combine`
"""

from __future__ import annotations

import os
import sys
from types import CodeType

MODULE = "lines_of_processes"
START = f"import os; os.environ.get('COVERAGE_LINES') and __import__({MODULE!r}).note()\n"


def note() -> None:
    """Note which lines of the package are run, and write them down when the process ends."""
    import atexit

    folder, _, package = os.environ["COVERAGE_LINES"].partition(":")
    seen: dict[str, set[int]] = {}
    monitoring = sys.monitoring
    events, tool = monitoring.events, monitoring.COVERAGE_ID
    if monitoring.get_tool(tool):  # Python reads a folder of packages that has two names twice
        return

    def entered(code: CodeType, _: int) -> object:
        if code.co_filename.startswith(package):
            monitoring.set_local_events(tool, code, events.LINE)
        return monitoring.DISABLE

    def reached(code: CodeType, number: int) -> object:
        seen.setdefault(code.co_filename, set()).add(number)
        return monitoring.DISABLE

    def write() -> None:
        told = "".join(f"{file}\t{' '.join(map(str, lines))}\n" for file, lines in seen.copy().items())
        # At once, so that a process that is killed meanwhile leaves no half numbers.
        name = f"{folder}/{os.getpid()}-{os.urandom(4).hex()}"
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.write(descriptor, told.encode())
        os.close(descriptor)

    monitoring.use_tool_id(tool, MODULE)
    monitoring.register_callback(tool, events.PY_START, entered)
    monitoring.register_callback(tool, events.LINE, reached)
    monitoring.set_events(tool, events.PY_START)
    atexit.register(write)
    os.register_at_fork(after_in_child=seen.clear)  # what the other process ran, it writes itself


def begin(environment: str) -> None:
    """Put this module into an environment, and a line that every Python in it runs when it starts."""
    from pathlib import Path

    (packages,) = Path(environment).glob("lib/python*/site-packages")
    (packages / f"{MODULE}.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    (packages / f"{MODULE}.pth").write_text(START, encoding="utf-8")


def end(folder: str) -> None:
    """Make one file of all notes, beside those of coverage.py, with the links of the package followed."""
    from pathlib import Path

    from coverage import CoverageData

    seen: dict[str, set[int]] = {}
    for noted in Path(folder).iterdir():
        for line in noted.read_text(encoding="utf-8").splitlines():
            file, _, numbers = line.partition("\t")
            seen.setdefault(str(Path(file).resolve()), set()).update(map(int, numbers.split()))
    data = CoverageData(basename=os.environ["COVERAGE_FILE"], suffix="processes")
    data.add_lines(seen)
    data.write()


if __name__ == "__main__":
    {"begin": begin, "end": end}[sys.argv[1]](sys.argv[2])
