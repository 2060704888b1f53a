"""Disks: the space of each mounted filesystem and the traffic of the disk below it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.host.machine import Machine, Nonsense, is_folder, line, names, printable, text, whole
from dsmilctl.drivers.host.names import Names, id_of
from dsmilctl.drivers.host.part import Part, numbered
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

SECTOR = 512
"""Bytes of a sector in the kernel's statistics, whatever the disk's own size of sectors is."""

_STATVFS = "Source: statvfs(3)"
_DISKSTATS = "Source: Documentation/admin-guide/iostats.rst"

WITHOUT_DISK = frozenset({"zfs"})
"""Filesystems that are on this machine's disks although the kernel counts them among those without one.
So is the overlay of a container, but only the one at `/` is of interest."""

IMAGES = frozenset({"squashfs", "iso9660", "erofs"})
"""Filesystems that are always full."""

SPACE = (
    Register(
        "used_percent", type="f64", unit="%", minimum=0, maximum=100,
        description=f"used space as a part of what users can have. {_STATVFS}",
    ),
    Register("total", type="u64", unit="bytes", description=f"size of the filesystem. {_STATVFS}"),
    Register("used", type="u64", unit="bytes", description=f"space in use. {_STATVFS}"),
    Register("available", type="u64", unit="bytes", description=f"space that users can have. {_STATVFS}"),
    Register(
        "files_percent", type="f64", unit="%", minimum=0, maximum=100,
        description=f"used part of the inodes. {_STATVFS}",
    ),
)  # fmt: skip

_COLUMNS = {
    "reads": (3, 1, "requests", "reads finished since boot"),
    "read_bytes": (5, SECTOR, "bytes", "read since boot"),
    "writes": (7, 1, "requests", "writes finished since boot"),
    "written_bytes": (9, SECTOR, "bytes", "written since boot"),
    "underway": (11, 1, "requests", "requests underway now"),
    "busy_time": (12, 1, "ms", "time with requests underway since boot"),
}

TRAFFIC = tuple(
    Register(name, type="u64", unit=unit, description=f"{what}. {_DISKSTATS}")
    for name, (_, _, unit, what) in _COLUMNS.items()
)


class Mount(msgspec.Struct, frozen=True):
    """One line of `/proc/self/mountinfo`, as far as it matters here."""

    number: str
    point: str
    kind: str
    source: str


def find_disks(machine: Machine) -> Iterable[Part]:
    """One device per mounted local filesystem (`disk:/home`) and per disk (`disk:sda`).

    Filesystems of other machines are left out: a server that is away would hold every reader.
    """
    given = Names()
    statistics = machine.path("proc/diskstats")
    for mount in mounts(machine):
        traffic = _device_number(mount, machine) if statistics.is_file() else ""
        registers = numbered(SPACE + (TRAFFIC if traffic else ()))
        facts = (("filesystem", mount.kind), ("source", printable(mount.source)))
        device = Device(
            given.take(id_of("disk", mount.point)), printable(mount.point), "host", registers, group="disks",
            default_register="used_percent", key_registers=("used_percent", "available"), facts=facts,
        )  # fmt: skip
        yield Filesystem(device, machine, mount, traffic)
    yield from _block_devices(machine, given)


def _block_devices(machine: Machine, given: Names) -> Iterable[Part]:
    folder = machine.path("sys/block")
    for name in names(folder):
        number = line(folder / name / "dev")
        if name.startswith(("loop", "ram")) or line(folder / name / "size", "0") == "0" or not number:
            continue
        model = line(folder / name / "device/model")
        device = Device(
            given.take(id_of("disk", name)), printable(name), "host", numbered(TRAFFIC), group="disks",
            default_register="read_bytes", key_registers=("read_bytes", "written_bytes"),
            facts=(("model", model),) if model else (),
        )  # fmt: skip
        yield Disk(device, folder / name, machine.path("proc/diskstats"), number)


def mounts(machine: Machine) -> list[Mount]:
    """The mounted filesystems that are on this machine's disks, each once.  Source: proc_pid_mountinfo(5)."""
    try:
        rows = machine.text("proc/self/mountinfo").splitlines()
        kinds = [row.split() for row in machine.text("proc/filesystems").splitlines()]
    except OSError:
        return []
    foreign = {kind[1] for kind in kinds if len(kind) == 2 and kind[0] == "nodev"} - WITHOUT_DISK
    visible = {mount.point: mount for mount in filter(None, map(_mount, rows))}
    found: dict[str, Mount] = {}
    for mount in sorted(visible.values(), key=lambda mount: (len(mount.point), mount.point)):
        local = mount.kind not in foreign or (mount.kind, mount.point) == ("overlay", "/")
        if local and mount.kind not in IMAGES and is_folder(machine.path(mount.point.lstrip("/"))):
            found.setdefault(mount.number, mount)
    return sorted(found.values(), key=lambda mount: mount.point)


