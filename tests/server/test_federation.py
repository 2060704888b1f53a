"""Federation: a gateway's fleet file with devices behind another server, both real processes over TLS."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.errors import EmergencyStopActive, NetworkError
from dsmilctl.model.operation import OperationStatus, OperationType, Request
from dsmilctl.model.selector import parse_selector
from dsmilctl.server.tls import Authority
from tests.commands.shell import Running, Shell
from tests.drivers.far import far_driver

ROOT = Path(__file__).parents[2]
PASSWORD = "a password of this test"
WHY = "a test of federation"
FAR = """\
version: 2
name: far
devices:
  - {id: hall, driver: sim, options: {period: 1.0e+12}}
"""
NEAR = """\
version: 2
name: near
devices:
  - id: here
    driver: host
  - id: rack
    driver: sim
    options: {{devices: 3}}
  - id: north
    driver: dsmil
    options:
      url: {url}
      username: gateway
      secret: file:{folder}/north.secret
      ca: {folder}/authority.pem
      devices: 0x8009,0x803C-0x8041
      prefix: north-
"""


class Site:
    """A folder with fleet files, accounts and certificates, and the shell that serves them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        issuer = Authority()
        self.authority = issuer.save(folder)
        self.certificate, self.key = issuer.issue(folder, "server")
        own, key = issuer.issue(folder, "gateway", hosts=())
        self.gateway = folder / "gateway-with-key.pem"
        self.gateway.write_bytes(own.read_bytes() + key.read_bytes())
        _offered(folder / "offered")
        search = f"{ROOT}:{folder / 'offered'}"
        self.shell = Shell(folder, {"PYTHONPATH": search})
        secret = folder / "north.secret"
        secret.touch(mode=0o600)
        secret.write_text(PASSWORD + "\n")

    def account(self, name: str, users: str) -> None:
        """Let somebody in."""
        line = ("user", "add", name, "--users", users, "--clearance", "TOP_SECRET", "--password-stdin")
        answer = self.shell.run(*line, stdin=PASSWORD)
        assert answer.exit == 0, answer.err

    def start(self, fleet: str, port: int = 0, *options: str) -> tuple[Running, str]:
        """A server over a fleet file, and its address."""
        server = self.shell.start(
            "serve", f"{fleet}.yaml", "--users", f"{fleet}.users", "--port", str(port), "--json",
            "--tls-cert", str(self.certificate), "--tls-key", str(self.key), *options,
        )  # fmt: skip
        line = server.line()
        assert line, server.end(signal.SIGKILL).err
        return server, str(json.loads(line)["url"])

    @contextmanager
    def served(self, fleet: str, text: str) -> Iterator[tuple[Running, str]]:
        """Serve a fleet with one account until the end."""
        (self.folder / f"{fleet}.yaml").write_text(text)
        self.account("gateway", f"{fleet}.users")
        server, url = self.start(fleet)
        try:
            yield server, url
        finally:
            server.end(signal.SIGKILL)

    def client(self, url: str) -> DSMILClient:
        """Somebody at a server."""
        return DSMILClient(
            url,
            username="gateway",
            password=PASSWORD,
            ca_path=str(self.authority),
            timeout=20.0,
            max_retries=0,
        )


def _offered(folder: Path) -> None:
    """The driver's entry point, as an installation of this tree brings it."""
    place = folder / "federation-1.0.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: federation\nVersion: 1.0\n")
    (place / "entry_points.txt").write_text(
        "[dsmilctl.drivers]\ndsmil = dsmilctl.drivers.dsmil:DsmilDriver\n"
    )


def write_of(device: str | int, value: int) -> Request:
    return Request(
        device_id=device, type=OperationType.WRITE, register="CONFIG", value=value, justification=WHY
    )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_a_gateway_reads_writes_and_stops_what_is_behind_another_server(site: Site) -> None:
    """One walk through all of it, since two servers take seconds to begin."""
    with site.served("far", FAR) as (server, there):
        near = NEAR.format(url=there, folder=site.folder)
        with site.served("near", near) as (_, here):
            async with site.client(here) as gateway, site.client(there) as far:
                everything = await gateway.devices(quarantined=True)
                behind = [item for item in everything if item.driver == "dsmil"]
                assert {item.driver for item in everything} == {"host", "sim", "dsmil"}
                assert [item.shown_id for item in behind][:2] == ["north-0x8009", "north-0x803C"]
                assert behind[0].quarantined

                written = await gateway.change(write_of("north-0x803C", 7))
                assert written.status is OperationStatus.SUCCESS, written.error
                (seen,) = await far.read(await far.devices(parse_selector("0x803C")), ["CONFIG"])
                assert seen.value == 7

                stop = await gateway.stop(reason="smoke at the gateway")
                known = {item.device_id: item.outcome.confirmed for item in stop.confirmations}
                assert {item.device_id: known[item.device_id] for item in behind} == {
                    item.device_id: True for item in behind
                }
                (latched,) = await far.stops()
                assert sorted(map(str, latched.devices)) == sorted(
                    str(n) for n in (0x8009, *range(0x803C, 0x8042))
                )
                assert (await far.change(write_of(0x8042, 3))).success, "nobody stopped this one"

                port = int(there.rpartition(":")[2])
                server.send(signal.SIGKILL)
                server.end()
                (lost,) = await gateway.read(behind[1:2], ["CONFIG"])
                assert lost.error_code == "NETWORK_ERROR"
            again, _ = site.start("far", port)
            try:
                async with site.client(there) as far:
                    with pytest.raises(EmergencyStopActive):
                        await far.change(write_of(0x803C, 1))
                async with site.client(here) as gateway:
                    for _ in range(20):
                        (back,) = await gateway.read(behind[1:2], ["CONFIG"])
                        if back.good:
                            break
                    assert back.value == 0x80000000, back.error
            finally:
                again.end(signal.SIGKILL)


async def test_a_gateway_logs_in_by_certificate_and_by_service_token(site: Site) -> None:
    (site.folder / "far.yaml").write_text(FAR)
    add = ("user", "add", "--users", "far.users", "--clearance", "SECRET", "--no-password", "--json")
    assert site.shell.run(*add, "gateway", "--certificate", "gateway").exit == 0
    token = site.shell.run(*add, "reader", "--service-token").data["service_token"]
    server, url = site.start("far", 0, "--client-ca", str(site.authority))
    try:
        ways: tuple[dict[str, Any], ...] = (
            {"certificate": str(site.gateway), "secret": ""},
            {"secret": "far"},
        )
        for options in ways:
            driver = far_driver(url, username="", ca=str(site.authority), password=token, **options)
            (device, *_) = await driver.discover()
            assert device.shown_id == "0x8000"
            await driver.shutdown()
        stranger = far_driver(url, username="", secret="far", password=token)
        with pytest.raises(NetworkError, match="certificate verify failed"):
            await stranger.discover()
        await stranger.shutdown()
    finally:
        server.end(signal.SIGKILL)
