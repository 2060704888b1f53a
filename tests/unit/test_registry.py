"""Discovery of drivers: a stranger's is found by entry point; one that fails tells why and hurts no other.

Every test lays a distribution, as pip would, into a folder of its own and asks a fresh process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

ASK = """
import json, sys
from pathlib import Path
from dsmilctl.drivers.registry import Registry

registry = Registry(Path(sys.argv[1]))
told = {}
for name, entry in registry.entries().items():
    problem = registry.problem(name)
    told[name] = {
        "distribution": entry.distribution,
        "problem": problem.message if problem else "",
        "fix": problem.hint if problem else "",
        "code": problem.code if problem else "",
    }
print(json.dumps({"drivers": told, "scanned": "importlib.metadata" in sys.modules}))
"""

GOOD = """
from dsmilctl.drivers.contract import Driver

class Good(Driver):
    name = "good"
"""


class Site:
    """A folder of installed distributions, and what this program makes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "site"
        self.folder.mkdir()
        self.cache = folder / "state" / "drivers.json"

    def install(self, name: str, code: str = GOOD, *, driver: str = "", target: str = "") -> Path:
        """Lay down the distribution `name` with one module that holds `code`, and its entry point."""
        module = self.folder / f"{name.replace('-', '_')}_module.py"
        module.write_text(dedent(code))
        info = self.folder / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        target = target or f"{module.stem}:{(driver or name).title().replace('-', '')}"
        (info / "entry_points.txt").write_text(f"[dsmilctl.drivers]\n{driver or name} = {target}\n")
        return module

    def ask(self) -> dict[str, Any]:
        """What a fresh process finds."""
        shell = {**os.environ, "PYTHONPATH": str(self.folder)}
        command = [sys.executable, "-c", ASK, str(self.cache)]
        done = subprocess.run(command, env=shell, capture_output=True, text=True, check=True, timeout=60)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def drivers(self) -> dict[str, dict[str, str]]:
        """Every driver that a fresh process finds, by name."""
        found: dict[str, dict[str, str]] = self.ask()["drivers"]
        return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_strangers_driver_is_found_beside_ours(site: Site) -> None:
    site.install("good")

    found = site.drivers()

    assert found["good"] == {"distribution": "good", "problem": "", "fix": "", "code": ""}
    assert found["sim"]["problem"] == ""


BROKEN = {
    "syntactic": ("this is no Python", "failed to import: SyntaxError", "report it to the makers", "CONFIG"),
    "raising": ("1 / 0", "failed to import: ZeroDivisionError", "report it to the makers", "CONFIG"),
    "leaving": (
        "raise SystemExit(3)",
        "failed to import: SystemExit: 3",
        "report it to the makers",
        "CONFIG",
    ),
    "lacking": (
        "import no_such_package",
        "needs the package no_such_package",
        "pip install",
        "MISSING_EXTRA",
    ),
    "empty": ("", "failed to import: AttributeError", "report it to the makers", "CONFIG"),
    "other": ("class Other: ...", "is not a subclass of Driver", "report it to the makers", "CONFIG"),
    "old": (
        "from dsmilctl.drivers.contract import Driver\nclass Old(Driver):\n    name = 'old'\n    api = 0",
        "speaks contract 0, this dsmilctl speaks 1",
        "pip install --upgrade old",
        "CONFIG",
    ),
    "misnamed": (
        "from dsmilctl.drivers.contract import Driver\nclass Misnamed(Driver):\n    name = 'sim'",
        "calls itself 'sim'",
        "report it to the makers",
        "CONFIG",
    ),
    "nameless": (
        "from dsmilctl.drivers.contract import Driver\nclass Nameless(Driver): ...",
        "calls itself None",
        "report it to the makers",
        "CONFIG",
    ),
    "needing": (
        "from dsmilctl.drivers.contract import Driver\n"
        "class Needing(Driver):\n    name = 'needing'\n    required = ('no_such.package',)",
        "needs the package no_such.package",
        "pip install --force-reinstall needing",
        "MISSING_EXTRA",
    ),
}


