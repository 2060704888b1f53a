"""A made-up machine: the kernel's files below a folder, for tests of the host driver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dsmilctl.drivers.contract import Answer, DriverContext
from dsmilctl.drivers.host import HostDriver, HostOptions
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.register import Register, Value

STAT = """\
cpu  1000 100 500 8000 200 50 150 0 40 0
cpu0 500 50 250 4000 100 25 75 0 0 0
cpu1 500 50 250 4000 100 25 75 0 0 0
intr 123456 0 7 9
ctxt 654321
btime 1700000000
processes 4242
procs_running 3
procs_blocked 1
"""
LATER = """\
cpu  1060 100 520 8100 210 50 160 0 70 0
cpu0 560 50 270 4000 100 25 85 0 0 0
cpu1 500 50 250 4100 110 25 75 0 0 0
intr 123999 0 7 9
ctxt 655000
processes 4250
procs_running 1
procs_blocked 0
"""
"""200 ticks after STAT: 60 in programs (half of them in a guest, told twice), 20 in the kernel, 10 in
interrupts, 10 waiting, 100 idle."""

MEMINFO = """\
MemTotal:        8000000 kB
MemFree:         1000000 kB
MemAvailable:    6000000 kB
Buffers:          100000 kB
Cached:          4000000 kB
SwapTotal:       2000000 kB
SwapFree:        1500000 kB
HugePages_Total:       0
"""
NET = """\
Inter-|   Receive                                      |  Transmit
 face |bytes packets errs drop fifo frame comp multicast|bytes packets errs drop fifo colls carrier comp
    lo:    3193   29    0    0    0     0          0         0     3193   29    0    0    0     0       0 0
  eth0: 94684583 2581    1    2    0     0          0        17   172005 1439    3    4    0     5       0 0
"""
MOUNTINFO = """\
22 28 0:20 / /proc rw,nosuid - proc proc rw
28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 28 8:2 / /home rw,relatime shared:2 - ext4 /dev/sda2 rw
31 28 8:2 /shared /home/shared rw,relatime shared:2 - ext4 /dev/sda2 rw
32 28 0:44 / /mnt/my\\040data rw - btrfs /dev/sdb1 rw
33 28 0:45 / /mnt/server rw - nfs4 server:/export rw
34 28 7:1 / /snap/core ro - squashfs /dev/loop1 ro
"""
FILESYSTEMS = "nodev\tproc\nnodev\tnfs4\nnodev\toverlay\n\text4\n\tbtrfs\n\tsquashfs\n"
DISKSTATS = """\
   8       0 sda 100 1 2000 30 200 2 4000 60 1 90 95 0 0 0 0 0 0
   8       1 sda1 90 1 1800 30 150 2 3000 60 0 80 95 0 0 0 0 0 0
   8       2 sda2 10 0 200 0 50 0 1000 0 1 10 0 0 0 0 0 0 0
   8      17 sdb1 7 0 70 0 8 0 80 0 0 9 0 0 0 0 0 0 0
"""
KMSG = """\
6,0,0,-;Linux version 6.1.0 (made up)
 SUBSYSTEM=none
4,1,2000,-;thermal thermal_zone0: failed to read out thermal zone (-61)
3,2,3000,-;nvme nvme0: I/O timeout, completion polled
30,3,4000,-;systemd[1]: a line of somebody else
6,4,5000000,-;eth0: link becomes ready
"""


class FakeMachine:
    """Writes the kernel's files of a made-up machine; an empty one has no part at all."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: str | bytes) -> Path:
        """Make the file `name`, and the folders above it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def link(self, name: str, target: str) -> None:
        """Make `name` a relative link to `target`, as sysfs does."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(Path(*[".."] * (len(Path(name).parts) - 1)) / target)

    def chip(self, number: int, name: str, files: Mapping[str, str], place: str = "") -> Path:
        """Make a sensor chip `hwmon<number>` on the device `place`; returns its folder."""
        folder = f"sys/devices/{place or f'platform/{name}.{number}'}/hwmon/hwmon{number}"
        for file, content in {"name": name, **files}.items():
            self.write(f"{folder}/{file}", f"{content}\n")
        self.link(f"sys/class/hwmon/hwmon{number}", folder)
        return self.root / folder

    def zone(self, number: int, kind: str, temp: str, trips: Sequence[tuple[str, str]] = ()) -> Path:
        """Make a thermal zone with trip points (type, millidegrees); returns its folder."""
        folder = f"sys/devices/virtual/thermal/thermal_zone{number}"
        self.write(f"{folder}/type", f"{kind}\n")
        self.write(f"{folder}/temp", f"{temp}\n")
        for trip, (trip_kind, value) in enumerate(trips):
            self.write(f"{folder}/trip_point_{trip}_type", f"{trip_kind}\n")
            self.write(f"{folder}/trip_point_{trip}_temp", f"{value}\n")
        self.link(f"sys/class/thermal/thermal_zone{number}", folder)
        return self.root / folder

    def cooler(self, number: int, kind: str, state: str, most: str) -> None:
        """Make a cooling device."""
        folder = f"sys/devices/virtual/thermal/cooling_device{number}"
        for file, content in (("type", kind), ("cur_state", state), ("max_state", most)):
            self.write(f"{folder}/{file}", f"{content}\n")
        self.link(f"sys/class/thermal/cooling_device{number}", folder)

    def tokens(self, values: Mapping[int, tuple[str, str]]) -> Path:
        """Make Dell's folder of tokens: location and value by id; returns the folder."""
        folder = "sys/devices/platform/dell-smbios.0/tokens"
        for token, (location, value) in values.items():
            self.write(f"{folder}/{token:04x}_location", f"{location}\n")
            self.write(f"{folder}/{token:04x}_value", f"{value}\n")
        return self.root / folder

    def interface(self, name: str, state: str, *, speed: str, device: bool) -> None:
        """Make the folder of a network interface, with a device behind it or without."""
        folder = f"sys/class/net/{name}"
        for file, content in (("operstate", state), ("carrier", "1"), ("speed", speed)):
            self.write(f"{folder}/{file}", f"{content}\n")
        if device:
            self.write(f"{folder}/device/uevent", "")


