"""Contexts of servers and of fleet files: written strictly, opened lazily, and what they may not say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.client.connecting import connect
from dsmilctl.config.contexts import Context, DriverUse, Server, add_context, contexts, find_context
from dsmilctl.config.contexts_url import wrong_url
from dsmilctl.config.paths import Paths
from dsmilctl.errors import ConfigError
from tests.fixtures import home
from tests.unit.homes import write

__all__ = ["home"]


def test_the_context_of_a_server_comes_back_as_it_was_written(home: Paths) -> None:
    server = Server(url="https://plant.example:8443", ca="/ca.pem", certificate="/ada.pem", insecure=True)
    add_context(Context(name="plant", kind="remote", server=server, read_only=True))

    found = find_context("plant")

    assert (found.kind, found.server, found.read_only) == ("remote", server, True)
    assert found.target == "https://plant.example:8443"
    assert "insecure = true" in home.contexts_file.read_text()


def test_a_server_needs_no_more_than_its_address(home: Paths) -> None:
    add_context(Context(name="plant", kind="remote", server=Server(url="https://plant.example")))

    assert home.contexts_file.read_text() == '[contexts.plant]\nurl = "https://plant.example"\n'
    assert find_context("plant").server == Server(url="https://plant.example")


async def test_the_context_of_a_fleet_file_has_the_devices_of_the_file(home: Paths) -> None:
    file = write(home.config / "hall.yaml", "version: 2\ndevices:\n  - {id: a, driver: sim}\n")
    add_context(Context(name="hall", file=str(file)))

    async with connect("hall") as client:
        devices = await client.devices()

    assert (client.context.name, client.context.kind, client.context.target) == ("hall", "local", str(file))
    assert len(devices) == 79
    assert find_context("hall").drivers == ()


async def test_a_fleet_file_may_forbid_changes_whatever_the_context_says(home: Paths) -> None:
    text = "version: 2\nread_only: true\ndevices:\n  - {id: a, driver: sim}\n"
    file = write(home.config / "hall.yaml", text)
    add_context(Context(name="hall", file=str(file)))

    assert connect("hall").context.read_only


def test_a_fleet_file_that_is_gone_is_named(home: Paths) -> None:
    write(home.contexts_file, "[contexts.hall]\nfile = '/nowhere/hall.yaml'\n")

    assert [context.name for context in contexts()] == ["local", "sim", "hall"]
    with pytest.raises(ConfigError, match="/nowhere/hall"):
        connect("hall")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "should have one of driver, drivers, file and url"),
        ("url = 'https://a'\ndriver = 'sim'", "should have one of driver, drivers, file and url"),
        ("url = 'https://a'\nfile = 'b'", "should have one of driver, drivers, file and url"),
        ("driver = 'sim'\nca = 'x'", "ca belongs to the context of a server"),
        ("driver = 'sim'\ninsecure = true", "insecure belongs to the context of a server"),
        ("url = 'plant.example'", "is no address of a server"),
        ("url = 'ftp://plant.example'", "is no address of a server"),
        ("url = 'https://'", "is no address of a server"),
        ("url = 'https://a b'", "is no address"),
        ("url = 'https://a:99999'", "is no address"),
        ("url = 'https://a?x=1'", "is more than the address of a server"),
        ("url = 'https://ada:hush@a'", "credentials do not belong into an address"),
        ("url = 'ftp://ada:hush@a'", "is no address of a server"),
        ("url = 'http://plant.example'", "would send passwords in clear"),
        ("url = 5", "url should be text"),
        ("url = 'https://a'\npassword = 'x'", "unknown key 'password'"),
    ],
)
def test_what_a_context_may_not_say_is_told_with_its_place(home: Paths, body: str, told: str) -> None:
    write(home.contexts_file, f"[contexts.plant]\n{body}\n")

    with pytest.raises(ConfigError) as caught:
        contexts()

    assert told in caught.value.message
    assert f"{home.contexts_file}:" in caught.value.message
    assert "hush" not in caught.value.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:8899", "http://localhost:8899", "http://[::1]:8899"])
def test_this_machine_may_be_asked_without_tls(url: str) -> None:
    assert wrong_url(url, insecure=False) is None


def test_the_network_may_be_crossed_without_tls_by_who_says_so() -> None:
    assert wrong_url("http://plant.example", insecure=False) is not None
    assert wrong_url("http://plant.example", insecure=True) is None


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_is_told_what_is_wrong_with_it(text: str) -> None:
    found = wrong_url(text, insecure=True)

    assert found is None or all(found)


def test_drivers_are_still_written_as_before(home: Paths) -> None:
    add_context(Context(name="big", drivers=(DriverUse("sim", {"devices": 5}),), fleet="sim"))

    assert "url" not in home.contexts_file.read_text()
    assert find_context("big").drivers == (DriverUse("sim", {"devices": 5}),)
