"""Replay: a recording played again, as fast as one likes, from wherever one likes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from dsmilctl.archive.extra import require_archive
from dsmilctl.archive.playhead import Playhead
from dsmilctl.archive.recording import Recording
from dsmilctl.client.interface import Client
from dsmilctl.client.opening import local_identity
from dsmilctl.clock import rfc3339
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import DeviceId, show_id
from dsmilctl.model.reading import Batch, Quality, Reading
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import Refusal
from dsmilctl.tui.recordings import archive_places
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.replay import ReplayTable, bar_text

LOOK = 0.1
"""Seconds between two pictures."""

STEPS = 20
"""Steps from one end of a recording to the other."""

SLOWEST, FASTEST = 1 / 16, 4096.0
BESIDE = 52
"""Cells beside the bar: two moments and the position."""


class ReplayPage(Page):
    """The screen of one recording that is played."""

    NAME = "replay"
    INITIAL = "replay"
    BINDINGS: ClassVar[list[BindingType]] = [
        Command("space", "play_pause", "play, pause", summary="Play, or stand still"),
        Command("comma", "step(-1)", "back", summary="Back by a twentieth of the recording"),
        Command("full_stop", "step(1)", "on", summary="On by a twentieth of the recording"),
        Command("plus,equals_sign", "faster(1)", "faster", summary="Twice as fast"),
        Command("minus", "faster(-1)", "slower", summary="Half as fast"),
        Command("0", "rewind", "start", summary="From the start again"),
        Command("escape", "leave", "back", summary="Back"),
    ]

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording
        self.playhead: Playhead | None = None
        self._client: Client | None = None
        self._known: dict[tuple[DeviceId, str], Reading] = {}

    def body(self) -> Iterable[Widget]:
        """What it is, where it stands, the values there."""
        yield Line(id="replay-title")
        yield Line(id="replay-bar")
        yield ReplayTable(id="replay")

    def begin(self) -> None:
        """Open the recording and begin to play."""
        super().begin()
        self.part(Line, "replay-title").show([Part(" ◐ opening …", "dim")])
        self.run_worker(self._play(), group="replay", exit_on_error=False)
        self.set_interval(LOOK, self._show_state)

    async def _play(self) -> None:
        try:
            require_archive()
            from dsmilctl.archive.replay import ReplayClient

            wanted = self.recording.recording_id
            async with ReplayClient(archive_places(), wanted, local_identity(), stay=True) as client:
                self._client, self.playhead = client, client.playhead
                await self._follow(client)
        except DSMILError as error:
            self.post_message(Refusal(error))

    async def _follow(self, client: Client) -> None:
        devices = await client.devices()
        for device in devices:
            for register in device.registers:
                nothing = Reading(
                    device.device_id,
                    register.name,
                    None,
                    self.recording.started,
                    register.unit,
                    Quality.STALE,
                )
                self._known[device.device_id, register.name] = nothing
        async with aclosing(client.stream(devices, interval=LOOK)) as played:
            async for item in played:
                if isinstance(item, Batch):
                    self._keep(item.readings)

    def _keep(self, readings: Iterable[Reading]) -> None:
        for reading in readings:
            self._known[reading.device_id, reading.register] = reading

    def _show_state(self) -> None:
        playhead = self.playhead
        if playhead is None or not self.is_current:
            return
        known = sorted(self._known.values(), key=lambda item: (show_id(item.device_id), item.register))
        self.part(ReplayTable).take(known)
        sign, word = ("▶", "playing") if playhead.playing else ("▮▮", "paused")
        if not playhead.playing and playhead.position >= playhead.last:
            sign, word = "■", "at the end"
        self.part(Line, "replay-title").show(
            [
                Part(f" {sign} {inert(self.recording.name)}", "strong"),
                Part(f"  {word}, {playhead.speed:g} x", "accent"),
                Part(f"  {len(known)} registers", "dim"),
            ]
        )
        first, last, position = playhead.first, playhead.last, playhead.position
        width = max(10, self.app.size.width - BESIDE)
        self.part(Line, "replay-bar").show(
            [
                Part(f" {_clock(position)[:23]} ", "plain"),
                Part(bar_text(first, last, position, width), "accent"),
                Part(f" {_clock(last)[:19]}", "dim"),
            ]
        )

    @on(Refusal)
    def _show_refusal(self, event: Refusal) -> None:
        self.part(Line, "replay-title").show(
            [Part(f" {inert(event.error.message)}", "bad"), Part(f"  {inert(event.error.hint)}", "dim")]
        )

    def action_play_pause(self) -> None:
        """Play, or stand still; at the end from the start."""
        playhead = self.playhead
        if playhead is None:
            return
        if playhead.playing:
            playhead.pause()
        elif playhead.position >= playhead.last:
            self.action_rewind()
            playhead.play()
        else:
            playhead.pause()
            playhead.play()
        self._show_state()

    def action_step(self, direction: int) -> None:
        """Back or on by a step."""
        if (playhead := self.playhead) is not None:
            self._seek(playhead.position + direction * (playhead.last - playhead.first) // STEPS)

    def action_rewind(self) -> None:
        """To the start."""
        if self.playhead is not None:
            self._seek(self.playhead.first)

    def _seek(self, moment: int) -> None:
        assert self.playhead is not None, "there is somewhere to go"
        self.playhead.seek(moment)
        self.run_worker(self._look_back(), group="replay-look", exclusive=True, exit_on_error=False)
        self._show_state()

    async def _look_back(self) -> None:
        """What held at the moment to which somebody went: the last values before it."""
        client = self._client
        if client is None:
            return
        try:
            devices = await client.devices()
            names = sorted({register for _, register in self._known})
            self._keep(await client.read(devices, names))
        except DSMILError as error:
            self.post_message(Refusal(error))

    def action_faster(self, direction: int) -> None:
        """Twice or half as fast."""
        if (playhead := self.playhead) is not None:
            playhead.speed = min(FASTEST, max(SLOWEST, playhead.speed * (2.0 if direction > 0 else 0.5)))
            self._show_state()

    def action_leave(self) -> None:
        """Back."""
        self.app.pop_screen()

    def places(self) -> Mapping[str, str]:
        """The recording, and how fast it goes."""
        speed = self.playhead.speed if self.playhead else 1.0
        return {"recording": self.recording.recording_id, "speed": f"{speed:g}"}


def _clock(moment: int) -> str:
    return rfc3339(moment)[:23].replace("T", " ")
