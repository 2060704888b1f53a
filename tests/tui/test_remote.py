"""The dashboard on a server: who one is, what is lost, what others ask for, and the stop key."""

from __future__ import annotations

import pyotp
import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from dsmilctl.client.interface import Client
from dsmilctl.model.approval import ApprovalStatus
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.selector import parse_selector
from dsmilctl.tui.link import LinkState
from dsmilctl.tui.screens.approvals import ApprovalsPage
from dsmilctl.tui.screens.change import ChangeDialog
from dsmilctl.tui.screens.confirm import ConfirmDialog
from dsmilctl.tui.screens.decision import DecisionDialog
from dsmilctl.tui.screens.emergency import EmergencyPage
from dsmilctl.tui.screens.fleet import FleetPage
from dsmilctl.tui.screens.login import LoginDialog
from dsmilctl.tui.screens.release import ReleaseDialog
from dsmilctl.tui.screens.sessions import SessionsPage
from dsmilctl.tui.stop import Phase
from dsmilctl.tui.widgets.approvals import ApprovalTable
from dsmilctl.tui.widgets.sessions import SessionTable
from tests.fixtures import home
from tests.tui.dashboard import app_of, line_with, live, screen_of, type_text, until
from tests.tui.fake_server import ServerWorld, server_app
from tests.tui.server import PASSWORDS, fill_in, is_live, log_in, person, plant, remote_dashboard

__all__ = ["home"]
pytestmark = pytest.mark.usefixtures("home")
WHY = "a new setpoint for the night shift"


async def test_a_server_that_does_not_know_one_asks_for_a_login() -> None:
    async with plant(), remote_dashboard() as pilot:
        assert "✕ not logged in" in screen_of(pilot)

        await log_in(pilot, "operator")

        assert "as operator" in line_with(pilot, "plant")
        assert "0x8030" in screen_of(pilot)


async def test_a_wrong_password_is_said_in_its_place_and_nothing_ends() -> None:
    async with plant(), remote_dashboard() as pilot:
        await type_text(pilot, "operator")
        await pilot.press("enter")
        await type_text(pilot, "wrong horse")
        assert "wrong horse" not in screen_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "AUTHENTICATION_FAILED" in screen_of(pilot))

        assert isinstance(pilot.app.screen, LoginDialog)
        assert "wrong horse" not in screen_of(pilot)
        assert pilot.app.screen.part(Input, "login-password").value == ""
        await log_in(pilot, "operator")


async def test_a_login_that_is_put_off_can_be_asked_for_again() -> None:
    async with plant() as far, remote_dashboard() as pilot:
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, FleetPage))
        await until(pilot, lambda: "NOT LOGGED IN" in screen_of(pilot))
        asked = len(far.requests)
        await pilot.pause(0.5)
        assert len(far.requests) == asked, "nobody knocks at a server that does not know who asks"

        await pilot.press("L")
        await until(pilot, lambda: isinstance(pilot.app.screen, LoginDialog))
        await log_in(pilot, "operator")


async def test_a_second_factor_is_asked_for_when_the_account_has_one() -> None:
    async with plant() as far:
        secret = pyotp.random_base32()
        far.gateway.access.users.change("supervisor", totp=secret)
        async with remote_dashboard() as pilot:
            await fill_in(pilot, "supervisor", PASSWORDS["supervisor"])
            await until(pilot, lambda: "second factor" in screen_of(pilot))

            await type_text(pilot, pyotp.TOTP(secret).now())
            await pilot.press("enter")

            await until(pilot, lambda: is_live(pilot, "supervisor"))


async def test_one_can_go_on_as_somebody_else() -> None:
    async with plant(), remote_dashboard(user="operator") as pilot:
        await pilot.press("L")
        await until(pilot, lambda: isinstance(pilot.app.screen, LoginDialog))

        await log_in(pilot, "admin")

        assert "as admin" in line_with(pilot, "plant")


