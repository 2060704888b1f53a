"""Expression: a condition over register values, such as `TEMP > 80 and not 0x8003.STATUS == 1`.

    condition  = both { "or" both }
    both       = term { "and" term }
    term       = "not" term | "(" condition ")" | comparison
    comparison = operand [ ("<" | "<=" | ">" | ">=" | "==" | "!=") operand ]
    operand    = DEVICE.REGISTER | REGISTER | number | 'text' | "true" | "false"

REGISTER alone is that of any device: the comparison holds as soon as it does for one.  A register without a
value that can be trusted fulfils no comparison.  Nothing of a text is ever run as a program.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

from dsmilctl.archive.heat import Key
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.device import Device
from dsmilctl.model.register import Value

LONGEST = 2000
"""Characters of an expression."""

DEEPEST = 50
"""Parentheses and `not` inside each other."""

HINT = "TEMP > 80, 0x8003.STATUS == 1 and not (VOLTAGE < 10 or pump-1.mode != 'auto')"
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip
ENDS = "an operand: a register, a number, a 'text', true or false"
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:0[xX][0-9a-fA-F]+(?![\w.])|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.:/])))
    | (?P<text>'[^']*'|"[^"]*")
    | (?P<sign><=|>=|==|!=|<|>|=|\(|\))
    | (?P<name>[\w:/@%.-]+)
    )""",
    re.VERBOSE,
)

Values = dict[Key, Value | None]
Condition = Callable[[Values], bool]
Operand = Callable[[Values], Sequence[Value | None]]


class Token(NamedTuple):
    """A word of the text: its kind, itself, and where it begins (from 1)."""

    kind: str
    text: str
    position: int


class Expression:
    """A condition over the registers of a fleet, with the values that it was told last.

    Raises InvalidParameter, with the position, for a text that is no condition, and for a device or a
    register that there is not.
    """

    def __init__(self, text: str, devices: Sequence[Device]) -> None:
        self.text = text
        self.keys: set[Key] = set()
        self.values: Values = {}
        self._devices = devices
        self._tokens = _tokens(text)
        self._at = self._depth = 0
        self._condition = self._either()
        if self._now.kind != "end":
            self._wrong(f"'and' or 'or' was expected before {self._now.text!r}")

    @property
    def holds(self) -> bool:
        """Whether the condition is fulfilled by what was told last."""
        return self._condition(self.values)

    @property
    def registers(self) -> list[str]:
        """The registers that have to be read for it."""
        return sorted({key.register for key in self.keys})

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> Token | None:
        found = self._now
        if found.kind in ("name", "sign") and found.text in texts:
            self._at += 1
            return found
        return None

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda values: any(part(values) for part in parts)

    def _both(self) -> Condition:
        parts = [self._term()]
        while self._take("and"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else lambda values: all(part(values) for part in parts)

    def _term(self) -> Condition:
        self._depth += 1
        if self._depth > DEEPEST:
            self._wrong("it is nested too deeply")
        try:
            if self._take("not"):
                denied = self._term()
                return lambda values: not denied(values)
            if opened := self._take("("):
                inner = self._either()
                if not self._take(")"):
                    self._wrong(f"the parenthesis of position {opened.position} is not closed")
                return inner
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Condition:
        left = self._operand()
        sign = self._take(*COMPARISONS)
        if sign is None:
            return lambda values: any(bool(value) for value in left(values))
        compare, right = COMPARISONS[sign.text], self._operand()
        return lambda values: any(
            _true(compare, one, other) for one in left(values) for other in right(values)
        )

    def _operand(self) -> Operand:
        token = self._now
        if token.kind in ("end", "sign") or token.text in ("and", "or", "not"):
            self._wrong(f"{ENDS} was expected" + (f", not {token.text!r}" if token.text else ""))
        self._at += 1
        if token.kind == "name" and token.text not in ("true", "false"):
            keys = self._keys(token)
            self.keys.update(keys)
            return lambda values: [values.get(key) for key in keys]
        constant = _constant(token)
        return lambda values: (constant,)

    def _keys(self, token: Token) -> list[Key]:
        """The registers that a name means: of one device, or without a device of all."""
        found = [
            Key(device.device_id, register.name)
            for device in self._devices
            for register in device.registers
            if token.text.casefold() in _names(device, register.name)
        ]
        if not found:
            devices = [device.shown_id for device in self._devices]
            registers = {register.name for device in self._devices for register in device.registers}
            known = [*sorted(registers), *(f"{device}.{name}" for device in devices for name in registers)]
            self._at -= 1
            self._wrong(f"there is no register {token.text!r}", nearest(token.text, known))
        return found

    def _wrong(self, what: str, hint: str = "") -> NoReturn:
        raise _error(self.text, self._now.position, what, hint)


def _names(device: Device, register: str) -> tuple[str, ...]:
    """How a register of a device may be written, in small letters."""
    owners = (device.shown_id, str(device.device_id))
    return (register.casefold(), *(f"{owner}.{register}".casefold() for owner in owners))


def _tokens(text: str) -> list[Token]:
    if len(text) > LONGEST:
        raise _error(text[:40], 1, f"it is longer than {LONGEST} characters")
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            position = at + len(text[at:]) - len(text[at:].lstrip())
            raise _error(text, position + 1, f"{text[position]!r} means nothing here")
        found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
        at = match.end()
    return [*found, Token("end", "", len(text) + 1)]


def _constant(token: Token) -> Value:
    if token.kind == "text":
        return token.text[1:-1]
    if token.kind == "name":
        return token.text == "true"
    if re.fullmatch(r"[+-]?[0-9]+", token.text):
        return int(token.text)
    return int(token.text, 16) if "x" in token.text.casefold() else float(token.text)


def _true(compare: Callable[[Any, Any], bool], one: Value | None, other: Value | None) -> bool:
    """Whether a comparison holds; what has no value, or is of another kind, fulfils none."""
    if one is None or other is None or isinstance(one, str) != isinstance(other, str):
        return False
    return compare(one, other)


def _error(text: str, position: int, what: str, hint: str = "") -> InvalidParameter:
    message = f"--when, position {position}: {what}\n  {text}\n  {' ' * (position - 1)}^"
    return InvalidParameter(message, hint=hint or HINT, target="--when")
