"""`dsmilctl backup create` over objects that are there but damaged: they are written anew."""

from __future__ import annotations

from tests.commands.shell import Shell


def test_a_backup_writes_damaged_objects_of_earlier_ones_anew_and_all_are_whole_again(shell: Shell) -> None:
    shell("dsmilctl -C sim record run -n x --for 1s --interval 0.1 0x8000 TEMP")
    assert shell("dsmilctl backup create --name first").exit == 0
    objects = list((shell.home / "data/backups/objects").iterdir())
    for path in objects:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    damaged = shell("dsmilctl backup verify first")

    made = shell("dsmilctl backup create --name second -o json")

    assert (damaged.exit, made.exit) == (9, 0)
    assert "written anew" in made.err
    assert made.data["stored"] > 0
    assert shell("dsmilctl backup verify --all").exit == 0
