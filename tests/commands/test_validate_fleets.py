"""`config validate` and fleet files: the command that every error of one names to check it again."""

from __future__ import annotations

from tests.commands.shell import Shell

RIGHT = "version: 2\ndevices:\n- {id: rack, driver: sim}\n"
WRONG = "version: 2\ndevices:\n- {id: rack, drver: sim}\n- {id: row, driver: sim, options: {devices: no}}\n"


def test_the_hint_on_a_wrong_fleet_file_checks_that_file_again(shell: Shell) -> None:
    (shell.home / "my hall.yaml").write_text(WRONG)
    refused = shell("dsmilctl context add hall --fleet 'my hall.yaml' -o json")
    assert refused.exit == 2 and refused.error.hint is not None

    again = shell(refused.error.hint.removesuffix(" checks again") + " -o json")
    (shell.home / "my hall.yaml").write_text(RIGHT)
    mended = shell(refused.error.hint.removesuffix(" checks again") + " -o json")

    assert again.exit == 2
    assert [row["problem"].partition("yaml:")[2].partition(":")[0] for row in again.data] == ["3", "3"]
    assert (mended.exit, mended.data) == (0, [])


def test_everything_that_is_configured_includes_the_fleet_files_of_contexts(shell: Shell) -> None:
    (shell.home / "hall.yaml").write_text(RIGHT)
    assert shell("dsmilctl context add hall --fleet hall.yaml").exit == 0
    right = shell("dsmilctl config validate")
    (shell.home / "hall.yaml").write_text(RIGHT.replace("sim", "simm"))

    wrong = shell("dsmilctl config validate -o json")

    assert right.exit == 0
    assert (
        wrong.exit == 2 and "hall.yaml:3:14: devices[0].driver: no driver 'simm'" in wrong.data[0]["problem"]
    )
