"""The lines for the shell in the guide to recordings run, one after the other."""

from __future__ import annotations

import re

from tests.commands.shell import Shell
from tests.contract.source import ROOT

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_line_for_the_shell_in_the_guide_to_recordings_runs(shell: Shell) -> None:
    guide = (ROOT / "docs/recording.md").read_text(encoding="utf-8")
    lines = [line for block in BLOCK.findall(guide) for line in block.splitlines()]

    assert len(lines) >= 5
    assert [line for line in lines if shell(line).exit != 0] == []
    assert (shell.home / "tour.html").stat().st_size > 1000
