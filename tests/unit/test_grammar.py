"""Grammar: nouns, verbs and options as they are parsed, without anything being carried out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.cli import NOUNS, root_help
from dsmilctl.commands import nouns
from dsmilctl.commands.grammar import global_options, invoke, parameters
from dsmilctl.commands.runner import asks_for_json, readable
from dsmilctl.commands.usage import usage_of
from dsmilctl.errors import DSMILError, ReadOnly, UsageError

CALLS: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[nouns.Noun]:
    """A noun whose verbs note how they were called, in the place of `system`."""
    noun = nouns.Noun("system")

    @noun.command("write", impact="write")
    def write(
        device: Annotated[str, typer.Argument(metavar="DEV", help="a device")],
        value: Annotated[str, typer.Argument(metavar="VALUE", help="a value")] = "",
        rest: Annotated[list[str] | None, typer.Argument(metavar="[MORE]...", help="more")] = None,
        watch: Annotated[str, typer.Option("--watch", metavar="[S]", help="again")] = "",
        *,
        count: Annotated[int, typer.Option(metavar="N", min=1, help="times")] = 3,
        verify: Annotated[bool, typer.Option("--verify/--no-verify", help="read back")] = True,
    ) -> None:
        """Write a value.

        More words.

        Example: dsmilctl system write 0x8000 5
        """
        CALLS.append({"device": device, "value": value, "rest": rest, "watch": watch})
        CALLS[-1] |= {"count": count, "verify": verify}

    @noun.command("stop", impact="danger", never_refused=True)
    def stop() -> None:
        """Stop."""
        CALLS.append({})

    monkeypatch.setattr("dsmilctl.commands.grammar.noun", lambda name: noun)
    CALLS.clear()
    yield noun


def called(*arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """How the verb was called by a line, and the global options that were given."""
    given: dict[str, Any] = {}
    assert invoke(["system", *arguments], given) == 0
    return CALLS[-1], given


def test_arguments_and_options_come_in_any_order() -> None:
    first, _ = called("write", "0x8000", "5", "--count", "2", "--no-verify")
    second, _ = called("write", "--no-verify", "--count=2", "0x8000", "5")

    assert first == second
    assert (first["value"], first["count"], first["verify"]) == ("5", 2, False)


@pytest.mark.parametrize("number", ["-5", "-0x10", "-1.5", "-.5", "-5e3"])
def test_a_negative_number_is_a_value_and_no_option(number: str) -> None:
    call, _ = called("write", "0x8000", number)

    assert call["value"] == number


def test_behind_two_dashes_everything_is_an_argument() -> None:
    call, given = called("write", "-o", "json", "--", "0x8000", "--count", "-o")

    assert (call["value"], call["rest"]) == ("--count", ["-o"])
    assert given == {"output": "json", "harmless": False}


@pytest.mark.parametrize(
    ("words", "pause", "value"),
    [
        (["--watch", "2", "5"], "2", "5"),
        (["--watch", "500ms", "5"], "500ms", "5"),
        (["--watch=0.5", "5"], "0.5", "5"),
        (["5", "--watch"], "1", "5"),
        (["--watch", "TEMP"], "1", "TEMP"),
        (["--watch", "-o", "json"], "1", ""),
    ],
)
def test_watch_may_go_without_its_seconds(words: list[str], pause: str, value: str) -> None:
    call, _ = called("write", "0x8000", *words)

    assert (call["watch"], call["value"]) == (pause, value)


def test_global_options_stand_on_either_side_and_the_later_one_wins() -> None:
    given: dict[str, Any] = {}
    line = [
        "-C",
        "local",
        "-v",
        "--timeout",
        "1",
        "system",
        "-v",
        "write",
        "0x8000",
        "-C",
        "sim",
        "-vv",
        "--retry",
        "0",
    ]

    assert invoke(line, given) == 0

    assert given == {"context": "sim", "verbose": 4, "timeout": 1.0, "retry": 0, "harmless": False}


def test_an_option_of_a_verb_hides_the_global_one_of_the_same_name() -> None:
    stop = nouns.noun("emergency").verbs["stop"]

    own = {name for parameter in parameters(stop) for name in parameter.opts}
    everywhere = {name for option in global_options() for name in option.opts}

    assert "--deadline" in own & everywhere


def test_read_only_refuses_what_changes_something_and_never_a_stop() -> None:
    with pytest.raises(ReadOnly, match="dsmilctl system write changes something"):
        invoke(["--read-only", "system", "write", "0x8000"], {})
    assert CALLS == []

    called("stop", "--read-only")
    assert CALLS == [{}]


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("system wriet", "system has no verb 'wriet'", "Did you mean write?"),
        ("sytsem write", "no noun 'sytsem'", "Did you mean system?"),
        ("system write", "DEV is missing", "dsmilctl system write DEV [VALUE] [MORE]... [OPTIONS]"),
        ("system write 0x8000 --cuont 3", "no option --cuont", "Did you mean --count?"),
        ("system write 0x8000 --count 0", "--count: 0 is less than 1", "dsmilctl system write --help"),
        (
            "system write 0x8000 --count x",
            "--count: 'x' is not a whole number",
            "dsmilctl system write --help",
        ),
        ("system stop now", "too many arguments: now", "dsmilctl system stop --help"),
        ("-o", "-o needs a value", "dsmilctl --help"),
        ("system -v", "a verb is missing", "verbs of system: write, stop"),
    ],
)
def test_a_wrong_line_is_refused_in_plain_words(line: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        invoke(line.split(), {})

    assert (refused.value.message, refused.value.hint) == (message, hint)
    assert CALLS == []


@given(st.lists(st.text(max_size=12), max_size=6))
def test_no_line_ends_in_anything_but_a_call_or_an_error_of_ours(words: list[str]) -> None:
    try:
        invoke(["system", "write", *words], {})
    except DSMILError as error:
        assert error.message


def test_a_usage_shows_what_may_be_left_out_and_what_may_come_again(probe: nouns.Noun) -> None:
    verb = probe.verbs["write"]

    assert usage_of(verb, parameters(verb)) == "DEV [VALUE] [MORE]... [OPTIONS]"
    assert verb.summary == "Write a value"
    assert verb.text == "Write a value.\n\nMore words."
    assert verb.examples == ["dsmilctl system write 0x8000 5"]


def test_help_and_version_are_answered_wherever_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    for line, begin in (
        ("system write --help", "Usage: dsmilctl system write DEV"),
        ("system write 0x8000 --count 0 -h", "Usage: dsmilctl system write DEV"),
        ("system --help", "Usage: dsmilctl system VERB"),
        ("system", "Usage: dsmilctl system VERB"),
        ("-C sim --help", root_help()[:40]),
        ("-C sim --version", "dsmilctl "),
    ):
        assert invoke(line.split(), {}) == 0
        assert capsys.readouterr().out.startswith(begin), line
    assert CALLS == []


def test_every_noun_has_a_module_and_a_line_in_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    found = list(nouns.nouns())

    assert [noun.name for noun in found] == list(NOUNS)
    assert all(noun.verbs for noun in found)
    assert all(f"\n  {name} " in root_help() for name in NOUNS)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("device list -o json", True),
        ("device list -ojson", True),
        ("device list --json", True),
        ("device list --output-format=ndjson", True),
        ("device list --jq .data", True),
        ("device list --jq=.data", True),
        ("device list -o table", False),
        ("device list -o", False),
        ("device list", False),
        ("", False),
    ],
)
def test_whether_a_line_asks_for_json_is_known_before_it_is_parsed(line: str, asked: bool) -> None:
    assert asks_for_json(line.split()) is asked


def test_an_argument_is_text_whatever_the_locale_made_of_it() -> None:
    ascii_locale = "Lüfter".encode().decode("ascii", "surrogateescape")

    assert readable(ascii_locale) == "Lüfter"
    assert readable(b"\xff!".decode("utf-8", "surrogateescape")) == "\\xff!"
    assert readable("plain") == "plain"


def test_an_option_that_a_verb_needs_stands_in_its_usage_and_is_marked(
    capsys: pytest.CaptureFixture[str], probe: nouns.Noun
) -> None:
    @probe.command("add", impact="write")
    def add(
        name: Annotated[str, typer.Argument(metavar="NAME", help="a name")],
        driver: Annotated[str, typer.Option(metavar="DRIVER", help="a driver")],
        hidden: Annotated[str, typer.Option(metavar="X", hidden=True, help="of no use")] = "",
    ) -> None:
        """Add a thing."""

    assert invoke(["system", "add", "--help"], {}) == 0

    page = capsys.readouterr().out
    assert page.startswith("Usage: dsmilctl system add NAME --driver DRIVER [OPTIONS]\n")
    assert "a driver (needed)\n" in page
    assert "--hidden" not in page