def test_each_driver_that_cannot_load_is_listed_with_the_reason_and_the_fix_and_hurts_no_other(
    site: Site,
) -> None:
    for name, (code, *_) in BROKEN.items():
        site.install(name, code)
    site.install("good")

    found = site.drivers()

    for name, (_, problem, fix, code) in BROKEN.items():
        assert problem in found[name]["problem"], name
        assert fix in found[name]["fix"], name
        assert found[name]["code"] == code, name
    assert found["good"]["problem"] == found["sim"]["problem"] == found["host"]["problem"] == ""


def test_a_distribution_with_damaged_entry_points_is_listed_and_hurts_no_other(site: Site) -> None:
    site.install("good")
    site.install("damaged")
    (site.folder / "damaged-1.2.dist-info" / "entry_points.txt").write_text("[dsmilctl.drivers]\nno equals\n")

    found = site.drivers()

    assert "entry points of damaged cannot be read" in found["damaged"]["problem"]
    assert "pip install --force-reinstall damaged" in found["damaged"]["fix"]
    assert found["good"]["problem"] == ""


def test_an_entry_point_that_names_no_class_is_listed(site: Site) -> None:
    site.install("pointless", target="pointless_module")

    assert "failed to import" in site.drivers()["pointless"]["problem"]


def test_a_strangers_driver_cannot_take_the_name_of_one_of_ours(site: Site) -> None:
    site.install("imposter", "raise SystemExit('imported')", driver="sim")

    found = site.drivers()

    assert found["sim"] == {"distribution": "dsmilctl", "problem": "", "fix": "", "code": ""}
    assert found["sim@imposter"]["problem"] == "the name sim belongs to dsmilctl already"


def test_of_two_strangers_with_one_name_the_second_is_told_whose_it_is(site: Site) -> None:
    site.install("good")
    site.install("better", driver="good")

    found = site.drivers()

    (second,) = (name for name in found if name.startswith("good@"))
    assert found["good"]["problem"] == ""
    assert "the name good belongs to" in found[second]["problem"]


def test_the_answer_is_kept_and_an_installed_driver_is_found_in_spite_of_it(site: Site) -> None:
    first, second = site.ask(), site.ask()
    site.install("good")
    third = site.ask()

    assert (first["scanned"], second["scanned"], third["scanned"]) == (True, False, True)
    assert first["drivers"] == second["drivers"]
    assert "good" in third["drivers"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"key": 1}', b"[]"])
def test_a_damaged_cache_is_scanned_again(site: Site, content: bytes) -> None:
    site.cache.parent.mkdir()
    site.cache.write_bytes(content)

    answer = site.ask()

    assert answer["scanned"]
    assert answer["drivers"]["sim"]["problem"] == ""


def test_a_state_folder_that_cannot_be_written_costs_time_only(site: Site) -> None:
    site.cache.parent.write_text("a file where the folder should be")

    assert site.drivers()["sim"]["problem"] == ""


@pytest.mark.parametrize("place", ["the folder", "the module"])
def test_a_driver_that_everybody_can_change_is_refused_with_the_place(site: Site, place: str) -> None:
    module = site.install("good", "raise SystemExit('imported')")
    path = module if place == "the module" else site.folder
    path.chmod(path.stat().st_mode | 0o002)

    told = site.drivers()["good"]

    assert told["problem"] == f"driver good: {path} can be changed by everybody"
    assert "chmod o-w" in told["fix"]


def test_a_file_deep_in_a_drivers_package_that_everybody_can_change_is_found(site: Site) -> None:
    site.install("good", target="package.driver:Good")
    package = site.folder / "package" / "protocol"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package.parent / "driver.py").write_text(GOOD)
    before = site.drivers()["good"]["problem"]
    (package / "codec.py").touch()
    (package / "codec.py").chmod(0o666)

    assert before == ""
    assert str(package / "codec.py") in site.drivers()["good"]["problem"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_driver_of_another_user_is_refused(site: Site) -> None:
    module = site.install("good")
    os.chown(module, 12345, 12345)

    assert site.drivers()["good"]["problem"] == f"driver good: {module} belongs to user 12345"
