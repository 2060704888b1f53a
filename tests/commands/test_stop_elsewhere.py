"""A stop behind a gateway: the other server latched one of its own, and every command says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.served import PLANT, serving

FLEET = """\
version: 2
name: near
devices:
  - {{id: rack, driver: sim, options: {{devices: 1}}}}
  - id: north
    driver: dsmil
    options: {{url: "{url}", username: admin, secret: "file:{secret}", prefix: n-, devices: 0x8030-0x8032}}
"""
RELEASE = "emergency release --justification 'it was only a drill' -o json --confirm"


@pytest.mark.parametrize("named", [True, False])
def test_a_release_here_says_that_the_server_behind_needs_one_too(tmp_path: Path, named: bool) -> None:
    with serving(tmp_path, "--no-approvals", "--no-rate-limit") as shell:
        secret = tmp_path / "secret"
        secret.touch(mode=0o600)
        secret.write_text("dsmil_admin_2024")
        (tmp_path / "near.yaml").write_text(FLEET.format(url=shell.url, secret=secret))
        shell("dsmilctl context add near --fleet near.yaml")
        shell.log_in("admin", "dsmil_admin_2024")
        if not named:
            shell("dsmilctl context remove plant")
        server = shell.url
        way = (
            f"dsmilctl -C {PLANT} emergency release" if named else f"dsmilctl context add NAME --url {server}"
        )

        stopped = shell("dsmilctl -C near emergency stop --deadline 30s -o json")
        status = shell("dsmilctl -C near emergency status -o json")
        released = shell(f"dsmilctl -C near {RELEASE} near")
        past = shell("dsmilctl -C near emergency history -o json")

        assert stopped.exit == 0, stopped.err
        assert stopped.data["elsewhere"] == status.data[0]["elsewhere"] == [server]
        assert released.data[0]["elsewhere"] == past.data[0]["elsewhere"] == [server]
        assert server in status.err and way in status.err
        assert "until it is released there, too" in released.err and way in released.err
        refused = shell(
            "dsmilctl -C near device write n-0x8031 CONFIG 5 --yes --justification 'a drill is over'"
        )
        assert refused.exit == 1 and "stop" in refused.err


def test_a_stop_of_devices_that_are_here_alone_needs_no_release_elsewhere(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-approvals", "--no-rate-limit") as shell:
        secret = tmp_path / "secret"
        secret.touch(mode=0o600)
        secret.write_text("dsmil_admin_2024")
        (tmp_path / "near.yaml").write_text(FLEET.format(url=shell.url, secret=secret))
        shell("dsmilctl context add near --fleet near.yaml")

        stopped = shell("dsmilctl -C near emergency stop 0x8000 --deadline 30s -o json")

        assert (stopped.exit, stopped.data["elsewhere"]) == (0, [])
        assert "released there" not in shell("dsmilctl -C near emergency status").err
