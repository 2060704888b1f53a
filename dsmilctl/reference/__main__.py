"""Writing the reference: `python -m dsmilctl.reference` writes completions, man pages and docs/cli.md."""

from __future__ import annotations

import sys
from pathlib import Path

from dsmilctl.reference.alarm_states import with_table
from dsmilctl.reference.bash import bash_script
from dsmilctl.reference.fish import fish_script
from dsmilctl.reference.man import man_pages
from dsmilctl.reference.markdown import cli_reference
from dsmilctl.reference.tree import Tree
from dsmilctl.reference.walk import walk
from dsmilctl.reference.zsh import zsh_script

ROOT = Path(__file__).parents[2]


def documents(tree: Tree) -> dict[str, str]:
    """Every generated file, by its path in the project."""
    return {
        "completions/dsmilctl.bash": bash_script(tree),
        "completions/_dsmilctl": zsh_script(tree),
        "completions/dsmilctl.fish": fish_script(tree),
        "docs/cli.md": cli_reference(tree),
        **{f"man/{name}": page for name, page in man_pages(tree).items()},
    }


def write(root: Path) -> None:
    """Write every file below `root`, and remove man pages of nouns that are gone."""
    written = documents(walk())
    for page in (root / "man").glob("*.1"):
        if f"man/{page.name}" not in written:
            page.unlink()
    for name, content in written.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    alarms = root / "docs/alarms.md"
    if alarms.exists():
        alarms.write_text(with_table(alarms.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    if any(word.startswith("-") for word in sys.argv[1:]):  # it would be the name of a folder
        sys.exit("python -m dsmilctl.reference [FOLDER] has no options")
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
