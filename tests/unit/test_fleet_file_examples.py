"""Every example of the fleet file in the documents is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dsmilctl.client.fleets import fleet_context
from dsmilctl.config.paths import Paths
from tests.drivers.far import federating

PAGE = Path(__file__).parents[2] / "docs" / "fleet-file.md"
EXAMPLES = re.findall(r"```(yaml|toml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_an_example_is_a_fleet(home: Paths, tmp_path: Path, kind: str, text: str) -> None:
    file = tmp_path / f"fleet.{kind}"
    file.write_text(text, encoding="utf-8")

    context = fleet_context(file, federating())

    assert context.drivers


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 3
