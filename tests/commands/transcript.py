"""Transcript: shell lines and what they printed, as a checked-in file that can be run again.

A line that begins with `$ ` is run; below it stand its stdout, its stderr with `! ` before each line, and the
exit status where it is not 0.  `{bulk}`, `{stop}`, `{operation}` and `{approval}` in a line stand for the
last such id that was printed.  What differs from run to run and from machine to machine is masked.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterator

from tests.commands.shell import Answer, Shell

IDS = {"bulk": r"bulk-[0-9a-f]{12}", "stop": r"stop-[0-9a-f]{8}", "operation": r"op-[0-9a-f]{16}"}
IDS |= {"approval": r"approval-[0-9a-f]{18}"}
MASKS = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "<TIME>".ljust(27, "_")),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "<TIME>".ljust(24, "_")),
    (IDS["bulk"], "bulk-<12 DIGITS_>"[:17]),
    (IDS["stop"], "stop-<EIGHT_>"[:13]),
    (IDS["operation"], "op-<SIXTEEN DIGITS>"),
    (r"\b[0-9a-f]{64}\b", "<HASH>"),
    (r'"(\w*_ms)":( ?)[\d.]+', r'"\1":\2<MS>'),
    (r"\b\d+(\.\d+)? ms\b", "<MS>"),
    (r"\b(\w*_ms) +[\d.]+", r"\1  <MS>"),
    (r'"process": "[\d-]+"', '"process": "<PROCESS>"'),
    (IDS["approval"], "approval-<ID>"),
    (r"\bsession-[0-9a-f]{24}", "session-<ID>"),
    (r"\buser-[0-9a-f]{16}", "user-<ID>"),
    (r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", "<TOKEN>"),
    (r"\b[A-Z2-7]{32}\b", "<SECRET>"),
    (r"\b127\.0\.0\.1:\d+", "<SERVER>"),
    (r"\bprocess(=| +)[\d-]+", r"process\1<PROCESS>"),
    (r"\b\d{14}-(\w+)-[0-9a-f]{6}\b", r"<ID>-\1"),
    (r"\bbefore-restore-\d{14}(-\d+)?", "before-restore-<TIME>"),
    (r'"process": \d+', '"process": <PROCESS>'),
    (r'"size": \d+', '"size": <SIZE>'),  # packed, it depends on the times that are in it
)


class Transcript:
    """The lines of one transcript, run in one shell."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._ids = dict.fromkeys(IDS, "")

    def again(self, text: str) -> str:
        """The transcript as it comes out now."""
        return "".join(self._lines(text))

    def _lines(self, text: str) -> Iterator[str]:
        lines = text.splitlines()
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("$ "):
                yield f"{line}\n"
                answer = self._shell(self._filled(line[2:]))
                self._remember(answer)
                yield shown(answer, self._shell)
            elif line.startswith("#") or (not line and following.startswith(("#", "$ "))):
                yield f"{line}\n"

    def _filled(self, line: str) -> str:
        for name, value in self._ids.items():
            line = line.replace(f"{{{name}}}", value)
        return line

    def _remember(self, answer: Answer) -> None:
        for name, pattern in IDS.items():
            if found := re.findall(pattern, answer.out + answer.err):
                self._ids[name] = found[-1]


def commands(text: str) -> list[str]:
    """The lines of a transcript that are run."""
    return [line[2:] for line in text.splitlines() if line.startswith("$ ")]


def shown(answer: Answer, shell: Shell) -> str:
    """What a line printed and how it ended, masked."""
    out = masked(answer.out, shell)
    err = "".join(f"! {line}\n" for line in masked(answer.err, shell).splitlines())
    return out + err + (f"[exit {answer.exit}]\n" if answer.exit else "")


def masked(text: str, shell: Shell) -> str:
    """The text without times, ids, latencies and names of this machine.

    A mask that is not as long as what it hides moves the columns of a table: there, gaps become equal.
    """
    user, host = getpass.getuser(), os.uname().nodename
    same_length = text
    for pattern, mask in MASKS[:5]:
        same_length = re.sub(pattern, mask, same_length)
    hidden = same_length.replace(f"{user}@{host}", "<USER>@<HOST>").replace(str(shell.home), "<HOME>")
    for name, mask in ((user, "<USER>"), (host, "<HOST>")):
        hidden = re.sub(rf"(?<![\w/<]){re.escape(name)}(?![\w/>])", mask, hidden)
    for pattern, mask in MASKS[5:]:
        hidden = re.sub(pattern, mask, hidden)
    if hidden == same_length or hidden.lstrip().startswith(("{", "[")):
        return hidden
    return "\n".join(re.sub(r"(?<=\S)  +", "  ", line) for line in hidden.split("\n"))
