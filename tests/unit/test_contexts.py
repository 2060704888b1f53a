"""Contexts: two exist without configuration, others are written down strictly, one is in force."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsmilctl.config.contexts import (
    Context,
    DriverUse,
    add_context,
    contexts,
    current_name,
    find_context,
    previous_context,
    remove_context,
    use_context,
)
from dsmilctl.config.paths import Paths
from dsmilctl.errors import ConfigError, Conflict, NotFound, UsageError
from tests.unit.homes import throw_away_home, write


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return throw_away_home(tmp_path, monkeypatch)


def names() -> list[str]:
    return [context.name for context in contexts()]


def test_local_and_sim_exist_without_configuration(home: Paths) -> None:
    local, sim = contexts()

    assert (local.name, local.drivers, local.fleet) == ("local", (DriverUse("host"),), "local")
    assert (sim.name, sim.drivers, sim.fleet) == ("sim", (DriverUse("sim"),), "sim")
    assert local.builtin
    assert sim.builtin
    assert not local.read_only
    assert find_context() == local
    assert not home.config.exists()
    assert not home.state.exists()


def test_an_unknown_context_is_answered_with_the_nearest_one(home: Paths) -> None:
    with pytest.raises(NotFound, match="no context 'simm'") as caught:
        find_context("simm")

    assert caught.value.hint == "Did you mean sim?"
    assert caught.value.exit_status == 2


def test_the_context_in_force_is_named_then_configured_then_chosen_then_local(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        add_context(Context(name=name, drivers=(DriverUse("sim"),)))
    assert current_name() == "local"

    use_context("a")
    assert current_name() == "a"

    write(home.settings_file, "context = 'b'")
    assert current_name() == "b"

    monkeypatch.setenv("DSMIL_CONTEXT", "c")
    assert current_name() == "c"
    assert find_context().name == "c"
    assert find_context("sim").name == "sim"


def test_previous_goes_back_and_forth(home: Paths) -> None:
    with pytest.raises(NotFound, match="no context was chosen before"):
        previous_context()
    use_context("sim")
    use_context("sim")

    assert previous_context().name == "local"
    assert previous_context().name == "sim"
    assert current_name() == "sim"


def test_what_is_chosen_is_state_and_not_configuration(home: Paths) -> None:
    use_context("sim")

    assert not home.config.exists()
    assert home.current_context_file.is_file()


def test_an_unknown_context_is_not_chosen(home: Paths) -> None:
    with pytest.raises(NotFound):
        use_context("nowhere")

    assert current_name() == "local"


def test_a_choice_that_a_setting_overrules_is_refused(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home.settings_file, 'context = "sim"\n')

    with pytest.raises(Conflict) as overruled:
        use_context("local")
    assert f"{home.settings_file}:1" in overruled.value.message + overruled.value.hint
    assert use_context("sim").name == "sim", "that is in force"

    monkeypatch.setenv("DSMIL_CONTEXT", "local")
    with pytest.raises(Conflict) as overruled:
        use_context("sim")
    assert overruled.value.hint == "unset DSMIL_CONTEXT"


def test_a_torn_choice_is_an_error_and_not_silently_this_machine(home: Paths) -> None:
    use_context("sim")
    whole = home.current_context_file.read_bytes()
    home.current_context_file.write_bytes(whole[:9])

    with pytest.raises(ConfigError, match="cannot be read") as caught:
        find_context()
    assert "dsmilctl context use NAME" in caught.value.hint
    assert find_context("sim").name == "sim"

    use_context("sim")
    assert current_name() == "sim"


def test_a_context_that_was_added_is_there_with_all_it_says(home: Paths) -> None:
    drivers = (DriverUse("sim", {"devices": 10_000, "faults": ["silent:0x8001"]}), DriverUse("host"))
    added = Context(
        name="bench", drivers=drivers, read_only=True, fleet="bench", description='says "hello" äöü'
    )
    write(home.contexts_file, "# my contexts\n[contexts.old]\ndriver = 'host'")

    add_context(added)

    assert find_context("bench") == msgspec.structs.replace(
        added, target="sim (devices=10000, faults=['silent:0x8001']) + host"
    )
    assert names() == ["local", "sim", "old", "bench"]
    assert home.contexts_file.read_text().startswith("# my contexts\n[contexts.old]\ndriver = 'host'\n\n")


@pytest.mark.parametrize("name", ["local", "sim", "bench"])
def test_a_name_is_given_once(name: str, home: Paths) -> None:
    add_context(Context(name="bench", drivers=(DriverUse("sim"),)))

    with pytest.raises(UsageError, match="there is a context"):
        add_context(Context(name=name, drivers=(DriverUse("host"),)))


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", "-x", ".x", "a b", "ä", "x\n", "x" * 65, "\x1b[31m"]
)
def test_a_name_that_could_be_a_path_or_an_option_is_refused(name: str, home: Paths) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        add_context(Context(name=name, drivers=(DriverUse("sim"),)))

    assert not home.contexts_file.exists()


def test_removing_the_current_context_goes_back_to_local(home: Paths) -> None:
    add_context(Context(name="bench", drivers=(DriverUse("sim"),)))
    use_context("bench")
    use_context("sim")
    previous_context()

    remove_context("bench")

    assert current_name() == "local"
    assert names() == ["local", "sim"]
    assert previous_context().name == "sim"


def test_removing_leaves_the_other_contexts_and_their_comments(home: Paths) -> None:
    write(
        home.contexts_file,
        "# top\n[contexts.a]\ndriver = 'sim' # a\n[contexts.a.options]\nseed = 1\n"
        "# about b\n[contexts.b]\ndriver = 'host' # b\n",
    )

    remove_context("a")

    assert home.contexts_file.read_text() == "# top\n# about b\n[contexts.b]\ndriver = 'host' # b\n"


@pytest.mark.parametrize("name", ["local", "sim"])
def test_a_built_in_context_cannot_be_removed(name: str, home: Paths) -> None:
    with pytest.raises(UsageError, match="is built in"):
        remove_context(name)


def test_an_unknown_context_cannot_be_removed(home: Paths) -> None:
    with pytest.raises(NotFound):
        remove_context("nowhere")


def test_a_built_in_context_takes_options_and_read_only_and_stays_the_same_fleet(home: Paths) -> None:
    write(home.contexts_file, "[contexts.sim]\noptions = {devices = 10}\nread_only = true\n")

    sim = find_context("sim")

    assert sim.drivers == (DriverUse("sim", {"devices": 10}),)
    assert sim.read_only
    assert sim.builtin
    assert sim.fleet == "sim"
    assert names() == ["local", "sim"]


def test_contexts_over_the_same_drivers_are_one_fleet_whatever_they_are_called(home: Paths) -> None:
    write(
        home.contexts_file,
        "[contexts.here]\ndriver = 'host'\n[contexts.big]\ndriver = 'sim'\noptions = {devices = 9}\n"
        "[contexts.both]\ndrivers = ['sim', {driver = 'host', options = {root = '/x'}}]\n"
        "[contexts.apart]\ndriver = 'sim'\nfleet = 'mine'\n",
    )

    assert {context.name: context.fleet for context in contexts()} == {
        "local": "local",
        "here": "local",
        "sim": "sim",
        "big": "sim",
        "both": "host+sim",
        "apart": "mine",
    }


def test_every_error_of_the_file_comes_at_once_with_its_place(home: Paths) -> None:
    file = write(
        home.contexts_file,
        "context = 1\n[contexts]\n'a b' = {driver = 'sim'}\nnumber = 1\n"
        "[contexts.one]\ndrivr = 'sim'\n[contexts.two]\n  driver = 5\nread_only = 'yes'\n"
        "[contexts.three]\ndrivers = [{option = 1}, 7]\noptions = {}\nfleet = '../x'\n"
        "[contexts.sim]\ndriver = 'host'\n[contexts.four]\ndriver = 'a'\ndrivers = []\n",
    )

    with pytest.raises(ConfigError) as caught:
        contexts()

    said = caught.value.message.splitlines()[1:]
    assert [line.strip().removeprefix(f"{file}:") for line in said] == [
        "1:1: unknown key 'context'. Did you mean contexts?",
        "3:1: 'a b' cannot be the name of a context. letters, digits, '.', '_' and '-', at most 64",
        "4:1: context number should be a table. [contexts.number]",
        "6:1: unknown key 'drivr'. Did you mean driver?",
        '5:1: context one should have one of driver, drivers, file and url. driver = "host"',
        "8:3: driver should be text",
        "9:1: read_only should be true or false",
        "12:1: options belong to one driver. put them into the entries of drivers",
        "13:1: '../x' cannot be the name of a fleet. letters, digits, '.', '_', '-'",
        "11:13: unknown key 'option'. Did you mean options?",
        '11:12: an entry of drivers should name its driver. driver = "host"',
        '11:26: an entry of drivers should be a name or a table. drivers = ["host"]',
        "15:1: unknown key 'driver'. a built-in context takes only options and read_only",
        '16:1: context four should have one of driver, drivers, file and url. driver = "host"',
        '18:1: drivers is empty. drivers = ["host"]',
    ]


def test_a_wrong_file_does_not_stop_a_context_from_being_added_by_an_editor_only(home: Paths) -> None:
    write(home.contexts_file, "[contexts.a]\ndriver = ")

    with pytest.raises(ConfigError, match="is not TOML"):
        add_context(Context(name="b", drivers=(DriverUse("sim"),)))

    assert home.contexts_file.read_text() == "[contexts.a]\ndriver = "


def test_the_environment_has_options_for_the_simulator(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home.contexts_file, "[contexts.sim]\noptions = {seed = 3, devices = 10}\n")
    monkeypatch.setenv("DSMIL_SIM_OPTIONS", '{"devices": 12}')

    assert find_context("sim").drivers == (DriverUse("sim", {"seed": 3, "devices": 12}),)
    assert find_context("local").drivers == (DriverUse("host"),)

    monkeypatch.setenv("DSMIL_SIM_OPTIONS", "devices=12")
    with pytest.raises(ConfigError, match="DSMIL_SIM_OPTIONS is not a JSON object"):
        find_context("sim")


def test_a_secret_option_is_not_shown_in_the_target(home: Paths) -> None:
    write(home.contexts_file, "[contexts.lab]\ndriver = 'nhem'\noptions = {url = 'x', password = 'canary'}\n")

    assert find_context("lab").target == "nhem (url=x, password=***)"


VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(st.characters(blacklist_categories=["Cs"]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc. -", max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
OPTIONS = st.dictionaries(st.text("abc_", min_size=1, max_size=4), VALUES, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True).filter(
        lambda name: name not in ("local", "sim")
    ),
    drivers=st.lists(
        st.builds(DriverUse, st.sampled_from(["host", "sim", "x"]), OPTIONS), min_size=1, max_size=3
    ),
    read_only=st.booleans(),
    description=st.text(st.characters(blacklist_categories=["Cs"]), max_size=10),
)
def test_whatever_is_added_is_found_and_can_be_removed(
    name: str, drivers: list[DriverUse], read_only: bool, description: str, home: Paths
) -> None:
    added = Context(name=name, drivers=tuple(drivers), read_only=read_only, description=description)
    write(home.contexts_file, "# mine\n[contexts.local]\nread_only = true\n")

    add_context(added)

    found = find_context(name)
    assert (found.drivers, found.read_only, found.description) == (added.drivers, read_only, description)
    remove_context(name)
    assert names() == ["local", "sim"]
    assert home.contexts_file.read_text().strip() == "# mine\n[contexts.local]\nread_only = true"


PIECES = st.sampled_from(
    [
        *("[contexts.a]\n", "[contexts.sim]\n", "[[contexts.a]]\n", "[contexts]\n", "contexts = 1\n"),
        *("driver = 'sim'\n", "driver = 1\n", "drivers = ['a', {driver = 'b'}]\n", "drivers = {}\n"),
        *(
            "options = {a = 1}\n",
            "options = []\n",
            "read_only = true\n",
            "fleet = ''\n",
            "x.y.z = 1\n",
            "a = 1\n",
        ),
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(pieces=st.lists(PIECES, max_size=8))
def test_any_file_is_contexts_or_a_config_error_with_its_place(pieces: list[str], home: Paths) -> None:
    write(home.contexts_file, "".join(pieces))
    try:
        assert names()[:2] == ["local", "sim"]
    except ConfigError as error:
        assert f"{home.contexts_file}:" in error.message
