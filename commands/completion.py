"""`dsmilctl completion`: completion scripts for bash, zsh and fish."""

from __future__ import annotations

from dsmilctl.commands.completion_scripts import script
from dsmilctl.commands.nouns import Noun
from dsmilctl.stdout import flush, write

app = Noun("completion")


@app.command(impact="read")
def bash() -> None:
    """Print the completion script for bash.

    Example: dsmilctl completion bash > ~/.local/share/bash-completion/completions/dsmilctl
    """
    _print("bash")


@app.command(impact="read")
def zsh() -> None:
    """Print the completion script for zsh.

    Example: dsmilctl completion zsh > ~/.zfunc/_dsmilctl
    """
    _print("zsh")


@app.command(impact="read")
def fish() -> None:
    """Print the completion script for fish.

    Example: dsmilctl completion fish > ~/.config/fish/completions/dsmilctl.fish
    """
    _print("fish")


def _print(shell: str) -> None:
    write(script(shell))
    flush()