async def test_a_lost_server_is_said_with_a_countdown_and_the_age_of_what_is_shown() -> None:
    async with plant() as far, remote_dashboard(user="operator") as pilot:
        port = int(far.url.rpartition(":")[2])
        await far.stop()
        await until(pilot, lambda: "lost, again in" in screen_of(pilot))
        await until(pilot, lambda: "SERVER LOST" in screen_of(pilot) and " old" in screen_of(pilot))
        assert "0x8030" in screen_of(pilot), "what was known last is still there"

        await far.start_server(port)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(pilot.app.screen, LoginDialog))
        await log_in(pilot, "operator")

        assert "SERVER LOST" not in screen_of(pilot)


async def test_a_server_that_hangs_is_said_to_be_silent() -> None:
    world = ServerWorld()
    async with server_app(world).run_test(size=(120, 30)) as pilot:
        await live(pilot)
        world.hushed = True
        world.clock.elapsed += 8

        await until(pilot, lambda: "SERVER SILENT: nothing was heard for 8.0 s" in screen_of(pilot))


async def test_other_sessions_are_listed_and_ended() -> None:
    async with plant() as far, person(far, "operator") as other, remote_dashboard(user="operator") as pilot:
        await other.whoami()
        await pilot.press("I")
        await until(pilot, lambda: isinstance(pilot.app.screen, SessionsPage))
        page = pilot.app.screen
        assert isinstance(page, SessionsPage)
        table = page.part(SessionTable)
        await until(pilot, lambda: len(table.sessions) == 2)

        table.cursor = next(place for place, item in enumerate(table.sessions) if not item.current)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        pilot.app.screen.query_one("#go", Button).press()

        await until(pilot, lambda: len(table.sessions) == 1)
        assert table.sessions[0].current


async def test_ending_ones_own_session_asks_for_a_login() -> None:
    async with plant(), remote_dashboard(user="operator") as pilot:
        await pilot.press("I")
        await until(pilot, lambda: "here" in screen_of(pilot))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        pilot.app.screen.query_one("#go", Button).press()

        await until(pilot, lambda: isinstance(pilot.app.screen, LoginDialog))
        await log_in(pilot, "operator")


async def test_a_second_person_sees_the_digest_and_approves() -> None:
    async with plant(approvals=True) as far, person(far, "admin") as asker:
        asked = await asker.request_approval(critical_write(), justification=WHY)
        async with remote_dashboard(user="supervisor") as pilot:
            dialog = await open_decision(pilot)
            shown = screen_of(pilot)
            assert "WRITE CONFIG = 5 on 0x8000" in shown
            assert asked.digest in shown
            assert WHY in shown
            assert dialog.focused is dialog.part(Input, "decision-why")

            await type_text(pilot, "seen and agreed to")
            dialog.part(Button, "approve").press()
            await until(pilot, lambda: isinstance(pilot.app.screen, ApprovalsPage))

        (kept,) = await asker.approvals()
        assert (kept.status, kept.decided_by) == (ApprovalStatus.APPROVED, "supervisor")
        assert kept.decision_justification == "seen and agreed to"


async def test_a_second_person_rejects() -> None:
    async with plant(approvals=True) as far, person(far, "admin") as asker:
        await asker.request_approval(critical_write(), justification=WHY)
        async with remote_dashboard(user="supervisor") as pilot:
            dialog = await open_decision(pilot)
            dialog.part(Input, "decision-why").value = "not tonight, the line runs"
            dialog.part(Button, "reject").press()
            await until(pilot, lambda: "✕ rejected" in screen_of(pilot))

        assert [item.status for item in await asker.approvals()] == [ApprovalStatus.REJECTED]


