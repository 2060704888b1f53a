"""The SDK specification: its snippets by section, with our import name and address, else as they are."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path
from types import CodeType
from typing import Any

SEEDS = Path(__file__).resolve().parents[2].parent / "shared" / "seeds"
_HEADING = re.compile(r"^#{2,3} (?:(\d+)\. )?(.+)$")
_ADDRESSES = ("https://dsmil-control.mil", "http://localhost:8899")


def specification() -> Path | None:
    """The file of the specification; None where it is absent."""
    found = sorted(SEEDS.glob("000_*.txt"))
    return found[0] if found else None


def snippets(text: str) -> dict[str, list[str]]:
    """The Python code of each section: by its number, or by its name where it has none."""
    found: dict[str, list[str]] = {}
    section, inside, lines = "", False, list[str]()
    for line in text.splitlines():
        if line.startswith("```"):
            if inside:
                found.setdefault(section, []).append("\n".join(lines))
            inside, lines = line.startswith("```python") and not inside, []
        elif inside:
            lines.append(line)
        elif match := _HEADING.match(line):
            section = match[1] or match[2]
    return found


def adapted(code: str, address: str) -> str:
    """The code with our import name and the address of a server that is there."""
    for old in _ADDRESSES:
        code = code.replace(old, address)
    code = code.replace("port=8899", f"port={address.rpartition(':')[2]}")
    return code.replace("from dsmil_client", "from dsmilctl")


def compiled(code: str, name: str) -> CodeType:
    """The code, which may await at its top level as a notebook does."""
    found = compile(code, f"<specification, {name}>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(found, CodeType)
    return found


async def run(code: str, name: str, names: dict[str, Any]) -> None:
    """Run the code with these names; what it defines is added to them."""
    result = eval(compiled(code, name), names)
    if asyncio.iscoroutine(result):
        await result
