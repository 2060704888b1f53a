"""Encryption: without the passphrase nothing can be read, and nothing made that passes for a backup."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dsmilctl.archive.backup.creating import Source, create
from dsmilctl.archive.backup.encryption import Encrypting
from dsmilctl.archive.backup.folder import Folder
from dsmilctl.archive.backup.manifest import encode
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.backup.restoring import bring_out, require_whole
from dsmilctl.archive.backup.verifying import strangers, verify
from dsmilctl.archive.places import Places
from dsmilctl.errors import AuthenticationError, CheckFailed
from tests.archive.stand import recorded, some_readings, table

SECRET = b"a token that nobody may read"
Opened = Callable[..., Encrypting]


def opening(folder: Path) -> Opened:
    """What opens the backups of a folder with a passphrase."""

    def open_(passphrase: str = "correct horse", *, encrypts: bool = False) -> Encrypting:
        return Encrypting(Folder(folder / "backups"), lambda new: passphrase, encrypts=encrypts)

    return open_


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """The backups, opened with a passphrase."""
    return opening(tmp_path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive and its encrypted backup: making a key takes a second, as it should."""
    folder = tmp_path_factory.mktemp("prepared")
    places, _ = recorded(folder / "archive", some_readings(2000))
    (folder / "token").write_bytes(SECRET)
    sources = [Source("state/tokens/plant", folder / "token")]
    create(places, opening(folder)(encrypts=True), name="night", along=sources)
    return folder


@pytest.fixture
def made(tmp_path: Path, prepared: Path) -> str:
    """An encrypted backup with a secret in it."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return "night"


def test_an_encrypted_backup_is_verified_and_comes_back_with_its_passphrase(
    made: str, opened: Opened, tmp_path: Path
) -> None:
    repository = opened()

    assert verify(repository, repository.manifest(made)) == []
    bring_out(repository, repository.manifest(made), tmp_path / "out")

    assert (tmp_path / "out/state/tokens/plant").read_bytes() == SECRET
    assert table(Places(tmp_path / "out/archive")).num_rows == 2000


def test_nothing_of_what_it_holds_can_be_read_and_names_give_nothing_away(made: str, tmp_path: Path) -> None:
    plain = Repository(Folder(tmp_path / "plain"))
    bare = create(Places(tmp_path / "archive"), plain)
    files = [path for path in (tmp_path / "backups").rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in files)

    assert SECRET not in everything
    assert b"tokens/plant" not in everything and b".parquet" not in everything
    assert b"SQLite format 3" not in everything
    assert not {path.name for path in files} & bare.needs, "the names are keyed"


def test_a_wrong_passphrase_opens_nothing_and_overwrites_nothing(
    made: str, opened: Opened, tmp_path: Path
) -> None:
    repository = opened("wrong horse")

    with pytest.raises(AuthenticationError, match="does not open"):
        require_whole(repository, repository.manifest(made), scratch=None)
    with pytest.raises(AuthenticationError):
        bring_out(repository, repository.manifest(made), tmp_path / "out")
    with pytest.raises(AuthenticationError):
        create(Places(tmp_path / "archive"), opened("wrong horse", encrypts=True))

    assert not (tmp_path / "out").exists()
    assert [item.name for item in repository.manifests()] == [made]


def test_without_its_key_an_encrypted_backup_is_named_and_no_second_key_is_made(
    made: str, opened: Opened, tmp_path: Path
) -> None:
    (tmp_path / "backups/key.age").unlink()

    assert "key.age" in {item.where for item in strangers(opened())}
    with pytest.raises(CheckFailed, match=r"key\.age is missing"):
        verify(opened(), opened().manifest(made))
    with pytest.raises(CheckFailed, match=r"key\.age is missing"):
        create(Places(tmp_path / "archive"), opened(encrypts=True))


def test_a_key_that_is_damaged_is_told_from_a_passphrase_that_is_wrong(
    made: str, opened: Opened, tmp_path: Path
) -> None:
    key = tmp_path / "backups/key.age"
    content = bytearray(key.read_bytes())
    content[-3] ^= 1
    key.write_bytes(content)

    assert [item.where for item in strangers(opened())] == ["key.age"]
    with pytest.raises(CheckFailed, match="bits of it have changed"):
        verify(opened(), opened().manifest(made))


def test_flipped_bits_of_an_encrypted_backup_are_found(made: str, opened: Opened, tmp_path: Path) -> None:
    repository = opened()
    repository.unlock()
    for victim in sorted((tmp_path / "backups/objects").iterdir()):
        whole = victim.read_bytes()
        for place in range(0, len(whole), len(whole) // 12):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            victim.write_bytes(damaged)
            found = {item.where for item in verify(repository, repository.manifest(made))}
            assert found == {f"objects/{victim.name}"}
        victim.write_bytes(whole)
    assert verify(repository, repository.manifest(made)) == []


def test_a_manifest_that_somebody_without_the_key_has_made_is_refused(
    made: str, opened: Opened, tmp_path: Path
) -> None:
    import msgspec

    repository = opened()
    manifest = msgspec.structs.replace(repository.manifest(made), recordings=7)
    (tmp_path / "backups" / f"{made}.json").write_bytes(encode(manifest))

    (found,) = verify(repository, repository.manifest(made))

    assert (found.where, found.what) == (f"{made}.json", "it was not made with the key")


def test_a_second_encrypted_backup_adds_what_has_changed_only(
    made: str, opened: Opened, tmp_path: Path
) -> None:
    again = create(Places(tmp_path / "archive"), opened(encrypts=True))

    assert again.stored == 0


def test_a_backup_that_is_not_encrypted_stays_readable_beside_one_that_is(
    made: str, opened: Opened, tmp_path: Path
) -> None:
    bare = Repository(Folder(tmp_path / "backups"))
    plain = create(Places(tmp_path / "archive"), bare, name="plain")

    assert verify(bare, plain) == []
    assert {item.name for item in bare.manifests()} == {"plain", made}
    with pytest.raises(AuthenticationError, match="encrypted"):
        bare.entries(bare.manifest(made))
    assert list(strangers(bare)) == []


def test_the_age_program_reads_an_object_with_the_passphrase_alone(made: str, tmp_path: Path) -> None:
    import pyrage

    identity = pyrage.passphrase.decrypt((tmp_path / "backups/key.age").read_bytes(), "correct horse")
    victim = next((tmp_path / "backups/objects").iterdir())

    content = pyrage.decrypt(victim.read_bytes(), [pyrage.x25519.Identity.from_str(identity.decode())])

    (tmp_path / "object.zst").write_bytes(content)
    import zstandard

    assert zstandard.ZstdDecompressor().decompress(content)
    done = subprocess.run(["sha256sum", "-c", "key.age.sha256"], cwd=tmp_path / "backups", check=False)
    assert done.returncode == 0
