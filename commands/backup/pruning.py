"""`dsmilctl backup prune`: let old backups go, by the rules of restic."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dsmilctl import diagnostics
from dsmilctl.archive.extra import require_archive
from dsmilctl.clock import rfc3339
from dsmilctl.commands.backup.place import At, repository_at
from dsmilctl.commands.execution import execute
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.questions import confirm
from dsmilctl.commands.runner import show
from dsmilctl.commands.targets import DryRun, Yes
from dsmilctl.commands.times import duration
from dsmilctl.errors import Refused
from dsmilctl.tables import Column

app = Noun("backup")
COLUMNS = (
    Column("name", flexible=True),
    Column("created"),
    Column("action"),
    Column("reasons", flexible=True),
)


def _count(what: str) -> Any:
    """An option that takes how many are kept."""
    return typer.Option(metavar="N", min=0, help=what)


@app.command(impact="danger")
def prune(
    keep_last: Annotated[int, _count("the last N backups")] = 0,
    keep_hourly: Annotated[int, _count("the last one of each of N hours")] = 0,
    keep_daily: Annotated[int, _count("the last one of each of N days")] = 0,
    keep_weekly: Annotated[int, _count("the last one of each of N weeks")] = 0,
    keep_monthly: Annotated[int, _count("the last one of each of N months")] = 0,
    keep_yearly: Annotated[int, _count("the last one of each of N years")] = 0,
    keep_within: Annotated[
        str, typer.Option(metavar="DURATION", help="all that are so much older than the newest: 36h, 14d")
    ] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    at: At = "",
) -> None:
    """Remove the backups that no rule keeps, and what only they needed.

    Hours, days and weeks without a backup do not count.  The last good backup stays whatever the rules say.

    Example: dsmilctl backup prune --keep-last 3 --keep-daily 14 --keep-weekly 8 --dry-run
    """
    require_archive()
    from dsmilctl.archive.backup.keeping import Policy
    from dsmilctl.archive.backup.pruning import prune as apply

    policy = Policy(
        last=keep_last, hourly=keep_hourly, daily=keep_daily, weekly=keep_weekly, monthly=keep_monthly,
        yearly=keep_yearly, within=duration(keep_within) if keep_within else 0.0,
    )  # fmt: skip
    if not (yes or dry_run or policy.empty) and not execute(confirm("remove old backups for good?")):
        raise Refused("nothing was removed")
    done = apply(repository_at(at), policy, dry_run=dry_run)
    if done.problem:
        diagnostics.warn(f"nothing but manifests was removed: {done.problem}")
    rows = [
        {
            "name": item.name,
            "created": rfc3339(item.created),
            "action": "keep" if item.reasons else "remove",
            "reasons": list(item.reasons),
        }
        for item in done.backups
    ]
    show(rows, schema="backup.prune/1", columns=COLUMNS, empty="no backup yet")
