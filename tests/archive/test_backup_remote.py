"""Remote: backups in a bucket of S3 and behind SFTP, each with a real server on this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from dsmilctl.archive.backup.creating import create
from dsmilctl.archive.backup.keeping import Policy
from dsmilctl.archive.backup.pruning import prune
from dsmilctl.archive.backup.remote import Remote
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.backup.restoring import bring_out
from dsmilctl.archive.backup.verifying import strangers, verify
from dsmilctl.archive.places import Places
from dsmilctl.errors import AuthenticationError, ConfigError, Conflict, MissingExtraError, NetworkError
from tests.archive.sftp_server import serving_sftp
from tests.archive.stand import recorded, some_readings, table
from tests.commands.shell import Shell


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The URL of a bucket; its server is moto's."""
    import boto3

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "ada")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "engine")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="vault")
        yield "s3://vault/dsmilctl"
    server.stop()


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an SFTP server whose key is a known one."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("served")
    with serving_sftp(home, folder) as port, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.delenv("SSH_AUTH_SOCK", raising=False)
        yield port


@pytest.fixture(params=["s3", "sftp"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where backups go: another place for every test."""
    if request.param == "s3":
        return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
    return f"sftp://ada:engine@127.0.0.1:{request.getfixturevalue('ssh')}/{tmp_path.name}"


@pytest.fixture
def far(url: str) -> Iterator[Repository]:
    """The backups there, over a connection of their own."""
    remote = Remote(url)
    yield Repository(remote)
    remote.close()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return recorded(tmp_path / "archive", some_readings(30_000))[0]


def test_a_backup_over_the_network_is_verified_listed_and_comes_back(
    url: str, far: Repository, places: Places, tmp_path: Path
) -> None:
    repository = far
    assert repository.manifests() == []

    made = create(places, repository, name="far")

    again = Repository(remote := Remote(url))
    assert [item.name for item in again.manifests()] == ["far"]
    assert verify(again, again.manifest("far")) == []
    assert again.was_verified(made) is not None
    bring_out(again, made, tmp_path / "out")
    assert table(Places(tmp_path / "out/archive")).equals(table(places))
    assert list(strangers(again)) == []
    remote.close()


def test_a_second_one_sends_what_has_changed_only_and_old_ones_go(far: Repository, places: Places) -> None:
    repository = far
    first = create(places, repository, name="one")
    with pytest.raises(Conflict):
        create(places, repository, name="one")
    assert create(places, repository, name="two").stored == 0
    recorded(places.folder, some_readings(100, first=30_000), name="more")

    third = create(places, repository, name="three")
    assert 0 < third.stored < first.stored
    assert verify(repository, third) == []
    done = prune(repository, Policy(last=1))

    assert [item.name for item in repository.manifests()] == ["three"]
    assert done.objects > 0
    assert verify(repository, repository.manifest("three")) == []


def test_a_file_that_is_damaged_or_missing_far_away_is_named(far: Repository, places: Places) -> None:
    repository = far
    made = create(places, repository)
    one, other = sorted(made.needs)[:2]
    content = bytearray(repository.target.read(f"objects/{one}"))
    content[9] ^= 2
    repository.target.write(f"objects/{one}", bytes(content))
    repository.target.remove(f"objects/{other}")

    found = {item.where: item.what for item in verify(repository, made)}

    assert set(found) == {f"objects/{one}", f"objects/{other}"}
    assert "missing" in found[f"objects/{other}"]


def test_a_server_whose_key_is_not_known_is_not_spoken_to(
    ssh: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(AuthenticationError, match="known_hosts"):
        Remote(f"sftp://ada:engine@127.0.0.1:{ssh}/x")


def test_a_wrong_password_is_told_without_saying_it(ssh: int) -> None:
    with pytest.raises(AuthenticationError) as told:
        Remote(f"sftp://ada:lovelace@127.0.0.1:{ssh}/x")

    assert "lovelace" not in f"{told.value} {told.value.hint} {told.value.target}"


def unused(_: object = None) -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("make", [lambda: f"sftp://ada@127.0.0.1:{unused()}/x", lambda: "s3://vault/x"])
def test_where_nobody_answers_the_network_is_named(
    make: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused()}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ada")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "engine")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    with pytest.raises(NetworkError):
        Remote(make()).names()


def test_a_scheme_that_there_is_not_is_a_mistake_in_the_command() -> None:
    with pytest.raises(ConfigError, match="gopher"):
        Remote("gopher://vault/x")


def test_the_command_backs_up_lists_verifies_and_brings_out_over_the_network(
    url: str, places: Places, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, {name: os.environ[name] for name in os.environ if name.startswith("AWS_")})
    shell.environment["HOME"] = os.environ["HOME"]

    made = shell(f"dsmilctl backup create --archive archive --name far --to {url} -o json")

    assert (made.exit, made.data["rows"]) == (0, 30_000)
    assert made.data["verified"] is not None
    assert [row["name"] for row in shell(f"dsmilctl backup list --at {url} -o json").data] == ["far"]
    assert shell(f"dsmilctl backup verify far --at {url}").exit == 0
    assert shell(f"dsmilctl backup restore far --at {url} --to out").exit == 0
    assert table(Places(tmp_path / "out/archive")).num_rows == 30_000


def test_without_its_package_a_place_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "dsmilctl.archive.backup.remote.find_spec", lambda name: None if name == "s3fs" else find_spec(name)
    )

    with pytest.raises(MissingExtraError, match="s3fs") as told:
        Remote("s3://vault/x")

    assert "dsmilctl[backup]" in told.value.hint