def laptop(root: Path) -> FakeMachine:
    """A machine that has something of everything."""
    machine = FakeMachine(root)
    for name, content in {
        "proc/stat": STAT,
        "proc/meminfo": MEMINFO,
        "proc/loadavg": "0.58 0.22 0.13 2/91 6270\n",
        "proc/uptime": "1191.54 2216.13\n",
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: Made Up CPU @ 2.00GHz\n",
        "proc/1/comm": "init\n",
        "proc/42/comm": "shell\n",
        "proc/net/dev": NET,
        "proc/self/mountinfo": MOUNTINFO,
        "proc/filesystems": FILESYSTEMS,
        "proc/diskstats": DISKSTATS,
        "sys/block/sda/dev": "8:0\n",
        "sys/block/sda/size": "4096\n",
        "sys/block/sda/device/model": "MADE UP DISK  \n",
        "sys/block/loop1/dev": "7:1\n",
        "sys/block/loop1/size": "64\n",
        "sys/class/block/sdb1/dev": "8:17\n",
        "dev/kmsg": KMSG,
        "home/shared/file": "",
        "mnt/my data/file": "",
        "mnt/server/file": "",
        "snap/core/file": "",
    }.items():
        machine.write(name, content)
    for core, kilohertz in enumerate(("1800000", "2200000")):
        machine.write(f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq", f"{kilohertz}\n")
        machine.write(f"sys/devices/system/cpu/cpu{core}/thermal_throttle/core_throttle_count", f"{core}\n")
        machine.write(f"sys/devices/system/cpu/cpu{core}/thermal_throttle/package_throttle_count", "7\n")
    _sensors(machine)
    return machine


def _sensors(machine: FakeMachine) -> None:
    machine.chip(
        3,
        "coretemp",
        {
            "temp1_input": "48000",
            "temp1_label": "Package id 0",
            "temp1_max": "100000",
            "temp1_crit": "105000",
            "temp1_crit_alarm": "0",
            "temp2_input": "45500",
            "temp2_label": "Core 0",
        },
    )
    machine.chip(
        5,
        "nct6775",
        {
            "in0_input": "888",
            "in0_min": "0",
            "in0_max": "1744",
            "fan1_input": "1250",
            "fan1_min": "300",
            "fan1_label": "Processor Fan",
            "pwm1": "51",
            "fan2_input": "0",
            "temp1_input": "33000",
            "temp1_max": "0",
            "curr1_input": "1500",
            "power1_average": "12500000",
            "energy1_input": "3000000",
            "humidity1_input": "41000",
            "intrusion0_alarm": "1",
        },
    )
    machine.zone(0, "acpitz", "27800", [("critical", "119000"), ("passive", "95000"), ("active", "50000")])
    machine.zone(1, "x86_pkg_temp", "47000", [("passive", "0"), ("passive", "-274000")])
    machine.cooler(0, "Processor", "0", "10")
    machine.cooler(1, "Processor", "3", "10")
    machine.interface("lo", "unknown", speed="-1", device=False)
    machine.interface("eth0", "up", speed="1000", device=True)
    machine.tokens({0x480: ("0x0000ff01", "0x00000001"), 0x481: ("0x0000ff01", "0x00000000")})


class Host:
    """The driver on a made-up machine, with its answers by name."""

    def __init__(self, root: Path, options: HostOptions | None = None) -> None:
        self.driver = HostDriver(options or HostOptions(root=str(root)), DriverContext(root))
        self.devices: dict[DeviceId, Device] = {}

    async def discover(self) -> dict[DeviceId, Device]:
        """The devices by id."""
        self.devices = {device.device_id: device for device in await self.driver.discover()}
        return self.devices

    async def answers(self, device_id: str, *names: str) -> dict[str, Answer]:
        """Answers of a device by register; all registers where none is named."""
        if not self.devices:
            await self.discover()
        device = self.devices[device_id]
        registers = [register for register in device.registers if not names or register.name in names]
        found = await self.driver.read(device, registers)
        return {register.name: answer for register, answer in zip(registers, found, strict=True)}

    async def value(self, device_id: str, name: str) -> Value:
        """The value of one register; fails when it is an error."""
        answer = (await self.answers(device_id, name))[name]
        assert not isinstance(answer, DSMILError), answer
        return answer

    async def error(self, device_id: str, name: str) -> DSMILError:
        """The error of one register; fails when it is a value."""
        answer = (await self.answers(device_id, name))[name]
        assert isinstance(answer, DSMILError), answer
        return answer

    def register(self, device_id: str, name: str) -> Register:
        """What is known of a register."""
        return next(register for register in self.devices[device_id].registers if register.name == name)
