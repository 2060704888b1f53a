"""YAML document: what a YAML text says, with the place of every key and value, and nothing surprising.

PyYAML takes the second of two equal keys, resolves dates, follows merge keys and builds what tags name; here
each of these is a problem with its place.  Source: YAML 1.1, as PyYAML reads it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsmilctl.config.document import KeyPath
from dsmilctl.errors import ConfigError

if TYPE_CHECKING:
    import yaml

MOST_NODES = 200_000
"""Values of one document, aliases followed; more of them are a mistake or a bomb."""

DEEPEST = 50
PLAIN = {"null", "bool", "int", "float", "str", "map", "seq"}
"""The tags that mean plain data."""


class BadYaml(Exception):
    """A text that is no YAML at all; `line` and `column` from 1, 0 where nobody knows."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class YamlDocument:
    """A YAML text: `data` is what it says, `problems` what it may not say, each with its line and column."""

    def __init__(self, text: str) -> None:
        self.problems: list[tuple[int, int, str]] = []
        self._places: dict[KeyPath, tuple[int, int]] = {}
        self._nodes = 0
        root = _composed(text)
        self.data: Any = None if root is None else self._value(root, ())

    def place(self, path: KeyPath) -> tuple[int, int]:
        """Line and column, both from 1, of a key or entry; of the nearest around it where it has none."""
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path, (1, 1))

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        import yaml

        self._nodes += 1
        if self._nodes > MOST_NODES or len(path) > DEEPEST:
            raise BadYaml(f"more than {MOST_NODES:,} values, or {DEEPEST} levels", *_place(node))
        self._places.setdefault(path, _place(node))
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if tag not in PLAIN:
            dated = tag == "timestamp"
            self._wrong(node, "a date is no value here: quote it" if dated else f"!{tag} means nothing here")
            return ""
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        import yaml

        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if not name or key.tag == "tag:yaml.org,2002:merge":
                self._wrong(key, "a key is a plain word" if not name else "merge keys are not read here")
            elif name in found:
                first = "{}:{}".format(*self._places[(*path, name)])
                self._wrong(key, f"key {name} is there already, at {first}")
            else:
                self._places[(*path, name)] = _place(key)
                found[name] = self._value(value, (*path, name))
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        from yaml.constructor import ConstructorError, SafeConstructor

        try:
            value = SafeConstructor().construct_object(node)
        except (ConstructorError, ValueError, OverflowError, KeyError, IndexError):
            self._wrong(node, f"{str(node.value)[:40]!r} cannot be read as {node.tag.rpartition(':')[2]}")
            return ""
        if isinstance(value, float) and not math.isfinite(value):
            self._wrong(node, f"{node.value} is no number to work with")
        return value

    def _wrong(self, node: yaml.Node, message: str) -> None:
        self.problems.append((*_place(node), message))


def read_mapping(file: Path, content: bytes, what: str) -> YamlDocument:
    """The mapping in a file, whose data is a dict; raises ConfigError for the first mistake, with its place.

    `what` says what such a file is: `a policy`.
    """
    try:
        document = YamlDocument(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not YAML: not UTF-8 at byte {error.start}", target=str(file)) from None
    except BadYaml as error:
        where = f"{file}:{error.line}:{error.column}" if error.line else str(file)
        raise ConfigError(f"{where}: not YAML: {error}", target=str(file)) from None
    for line, column, message in document.problems:
        raise ConfigError(f"{file}:{line}:{column}: {message}", target=str(file))
    if not isinstance(document.data, dict):
        raise ConfigError(f"{file}:1:1: {what} is a mapping", hint="version: 1", target=str(file))
    return document


def _composed(text: str) -> yaml.Node | None:
    """The tree of the one document in a text; raises BadYaml."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _require_shallow(text, loader)
        root: yaml.Node | None = yaml.compose(text, loader)
        return root
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "not YAML"
        raise BadYaml(what, *((mark.line + 1, mark.column + 1) if mark else (0, 0))) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadYaml(" ".join(str(error).split()) or type(error).__name__) from None


def _require_shallow(text: str, loader: Any) -> None:
    """Raise BadYaml for a text that is nested too deeply: the parser in C would overrun its stack."""
    import yaml

    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise BadYaml(f"nested more than {DEEPEST} levels deep", *_place(event))


def _place(node: yaml.Node | yaml.Event) -> tuple[int, int]:
    mark: Any = node.start_mark
    return mark.line + 1, mark.column + 1
