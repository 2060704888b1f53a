"""The project's own source files as text and as syntax trees, for tests of how the code is written."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIPPED = ("dsmilctl", "commands", "tui")
EVERYTHING = (*SHIPPED, "bench", "tests")


@dataclass(frozen=True)
class Module:
    """One source file: its path from the project's root, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Everything in the tree, as `ast.walk` brings it."""
        return list(ast.walk(self.tree))

    def line(self, node: ast.AST) -> str:
        """The source line that a node begins on."""
        return self.lines[getattr(node, "lineno", 1) - 1]

    def at(self, node: ast.AST | int) -> str:
        """Where a node or a line is, as an editor opens it."""
        return f"{self.path}:{node if isinstance(node, int) else getattr(node, 'lineno', 1)}"

    def within(self, *folders: str) -> bool:
        return self.path.startswith(folders)


@cache
def read(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


@cache
def modules(folders: tuple[str, ...] = SHIPPED) -> tuple[Module, ...]:
    """Every Python file below these top-level folders; the linked ones are read where they really are.

    They stay until the process ends: the collector need not walk through millions of nodes for later tests.
    """
    found = tuple(read(path) for folder in folders for path in sorted(python_files(ROOT / folder)))
    gc.collect()
    gc.freeze()
    return found


def python_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_symlink() or path.name in ("__pycache__", "__snapshots__"):
            continue
        if path.is_dir():
            yield from python_files(path)
        elif path.suffix == ".py":
            yield path


def receiver(node: ast.Attribute) -> str:
    """The last name before the dot: `driver` for `managed.driver.write`, empty when it has none."""
    owner = node.value
    while isinstance(owner, ast.Subscript | ast.Call):
        owner = owner.func if isinstance(owner, ast.Call) else owner.value
    if isinstance(owner, ast.Attribute):
        return owner.attr
    return owner.id if isinstance(owner, ast.Name) else ""


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported(node: ast.AST) -> Iterator[str]:
    """The modules that an import statement names."""
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield node.module or ""
        yield from (f"{node.module}.{name.name}" for name in node.names)


def all_imports(module: Module) -> Iterator[tuple[ast.AST, str]]:
    for node in module.nodes:
        yield from ((node, name) for name in imported(node))