def _mount(row: str) -> Mount | None:
    before, _, after = row.partition(" - ")
    left, right = before.split(" "), after.split(" ")
    if len(left) < 6 or len(right) < 2:
        return None
    return Mount(left[2], _plain(left[4]), right[0], _plain(right[1]))


def _plain(field: str) -> str:
    return re.sub(r"\\([0-3][0-7]{2})", lambda match: chr(int(match[1], 8)), field)


def _device_number(mount: Mount, machine: Machine) -> str:
    """`8:1`, of the device that a filesystem without a number of its own (btrfs) names as its source."""
    if not mount.number.startswith("0:"):
        return mount.number
    name = Path(mount.source).name if mount.source.startswith("/dev/") else ""
    return line(machine.path(f"sys/class/block/{name}/dev")) if name else ""


class Disk(Part):
    """The traffic of one disk, which the kernel knows by `number` (`8:1`)."""

    slow = True

    def __init__(self, device: Device, anchor: Path, statistics: Path, number: str) -> None:
        super().__init__(device, anchor)
        self._statistics = statistics
        self._number = number

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """The disk's counters, as far as asked for."""
        asked = [register.name for register in wanted if register.name in _COLUMNS]
        if not asked:
            return {}
        try:
            row = _row(text(self._statistics), self._number)
        except (OSError, Nonsense) as error:
            return {name: self.failure(name, self._statistics, error) for name in asked}
        return {name: self.attempt(name, self._statistics, _counter, row, name) for name in asked}


class Filesystem(Disk):
    """The space of one mounted filesystem, and the traffic of its disk."""

    def __init__(self, device: Device, machine: Machine, mount: Mount, number: str) -> None:
        point = machine.path(mount.point.lstrip("/"))
        super().__init__(device, point, machine.path("proc/diskstats"), number)
        self._machine = machine
        self._mount = mount

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """Space and traffic, as far as asked for; the folder below an unmounted one has another space."""
        answers = dict(super().measure(wanted))
        if len(answers) < len(wanted):
            answers |= space(self.anchor)
        if self.vanished():
            raise self.gone()
        return answers

    def vanished(self) -> bool:
        """Whether it was unmounted."""
        try:
            rows = self._machine.text("proc/self/mountinfo").splitlines()
        except OSError:
            return False  # it cannot be told
        return self._mount not in map(_mount, rows)


def _row(statistics: str, number: str) -> list[str]:
    for row in map(str.split, statistics.splitlines()):
        if ":".join(row[:2]) == number and len(row) > 12:
            return row
    raise Nonsense(f"it tells nothing of device {number}")


def _counter(row: Sequence[str], name: str) -> int:
    column, unit, _, _ = _COLUMNS[name]
    return whole(row[column]) * unit


def space(point: Path) -> dict[str, Answer | None]:
    """The space of the filesystem at a mount point; raises OSError."""
    told = os.statvfs(point)
    total, used = told.f_blocks * told.f_frsize, (told.f_blocks - told.f_bfree) * told.f_frsize
    available = told.f_bavail * told.f_frsize
    answers: dict[str, Answer | None] = {"total": total, "used": used, "available": available}
    if used + available > 0:
        answers["used_percent"] = 100.0 * used / (used + available)
    if told.f_files > 0:
        answers["files_percent"] = 100.0 * (told.f_files - told.f_ffree) / told.f_files
    return answers