async def test_whoever_asked_cannot_approve_and_is_told_so_in_the_dialog() -> None:
    async with plant(approvals=True) as far, person(far, "admin") as asker:
        await asker.request_approval(critical_write(), justification=WHY)
        async with remote_dashboard(user="admin") as pilot:
            dialog = await open_decision(pilot)
            dialog.part(Input, "decision-why").value = "I agree with myself"
            dialog.part(Button, "approve").press()
            await until(pilot, lambda: "PERMISSION_DENIED" in screen_of(pilot))

            assert pilot.app.screen is dialog
        assert [item.status for item in await asker.approvals()] == [ApprovalStatus.PENDING]


async def test_a_write_that_needs_a_second_person_is_asked_for_and_done_once_approved() -> None:
    async with plant(approvals=True) as far, person(far, "supervisor") as second:
        async with remote_dashboard(user="admin", size=(120, 40)) as pilot:
            dialog = await open_write(pilot)
            await until(pilot, lambda: "APPROVAL_REQUIRED" in screen_of(pilot))
            dialog.part(Button, "ask-second").press()
            await until(pilot, lambda: isinstance(pilot.app.screen, FleetPage))
            (asked,) = await second.approvals("PENDING")
            await second.decide_approval(asked.approval_id, approve=True, justification="seen and agreed to")

            dialog = await open_write(pilot)
            await until(pilot, lambda: not dialog.part(Button, "go").disabled)
            dialog.part(Button, "go").press()
            await until(pilot, lambda: isinstance(pilot.app.screen, FleetPage))

        (reading,) = await far.gateway.client.read(
            await far.gateway.client.devices(parse_selector("0x8000")), ["CONFIG"]
        )
        assert reading.value == 5
        assert [item.status for item in await second.approvals()] == [ApprovalStatus.USED]


async def test_a_release_that_needs_a_second_person_is_asked_for_and_done_once_approved() -> None:
    policy = "version: 1\napprove_release: true\n"
    async with plant(policy, approvals=True) as far, person(far, "supervisor") as second:
        await far.gateway.client.stop(reason="smoke")
        async with remote_dashboard(user="admin", size=(120, 40)) as pilot:
            dialog = await open_release(pilot)
            await until(pilot, lambda: "APPROVAL_REQUIRED" in screen_of(pilot))
            dialog.part(Button, "ask-second").press()
            await until(pilot, lambda: not isinstance(pilot.app.screen, ReleaseDialog))
            (asked,) = await second.approvals("PENDING")
            await second.decide_approval(asked.approval_id, approve=True, justification="the smoke is gone")

            await pilot.press("escape")
            await open_release(pilot)
            await until(pilot, lambda: "Nothing is stopped" in screen_of(pilot))

        assert await far.gateway.client.stops() == []


async def test_a_read_only_session_decides_nothing() -> None:
    async with plant(approvals=True) as far, person(far, "admin") as asker:
        await asker.request_approval(critical_write(), justification=WHY)
        async with remote_dashboard(user="supervisor", read_only=True) as pilot:
            dialog = await open_decision(pilot)
            dialog.part(Input, "decision-why").value = "seen and agreed to"
            dialog.part(Button, "approve").press()
            await until(pilot, lambda: "read-only: nothing is approved" in screen_of(pilot))
        assert [item.status for item in await asker.approvals()] == [ApprovalStatus.PENDING]


async def test_the_stop_key_stops_what_is_behind_the_server() -> None:
    async with plant() as far, remote_dashboard(user="operator") as pilot:
        await pilot.press("ctrl+x")
        await until(pilot, lambda: ended(pilot) is Phase.ENDED)

        (stop,) = await far.gateway.client.stops()
        assert "stop key of the dashboard" in stop.reason
        await until(pilot, lambda: "all confirmed" in screen_of(pilot))


async def test_the_stop_key_works_over_the_login_and_says_that_nothing_was_stopped() -> None:
    async with plant() as far, remote_dashboard() as pilot:
        await pilot.press("ctrl+x")
        await until(pilot, lambda: ended(pilot) is Phase.BROKEN)

        await until(pilot, lambda: "NOTHING WAS STOPPED, log in with L" in screen_of(pilot))
        assert await far.gateway.client.stops() == []


