"""`dsmilctl config`: settings, where each one comes from, and whether they are right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.runner import show as show_result
from dsmilctl.config.contexts import contexts, current_name, current_origin
from dsmilctl.config.paths import paths
from dsmilctl.config.settings import origins, set_setting, validate
from dsmilctl.errors import ConfigError
from dsmilctl.tables import Column

app = Noun("config")
COLUMNS = (Column("key", "SETTING"), Column("value"), Column("origin", flexible=True))


@app.command("show", impact="read")
def show(
    origin: Annotated[bool, typer.Option("--origin", help="say where each value comes from")] = False,
) -> None:
    """Show every setting, first of all the context that is current.

    Example: dsmilctl config show --origin
    """
    found = origins() | {"context": _context()}
    rows: list[dict[str, Any]] = [
        {"key": key, "value": value} | ({"origin": source} if origin else {})
        for key, (value, source) in found.items()
    ]
    show_result(rows, schema="config.show/1", columns=COLUMNS if origin else COLUMNS[:2])


def _context() -> tuple[str, str]:
    """The context in force, and where it comes from."""
    chosen = invocation()
    if chosen.context != chosen.settings.context:
        return chosen.context, "command line"
    return current_name(), current_origin()


@app.command("set", impact="write")
def set_(
    key: Annotated[str, typer.Argument(metavar="KEY", help="the setting: timeout, reconnect.cap, …")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="its new value")],
    project: Annotated[bool, typer.Option("--project", help="in this project's .dsmilctl.toml")] = False,
) -> None:
    """Change a setting in the user's file; comments in it stay.

    Example: dsmilctl config set timeout 5
    """
    file = set_setting(key, value, project=project)
    meant = origins().get(key, (value, ""))[0]
    show_result({"key": key, "value": meant, "file": str(file)}, schema="config.set/1")


@app.command("validate", impact="read")
def validate_(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="without it all that are in force")
    ] = None,
) -> None:
    """Check settings, contexts and fleet files: every mistake, with line and column; exit status 2 for any.

    Example: dsmilctl config validate
    Example: dsmilctl config validate plant.yaml
    """
    problems = problems_in(file)
    rows = [{"problem": problem} for problem in problems]
    status = ConfigError.exit_status if problems else 0
    show_result(
        rows,
        schema="config.validate/1",
        columns=(Column("problem"),),
        empty="no mistakes",
        status=status,
        despite_errors=True,
    )


def problems_in(file: Path | None) -> list[str]:
    """What is wrong in one file, or in all that is configured, the fleet files of contexts included."""
    if file is not None and file.suffix.casefold() not in (".yaml", ".yml", ".json"):
        return validate(file)
    from dsmilctl.client.fleets import fleet_problems
    from dsmilctl.client.policies import policy_problems

    if file is not None:
        return fleet_problems(file)
    if found := validate():
        return found
    try:
        known = contexts()
        current, origin = current_name(), current_origin()
    except ConfigError as error:
        return [error.message]
    missing = [] if current in {context.name for context in known} else [f"{origin}: no context {current!r}"]
    fleets = sorted({context.file for context in known if context.file})
    return [
        *missing,
        *policy_problems(),
        *(item for fleet in fleets for item in fleet_problems(Path(fleet))),
    ]


@app.command(impact="read")
def path() -> None:
    """Show where settings, contexts, policy, state, archives and caches lie.

    Example: dsmilctl config path
    """
    folders = paths()
    found = {
        "settings": folders.settings_file,
        "system_settings": folders.system_settings_file,
        "contexts": folders.contexts_file,
        "policy": folders.policy_file,
        "state": folders.state,
        "journal": folders.journal_folder,
        "latch": folders.latch_folder,
        "data": folders.data,
        "cache": folders.cache,
        "runtime": folders.runtime,
    }
    shown = {name: str(place) for name, place in found.items()}
    show_result(shown, schema="config.path/1", despite_errors=True)
