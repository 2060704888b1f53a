"""The original web back end, version 1.0, as it was measured: its routes, bodies, errors and WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from dsmilctl.server.serve import Listening as Place
from dsmilctl.server.serve import bind

QUARANTINED = (0x8009, 0x800A, 0x800B, 0x8019, 0x8029)
RISKS = ("CRITICAL", "HIGH", "HIGH", "MODERATE", "MODERATE", "LOW", "LOW")


class Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, detail: Any) -> None:
        self.answer = JSONResponse({"detail": detail, "status_code": status}, status)


class OldServer:
    """Knows one token; what was asked of it is in `asked`."""

    def __init__(self, token: str) -> None:
        self.url = ""
        self.asked: list[tuple[str, Any]] = []
        self.values: dict[int, dict[str, str]] = {}
        self.stopped = False
        self._token = token
        self._sockets: set[WebSocket] = set()
        self._serving: asyncio.Task[None] | None = None
        self._server: uvicorn.Server

    async def __aenter__(self) -> Self:
        routes = [
            Route("/health", self._health),
            Route("/api/v1/system/status", self._guarded(self._status)),
            Route("/api/v1/devices", self._guarded(self._devices)),
            Route("/api/v1/devices/{id}/operations", self._guarded(self._operate), methods=["POST"]),
            Route("/api/v1/emergency-stop", self._guarded(self._stop), methods=["POST"]),
            WebSocketRoute("/api/v1/ws", self._websocket),
        ]
        app = Starlette(routes=routes)
        listener = bind(Place())
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(app, log_config=None, ws="websockets-sansio", lifespan="off")
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server._serve([listener]))
        while not self._server.started:
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._serving is not None
        self._server.should_exit = True
        self._server.force_exit = True
        for socket in tuple(self._sockets):
            await socket.close()
        await self._serving

    def _guarded(self, handler: Any) -> Any:
        async def serve(request: Request) -> JSONResponse:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme != "Bearer":
                return Refused(403, "Not authenticated").answer
            if token != self._token:
                return Refused(401, "Invalid token").answer
            body = await request.json() if request.method == "POST" else None
            self.asked.append((f"{request.method} {request.url.path}", body))
            try:
                return JSONResponse(await handler(request, body))
            except Refused as refusal:
                return refusal.answer

        return serve

    async def _health(self, request: Request) -> JSONResponse:
        del request
        return JSONResponse({"status": "healthy", "timestamp": "12345.678", "version": "1.0.0"})

    async def _status(self, request: Request, body: Any) -> Any:
        del request, body
        return {
            "timestamp": "12345.678", "overall_status": "NORMAL", "device_count": 84, "active_devices": 0,
            "quarantined_devices": [],
            "system_health": {"overall_status": "HEALTHY", "temperature": None},
            "security_status": {"threat_level": "LOW", "active_alerts": 0, "recent_threats": []},
            "performance_metrics": {"operations_per_second": 0.0, "average_latency_ms": 1.5},
        }  # fmt: skip

    async def _devices(self, request: Request, body: Any) -> Any:
        del request, body
        return [
            {
                "device_id": 0x8000 + number, "device_name": f"DSMIL-{number // 12:02d}-{number % 12:02d}",
                "device_group": number // 12, "device_index": number % 12,
                "risk_level": "QUARANTINED" if 0x8000 + number in QUARANTINED else RISKS[number // 12],
                "status": "QUARANTINED" if 0x8000 + number in QUARANTINED else "ACTIVE",
                "is_quarantined": 0x8000 + number in QUARANTINED, "hex_id": f"0x{0x8000 + number:04X}",
                "description": "", "is_active": True, "last_response_time_ms": 0.4, "error_count": 0,
                "success_count": 3, "last_accessed": None,
            }
            for number in range(84)
        ]  # fmt: skip

    async def _operate(self, request: Request, body: Any) -> Any:
        device, kind, data = body["device_id"], body["operation_type"], body["operation_data"]
        if not 0x8000 <= device <= 0x806B:
            raise Refused(422, [{"loc": ["body", "device_id"], "msg": "out of range"}])
        if str(device) != request.path_params["id"]:
            raise Refused(400, "Device ID mismatch")
        if device in QUARANTINED:
            raise Refused(403, f"Device {device:04X} is quarantined - requires TOP_SECRET or higher")
        if self.stopped:
            raise Refused(503, "Emergency stop active")
        register = data["register"]
        if kind == "WRITE":
            if len(body.get("justification", "")) < 10:
                raise Refused(403, "Justification required for high-risk operations (minimum 10 characters)")
            self.values.setdefault(device, {})[register] = data["data"]
            found = {"status": 0, "bytes_written": len(data["data"]) // 2, "register": register}
        elif kind == "READ":
            value = self.values.get(device, {}).get(register, f"simulated_data_for_device_{device:04x}")
            found = {"status": 0, "data": value, "register": register, "simulation": True}
        else:
            found = {"status": 1, "error": f"{kind} is unsupported"}
        await self.tell(
            "DEVICE_STATE_CHANGED", source="device_controller", device_id=device,
            update={"operation_id": f"op_{device}_1", "success": found["status"] == 0, "result_data": found,
                    "timestamp": "2026-01-01T00:00:00"},
        )  # fmt: skip
        return {
            "operation_id": f"op_{device}_1", "device_id": device, "operation_type": kind,
            "result": "SUCCESS", "data": found, "timestamp": "12345.678", "user_id": "op_001",
            "audit_trail_id": "a-1", "execution_time_ms": 10,
        }  # fmt: skip

    async def _stop(self, request: Request, body: Any) -> Any:
        del request
        if not 10 <= len(body["justification"]) <= 512:
            raise Refused(422, [{"loc": ["body", "justification"], "msg": "too short"}])
        self.stopped = True
        await self.tell(
            "EMERGENCY_STOP", source="emergency_system", reason=body["justification"], severity="CRITICAL"
        )
        return {"message": "Emergency stop activated", "timestamp": "12345.678"}

    async def tell(self, kind: str, source: str = "server", **data: Any) -> None:
        """Tell everybody."""
        told = {
            "type": kind, "data": data, "timestamp": "2026-01-01T00:00:00", "source": source,
            "target": "broadcast",
        }  # fmt: skip
        for socket in tuple(self._sockets):
            await socket.send_json(told)

    async def _websocket(self, socket: WebSocket) -> None:
        await socket.accept()
        if socket.query_params.get("token") != self._token:
            await socket.close(1008, "Authentication required")
            return
        self._sockets.add(socket)
        hello = {"status": "connected", "connection_id": "c-1", "subscriptions": ["system_status"]}
        await socket.send_json(
            {"type": "CONNECTION_STATUS", "data": hello, "timestamp": "2026-01-01T00:00:00"}
        )
        await socket.send_json({"type": "PING", "data": {"timestamp": "12345.678"}})
        try:
            while True:
                message = await socket.receive_json()
                kind, data = message["type"], message.get("data", {})
                self.asked.append((f"WS {kind}", data))
                if kind == "PING":
                    await socket.send_json({"type": "PONG", "data": {"timestamp": "12345.678"}})
                elif kind in ("SUBSCRIBE", "UNSUBSCRIBE") and data["subscription"] in (
                    "device_updates",
                    "system_status",
                ):
                    name = "SUBSCRIPTION" if kind == "SUBSCRIBE" else "UNSUBSCRIPTION"
                    answer = {"subscription": data["subscription"]}
                    await socket.send_json({"type": f"{name}_CONFIRMED", "data": answer})
        except WebSocketDisconnect:
            return
        finally:
            self._sockets.discard(socket)
