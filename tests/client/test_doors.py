"""Every login of the SDK against a server with TLS, and servers that cannot prove who they are."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pyotp
import pytest

from dsmilctl import ConfigError, DSMILClient, NetworkError, SyncDSMILClient
from dsmilctl.config.paths import Paths
from dsmilctl.server.identity.users import Users
from dsmilctl.server.serve import Listening
from dsmilctl.server.tls import Authority
from tests.certificates import archive
from tests.fixtures import home
from tests.server.doors import PASSWORD, SECRET, SERVICE_TOKEN, doors, everybody

__all__ = ["home"]


def certified(
    folder: Path, *, hosts: tuple[str, ...] = ("localhost", "127.0.0.1"), lasts: float = 30
) -> Listening:
    """A server's certificate of an authority that lies beside it as authority.pem, with ada's."""
    authority = Authority()
    certificate, key = authority.issue(folder, "server", hosts=hosts, lasts=lasts)
    ca = authority.save(folder)
    archive(authority, folder, "ada", passphrase="open sesame")
    return Listening(certificate=str(certificate), key=str(key), client_authority=str(ca))


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "authority.pem"))


async def test_a_certificate_in_a_p12_file_logs_in_over_mutual_tls(home: Paths, tmp_path: Path) -> None:
    users = _with_certificate()
    async with (
        doors(listening=certified(tmp_path), verify=trusting(tmp_path), users=users) as server,
        DSMILClient(server.url, ca_path=str(tmp_path / "authority.pem")) as client,
    ):
        result = await client.authenticate_certificate(tmp_path / "ada.p12", "open sesame")

        assert result.success, result.error
        assert (await client.whoami()).username == "ada"
        assert (await client.read_device(0x8000)).success


async def test_a_certificate_in_pem_files_logs_in_by_configuration(home: Paths, tmp_path: Path) -> None:
    listening = certified(tmp_path)
    both = tmp_path / "ada-both.pem"
    both.write_bytes((tmp_path / "ada.pem").read_bytes() + (tmp_path / "ada.key").read_bytes())
    async with (
        doors(listening=listening, verify=trusting(tmp_path), users=_with_certificate()) as server,
        DSMILClient(server.url, ca_path=str(tmp_path / "authority.pem")) as client,
    ):
        assert (await client.authenticate_certificate(both)).success


async def test_a_wrong_passphrase_and_a_file_that_is_none_are_mistakes_of_the_configuration(
    home: Paths, tmp_path: Path
) -> None:
    listening = certified(tmp_path)
    (tmp_path / "junk.p12").write_bytes(b"junk")
    async with doors(listening=listening, verify=trusting(tmp_path)) as server:
        for file, phrase in (("ada.p12", "wrong"), ("junk.p12", ""), ("absent.p12", ""), ("absent.pem", "")):
            async with DSMILClient(server.url, ca_path=str(tmp_path / "authority.pem")) as client:
                with pytest.raises(ConfigError, match=file.replace(".", "[.]")):
                    await client.authenticate_certificate(tmp_path / file, phrase)


def _with_certificate() -> Users:
    import msgspec

    known = everybody()
    known["ada"] = msgspec.structs.replace(known["ada"], certificates=("ada",))
    return Users(users=known)


async def test_a_second_factor_is_asked_for_and_then_taken(home: Paths) -> None:
    async with doors() as server, DSMILClient(server.url) as client:
        first = await client.authenticate("careful", PASSWORD)
        assert (first.success, first.requires_mfa, first.mfa_methods) == (False, True, ("totp",))

        wrong = await client.authenticate_mfa("careful", PASSWORD, "000000")
        assert (wrong.success, wrong.requires_mfa) == (False, False)

        assert (await client.authenticate_mfa("careful", PASSWORD, pyotp.TOTP(SECRET).now())).success


async def test_a_service_token_logs_in(home: Paths) -> None:
    async with doors() as server, DSMILClient(server.url) as client:
        assert (await client.authenticate_token(SERVICE_TOKEN)).success
        assert not (await client.authenticate_token("dsmil-service-wrong")).success


def _program(url: str, folder: Path) -> str:
    with SyncDSMILClient(url, ca_path=str(folder / "authority.pem")) as client:
        client.authenticate_certificate(folder / "ada.p12", "open sesame").raise_for_status()
        name: str = client.whoami().username
        return name


async def test_programs_without_an_event_loop_log_in_by_certificate(home: Paths, tmp_path: Path) -> None:
    import asyncio

    users = _with_certificate()
    async with doors(listening=certified(tmp_path), verify=trusting(tmp_path), users=users) as server:
        assert await asyncio.to_thread(_program, server.url, tmp_path) == "ada"


@pytest.mark.parametrize(
    ("certificate", "trusted", "told"),
    [
        ({}, False, "self-signed|unable to get local issuer"),
        ({"hosts": ("plant.example",)}, True, "not valid for|match"),
        ({"lasts": -1}, True, "expired"),
    ],
    ids=["of an authority that nobody knows", "for another host", "expired"],
)
async def test_a_server_that_cannot_prove_who_it_is_gets_no_password_and_is_not_asked_again(
    home: Paths, tmp_path: Path, certificate: dict[str, Any], trusted: bool, told: str
) -> None:
    listening = certified(tmp_path, **certificate)
    ca = str(tmp_path / "authority.pem") if trusted else None
    async with (
        doors(listening=listening, verify=trusting(tmp_path)) as server,
        DSMILClient(server.url, ca_path=ca) as client,
    ):
        with pytest.raises(NetworkError, match=told) as caught:
            await client.authenticate("ada", PASSWORD)

        assert "ca_path" in caught.value.hint
        assert client.get_performance_metrics().retries == 0
        assert server.gateway.access.active == 0


async def test_only_who_says_so_speaks_to_a_server_that_cannot_prove_who_it_is(
    home: Paths, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        doors(listening=certified(tmp_path, lasts=-1), verify=trusting(tmp_path)) as server,
        DSMILClient(server.url, verify_ssl=False) as client,
    ):
        assert (await client.authenticate("ada", PASSWORD)).success

    assert "is not verified" in caplog.text
