"""The picture of the README: the dashboard is opened on the simulated devices and draws itself."""

from __future__ import annotations

import asyncio
import os
import tempfile

from dsmilctl.client.opening import connect
from dsmilctl.reference.__main__ import ROOT
from dsmilctl.tui.app import DashboardApp

SIZE = (120, 30)
SECONDS = 62.0
"""How long the sparklines grow: they show a minute."""


async def picture() -> str:
    """The fleet screen on the simulated devices as SVG."""
    app = DashboardApp(connect, "sim", read_only=True, refresh=1.0)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(SECONDS)
        await pilot.press("down", "down")
        return app.export_screenshot(title="dsmilctl tui", simplify=True)


def main() -> None:
    """Write `docs/fleet.svg`, with a throw-away folder for whatever the simulator keeps."""
    with tempfile.TemporaryDirectory(prefix="dsmilctl-picture-") as home:
        os.environ["DSMIL_HOME"] = home
        drawn = asyncio.run(picture())
    (ROOT / "docs/fleet.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
