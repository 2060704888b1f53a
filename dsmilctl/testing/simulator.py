"""DeviceSimulator: a whole DSMIL server with simulated devices, for tests of programs that speak to one."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Self

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.sim.faults import ARGUMENTS, Fault
from dsmilctl.errors import DSMILError, InvalidParameter, nearest
from dsmilctl.testing.bad_days import BadDay, BadDays
from dsmilctl.testing.simulated import Script, ScriptedRegistry

LONGEST_END = 10.0


class DeviceSimulator:
    """A server on this machine with devices and the demo accounts; everything it keeps is thrown away.

    Without `add_device` all 84 devices are there.  Programs under test meet no limits, and are asked for a
    second person for quarantined devices alone, unless `rate_limiting` and `approvals` make it a real server.
    `options` are those of ServerOptions.
    """

    def __init__(
        self,
        *,
        rate_limiting: bool = False,
        approvals: bool = False,
        clock: Clock = SYSTEM,
        **options: Any,
    ) -> None:
        self.url = ""
        self._rate_limiting = rate_limiting
        self._approvals = approvals
        self._clock = clock
        self._options = options
        self._script = Script()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._network: BadDays | None = None
        self._gateway: Any = None

    def add_device(self, device_id: int, initial_status: int = 0x00000001, **registers: int) -> None:
        """Have a device; `registers` hold what they are given, such as `TEMP=95`."""
        self._script.devices.add(device_id)
        for name, value in {"STATUS": initial_status, **registers}.items():
            self.set_register(device_id, name, value)

    def set_register(self, device_id: int, register: str, value: int) -> None:
        """Have a register hold a value from now on."""
        self._script.put(device_id, register, value)

    def set_fault(self, device_id: int, kind: str, argument: float = 0.0) -> None:
        """Have a device misbehave: silent, slow (seconds), wrong, disconnect, flapping (seconds)."""
        if kind not in ARGUMENTS:
            hint = nearest(kind, ARGUMENTS) or f"faults: {', '.join(ARGUMENTS)}"
            raise InvalidParameter(f"no fault {kind!r}", hint=hint, target=kind)
        self._script.faults[device_id] = Fault(kind, argument)

    def clear_faults(self) -> None:
        """Have every device and the network behave again."""
        self._script.faults.clear()
        if self._network is not None:
            self._network.coming.clear()

    def fail_next(
        self, status: int, *, times: int = 1, content: bytes = b"", path: str = "", **headers: str
    ) -> None:
        """Have the next requests to paths that contain `path` answered by something else."""
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        day = BadDay(status=status, content=content, headers=named, path=path)
        self._running().coming.extend([day] * times)

    def delay_next(self, seconds: float, *, times: int = 1, path: str = "") -> None:
        """Have the next requests reach the server late."""
        self._running().coming.extend([BadDay(delay=seconds, path=path)] * times)

    def lose_next_answer(self, *, times: int = 1, path: str = "") -> None:
        """Have the next requests carried out and their answers lost on the way."""
        self._running().coming.extend([BadDay(lost=True, path=path)] * times)

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path of every request so far."""
        return self._running().requests

    @property
    def gateway(self) -> Any:
        """The server's inside."""
        return self._gateway

    def _running(self) -> BadDays:
        if self._network is None:
            raise InvalidParameter("the simulator is not started", hint="await simulator.start_server()")
        return self._network

    async def start_server(self, port: int = 0, host: str = "127.0.0.1") -> str:
        """Serve until `stop`; the address, with a free port unless one is given.

        Raises Conflict for a port that is taken, MissingExtraError without the packages of the server.
        """
        from dsmilctl.errors import MissingExtraError

        try:
            from dsmilctl.server.serve import Listening, serve
        except ImportError as error:
            message = f"the simulator needs the package {error.name}"
            raise MissingExtraError(message, hint="pip install 'dsmilctl[server]'") from None
        self._folder = tempfile.TemporaryDirectory(prefix="dsmil-simulator-")
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._network = BadDays(self._assemble(Path(self._folder.name)))
        listening = Listening(host=host, port=port)
        self._serving = asyncio.create_task(serve(self._network, listening, ready.set_result))
        await asyncio.wait((self._serving, ready), return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await self._failed()
        self.url = ready.result()
        return self.url

    async def _failed(self) -> None:
        assert self._serving is not None, "it was started"
        serving, self._serving = self._serving, None
        await self.stop()
        await serving
        raise DSMILError("the simulator ended before it served")

    def _assemble(self, folder: Path) -> Any:
        from dsmilctl.client.local_drivers import InstalledDrivers
        from dsmilctl.client.opening import Opening, Serving, local_identity
        from dsmilctl.config.contexts import Context, DriverUse
        from dsmilctl.config.paths import Paths
        from dsmilctl.config.settings import Settings
        from dsmilctl.fleet.switches import Switches
        from dsmilctl.server.assembly import ServerOptions, assemble
        from dsmilctl.server.demo_accounts import COST, demo_users
        from dsmilctl.server.gateway import Limits

        names = ("config", "state", "data", "cache", "runtime", "system")
        folders = Paths(**{name: folder / name for name in names})
        registry = ScriptedRegistry(self._script)
        drivers = (DriverUse("sim", {"persist": False, "past_days": 30}),)
        opening = Opening(
            context=Context(name="simulator", drivers=drivers, target="simulated devices", fleet="simulator"),
            settings=Settings(),
            folders=folders,
            registry=registry,
            installed=InstalledDrivers(registry, Switches(folders.driver_switches_file), self._clock),
            identity=local_identity(),
            read_only=False,
            timeout=5.0,
            clock=self._clock,
            serving=Serving(rate_limits=self._rate_limiting, approvals=self._approvals),
        )
        limits = Limits(rate_limiting=self._rate_limiting)
        options = {"limits": limits, "password_cost": COST, **self._options}
        app, self._gateway = assemble(opening.client(), demo_users(), ServerOptions(**options), self._clock)
        return app

    async def stop(self) -> None:
        """End the server and throw away what it kept."""
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
            await asyncio.wait([serving], timeout=LONGEST_END)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def __aenter__(self) -> Self:
        await self.start_server()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()
