"""Rules of the house that import contracts cannot express: who calls a driver, who touches the network."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.contract.source import (
    ROOT,
    SHIPPED,
    Module,
    all_imports,
    modules,
    read,
    receiver,
)

LIFECYCLE = "dsmilctl/drivers/lifecycle.py"
CHANGES = {"write", "command", "reset", "safe_state", "safe_many"}
"""The methods of a driver that change a device."""

NETWORK = {
    "socket",
    "ssl",
    "http",
    "urllib",
    "httpx",
    "websockets",
    "aiohttp",
    "smtplib",
    "ftplib",
    "telnetlib",
}
MAY_TOUCH_THE_NETWORK = (
    "dsmilctl/drivers/",
    "dsmilctl/client/remote",
    "dsmilctl/server/",
    "dsmilctl/fleet/sinks",
    "commands/doctor",
)
DIRECTORIES = {"platformdirs"}
CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}
FOLDERS_NAMED = {
    "dsmilctl/config/sources.py": "a project's settings are looked for up to the home folder",
    "dsmilctl/reference/facts.py": "the manual names the variables",
    "dsmilctl/reference/picture.py": "the picture is drawn in a throw-away folder",
    "commands/demo.py": "the tour sets a throw-away folder for the commands that it runs",
}
"""Modules besides `config/paths.py` that may name a user's folder or its variable, and why."""


def test_only_the_lifecycle_calls_what_changes_a_device() -> None:
    """The conformance suite in `dsmilctl.testing` is no way around it: it holds made-up devices only."""
    found = [
        f"{module.at(call)} {receiver(call)}.{call.attr}"
        for module in modules(SHIPPED)
        if module.path != LIFECYCLE and not module.within("dsmilctl/testing/")
        for call in driver_calls(module)
    ]

    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "await managed.driver.write(device, register, 1)",
        "await drivers['sim'].safe_state(device)",
        "gather(*map(driver.reset, devices))",
        "await self.driver_of(device).command(device, 'on', {})",
        "call = SimDriver.safe_many",
    ],
)
def test_every_way_around_the_lifecycle_is_seen(line: str) -> None:
    module = Module("commands/device.py", line, ast.parse(line))

    assert len(list(driver_calls(module))) == 1


def test_the_lifecycle_does_call_what_changes_a_device() -> None:
    called = {call.attr for call in driver_calls(read(ROOT / LIFECYCLE))}

    assert called == CHANGES, "the test above sees every way in which a driver is called"


def test_only_the_guard_calls_the_changing_methods_of_the_lifecycle() -> None:
    applying = lifecycle_changes()
    found = [
        f"{module.at(node)} {node.attr}"
        for module in modules(SHIPPED)
        if not module.within("dsmilctl/guard/") and module.path != LIFECYCLE
        for node in module.nodes
        if isinstance(node, ast.Attribute) and node.attr in applying
    ]

    assert {"apply_write", "apply_command", "apply_reset", "apply_safe_state"} <= applying
    assert found == []


def test_the_network_is_touched_by_drivers_sinks_remote_clients_servers_and_doctor_only() -> None:
    found = [
        f"{module.at(node)} {name}"
        for module in modules(SHIPPED)
        if not module.within(*MAY_TOUCH_THE_NETWORK)
        for node, name in all_imports(module)
        if name.split(".")[0] in NETWORK and not name.startswith("urllib.parse")
    ]

    assert found == []


def test_only_the_paths_module_knows_the_users_folders() -> None:
    found = [
        f"{module.at(node)} {name}"
        for module in modules(SHIPPED)
        if module.path not in ("dsmilctl/config/paths.py", *FOLDERS_NAMED)
        for node, name in folder_lookups(module)
    ]

    assert found == []


def test_only_the_clock_reads_the_time_of_day() -> None:
    found = [
        f"{module.at(node)} {receiver(node)}.{node.attr}"
        for module in modules(SHIPPED)
        if module.path != "dsmilctl/clock.py"
        for node in module.nodes
        if isinstance(node, ast.Attribute) and f"{receiver(node)}.{node.attr}" in CLOCKS
    ]

    assert found == []


def driver_calls(module: Module) -> Iterator[ast.Attribute]:
    """Every mention of a changing method of a driver: awaited on anything but self, or read from a driver."""
    awaited = {
        id(node.value.func)
        for node in module.nodes
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call)
    }
    compared = {
        id(side)
        for node in module.nodes
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
    }
    for node in module.nodes:
        if not (isinstance(node, ast.Attribute) and node.attr in CHANGES) or id(node) in compared:
            continue
        owner = receiver(node)
        if owner.lower().endswith("driver") or (id(node) in awaited and owner not in ("self", "super")):
            yield node


def lifecycle_changes() -> set[str]:
    """The names of the lifecycle's methods that change a device."""
    return {
        node.name
        for node in read(ROOT / LIFECYCLE).nodes
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("apply_")
    }


def folder_lookups(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Ways to find a user's folder: platformdirs, the home folder, the XDG variables."""
    for node, name in all_imports(module):
        if name.split(".")[0] in DIRECTORIES:
            yield node, name
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr in ("home", "expanduser"):
            yield node, node.attr
        elif isinstance(node, ast.Constant) and str(node.value).startswith(("XDG_", "DSMIL_HOME")):
            yield node, str(node.value)
