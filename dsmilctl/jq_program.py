"""Jq program: a filter of the jq language over the JSON documents that a command shows."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl.errors import InvalidParameter, MissingExtraError


class JqProgram:
    """A compiled program.  Raises MissingExtraError without the jq extra, InvalidParameter for bad syntax."""

    def __init__(self, expression: str) -> None:
        try:
            import jq
        except ImportError:
            hint = "pip install 'dsmilctl[jq]', or pipe -o json into jq"
            raise MissingExtraError("--jq needs the jq extra", hint=hint, target="--jq") from None
        try:
            self._program = jq.compile(expression)
        except ValueError as error:
            hint = "for example --jq '.data[].device_id'; https://jqlang.org/manual tells the rest"
            raise InvalidParameter(f"--jq: {_first_line(error)}", hint=hint, target="--jq") from None

    def __call__(self, document: Any) -> list[Any]:
        """What the program makes of a document; raises InvalidParameter where it does not fit."""
        try:
            return list(self._program.input_value(msgspec.to_builtins(document)))
        except ValueError as error:
            hint = "the document as it is: -o json"
            raise InvalidParameter(f"--jq: {_first_line(error)}", hint=hint, target="--jq") from None


def _first_line(error: ValueError) -> str:
    return str(error).partition("\n")[0]
