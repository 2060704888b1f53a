"""Real shells that complete a command line: bash, zsh and fish, each asked what TAB would offer."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.contract.source import ROOT

SCRIPTS = ROOT / "completions"
PATIENCE = 20.0

BASH = r"""
source "$1"
PATH=
COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9 COMP_KEY=9
shift 2
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_dsmilctl dsmilctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
for reply in "${COMPREPLY[@]}"; do printf '%s\n' "$reply"; done
"""

INTERACTIVE = {
    "bash": (
        ["--noprofile", "--norc", "-i"],
        r"""
        PS1= PS2=
        bind 'set bell-style none'
        source $SCRIPTS/dsmilctl.bash
        dsmilctl() { printf '%s\n' "$@" >$CAPTURED.ran; : >$CAPTURED.finished; }
        PATH=
        : >$CAPTURED.ready
        """,
    ),
    "zsh": (
        ["-f", "-i"],
        r"""
        PROMPT= RPROMPT= PS2=
        setopt no_beep
        fpath=($SCRIPTS $fpath)
        autoload -Uz compinit && compinit -D -u
        bindkey '^I' complete-word
        compadd() {
          if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
            builtin compadd "$@"
            return
          fi
          local -a __hits
          builtin compadd -A __hits "$@"
          (( $#__hits )) && print -rl -- $__hits >>$CAPTURED.offered
          builtin compadd "$@"
        }
        offered() { : >$CAPTURED.completed; comppostfuncs=(offered) }
        comppostfuncs=(offered)
        dsmilctl() { print -rl -- "$@" >$CAPTURED.ran; : >$CAPTURED.finished }
        PATH=
        : >$CAPTURED.ready
        """,
    ),
    "fish": (
        ["--no-config", "-i"],
        r"""
        function fish_prompt; end
        source $SCRIPTS/dsmilctl.fish
        function dsmilctl; printf '%s\n' $argv >$CAPTURED.ran; true >$CAPTURED.finished; end
        set PATH
        true >$CAPTURED.ready
        """,
    ),
}
"""The arguments of an interactive shell, and what it is told before the first key."""


def need(shell: str) -> str:
    """The shell's path; skips the test where it is not installed."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


def bash_candidates(line: str, environment: Mapping[str, str]) -> list[str]:
    """What bash would offer at the end of a line, readline's word breaks and all."""
    arguments = [need("bash"), "--norc", "-c", BASH, "bash", str(SCRIPTS / "dsmilctl.bash")]
    return output([*arguments, line, *broken(line)], environment)


def fish_candidates(line: str, environment: Mapping[str, str]) -> list[str]:
    """What fish would offer at the end of a line."""
    script = f"source {SCRIPTS / 'dsmilctl.fish'}; set PATH; complete -C $argv[1]"
    found = output([need("fish"), "--no-config", "-c", script, line], environment)
    return [line.partition("\t")[0] for line in found]


def output(command: list[str], environment: Mapping[str, str]) -> list[str]:
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def broken(line: str) -> list[str]:
    """A line as readline takes it apart: at blanks, and around `=`, `:` and `@`, outside of quotes."""
    words: list[str] = []
    word = quote = ""
    for character in line:
        if quote:
            word, quote = word + character, "" if character == quote else quote
        elif character in "'\"":
            word, quote = word + character, character
        elif character in " =:@" or word[-1:] in ("=", ":", "@"):
            words, word = ([*words, word] if word else words), character.strip()
        else:
            word += character
    return [*words, word] if word or line.endswith(" ") else words


class Terminal:
    """An interactive shell on a terminal of its own, in which `dsmilctl` notes what it was called with."""

    def __init__(self, shell: str, folder: Path, environment: Mapping[str, str]) -> None:
        arguments, told = INTERACTIVE[shell]
        self._captured = folder / f"{shell}-captured"
        setup = folder / f"setup.{shell}"
        setup.write_text(told)
        self._process, self._terminal = self._start(need(shell), arguments, dict(environment))
        self._type(f"source {setup}\n")
        self._wait("ready")

    def _start(self, shell: str, arguments: list[str], environment: dict[str, str]) -> tuple[int, int]:
        environment |= {"CAPTURED": str(self._captured), "SCRIPTS": str(SCRIPTS), "TERM": "dumb"}
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(self._captured.parent)
            os.execve(shell, [shell, *arguments], environment)
        return process, terminal

    def candidates(self, line: str) -> list[str]:
        """What zsh would offer at the end of a line."""
        offered = self._captured.with_suffix(".offered")
        offered.write_text("")
        self._type(f"\x15{line}\t")
        self._wait("completed")
        return offered.read_text().splitlines()

    def run(self, keys: str) -> list[str]:
        """The arguments that the program is called with after these keys and Enter."""
        self._type(f"{keys}\n")
        self._wait("finished")
        return self._captured.with_suffix(".ran").read_text().splitlines()

    def _type(self, keys: str) -> None:
        for suffix in ("completed", "finished"):
            self._captured.with_suffix(f".{suffix}").unlink(missing_ok=True)
        os.write(self._terminal, keys.encode())

    def _wait(self, suffix: str) -> None:
        ends, shown = time.monotonic() + PATIENCE, b""
        while not self._captured.with_suffix(f".{suffix}").exists():
            if select.select([self._terminal], [], [], 0.02)[0]:
                shown += os.read(self._terminal, 65536)
            assert time.monotonic() < ends, f"the shell did not come to {suffix!r}: {shown!r}"

    def close(self) -> None:
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._terminal)