async def test_a_stop_that_no_server_hears_says_that_nothing_is_confirmed() -> None:
    async with plant() as far, remote_dashboard(user="operator") as pilot:
        await far.stop()
        await pilot.press("ctrl+x")
        await until(pilot, lambda: ended(pilot) is Phase.BROKEN)

        await until(pilot, lambda: "NOTHING IS CONFIRMED, stop the devices by hand" in screen_of(pilot))


async def test_a_stop_that_was_in_force_before_is_not_taken_for_one_that_no_server_hears() -> None:
    async with plant() as far, remote_dashboard(user="operator") as pilot:
        stop = await far.gateway.client.stop(reason="smoke")
        await until(pilot, lambda: "stopped by" in screen_of(pilot))
        await far.stop()
        await pilot.press("ctrl+x")
        await until(pilot, lambda: ended(pilot) is Phase.BROKEN)
        await pilot.press("E")

        await until(pilot, lambda: f"In force already: {stop.stop_id}" in screen_of(pilot))
        assert "NOTHING IS CONFIRMED" in screen_of(pilot)
        assert "latched" not in screen_of(pilot)


async def test_on_this_machine_nobody_logs_in() -> None:
    from dsmilctl.client.connecting import connect
    from dsmilctl.tui.app import DashboardApp

    def open_client(name: str) -> Client:
        return connect(name)

    app = DashboardApp(open_client, "sim", refresh=0.1)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: app.snapshot.link is LinkState.LIVE)
        await pilot.press("L")
        await until(pilot, lambda: any("nobody logs in here" in item.message for item in app._notifications))
        await pilot.press("I")
        await until(pilot, lambda: "is on this machine: nobody logs in there" in screen_of(pilot))
        await pilot.press("A")
        await until(pilot, lambda: "knows one person" in screen_of(pilot))


def ended(pilot: Pilot[int]) -> Phase | None:
    """How far the stop that was pulled here has got."""
    progress = app_of(pilot).progress
    return progress.phase if progress else None


async def open_decision(pilot: Pilot[int]) -> DecisionDialog:
    """The dialog of the only approval."""
    await pilot.press("A")
    await until(pilot, lambda: isinstance(pilot.app.screen, ApprovalsPage))
    page = pilot.app.screen
    assert isinstance(page, ApprovalsPage)
    await until(pilot, lambda: bool(page.part(ApprovalTable).approvals))
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, DecisionDialog))
    dialog = pilot.app.screen
    assert isinstance(dialog, DecisionDialog)
    return dialog


async def open_write(pilot: Pilot[int]) -> ChangeDialog:
    """The dialog of the same write, filled in, with its dry run begun."""
    await pilot.press("a", "home", "w")
    await until(pilot, lambda: isinstance(pilot.app.screen, ChangeDialog))
    dialog = pilot.app.screen
    assert isinstance(dialog, ChangeDialog)
    for name, text in (("register", "CONFIG"), ("value", "5"), ("why", WHY)):
        dialog.part(Input, name).value = text
    await pilot.pause()
    dialog.part(Button, "plan-button").press()
    return dialog


async def open_release(pilot: Pilot[int]) -> ReleaseDialog:
    """The dialog of the release, filled in and pressed."""
    await until(pilot, lambda: bool(app_of(pilot).snapshot.stops))
    await pilot.press("E")
    await until(pilot, lambda: isinstance(pilot.app.screen, EmergencyPage))
    await pilot.press("r")
    await until(pilot, lambda: isinstance(pilot.app.screen, ReleaseDialog))
    dialog = pilot.app.screen
    assert isinstance(dialog, ReleaseDialog)
    dialog.part(Input, "release-name").value = "plant"
    dialog.part(Input, "release-why").value = "the smoke is gone"
    dialog.part(Button, "release").press()
    return dialog


def critical_write() -> Request:
    """A write that needs a second person."""
    return Request(device_id=0x8000, type=OperationType.WRITE, register="CONFIG", value=5, justification=WHY)
