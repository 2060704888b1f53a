"""`dsmilctl serve`: a gateway, this fleet over the DSMIL API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.targets import Record, RecordInterval

app = Noun("serve")


@app.alone(impact="write")
def serve(
    fleet: Annotated[Path, typer.Argument(metavar="FLEET", help="the fleet file, version 2")],
    users: Annotated[
        str, typer.Option(metavar="FILE", help="who may come in; without it those of `dsmilctl user list`")
    ] = "",
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="where to listen")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="P", min=0, max=65535, help="0 takes a free one")] = 8443,
    tls_cert: Annotated[str, typer.Option(metavar="FILE", help="certificate in PEM")] = "",
    tls_key: Annotated[str, typer.Option(metavar="FILE", help="its private key in PEM")] = "",
    client_ca: Annotated[
        str, typer.Option(metavar="FILE", help="clients may prove a certificate of this CA")
    ] = "",
    settings: Annotated[
        str, typer.Option(metavar="FILE", help="lives of tokens and approvals, lockout, limits, signing key")
    ] = "",
    insecure: Annotated[bool, typer.Option("--insecure", help="listen beyond loopback without TLS")] = False,
    record: Record = False,
    record_interval: RecordInterval = "1s",
) -> None:
    """Serve the devices of a fleet file over the DSMIL API, until interrupted.

    Exit status 7 when another server holds the fleet.  The settings are YAML with any of: token_seconds,
    session_seconds, lockout_failures, lockout_seconds, approval_seconds, bulk_devices, clients,
    clients_per_account, logins_per_minute, heartbeat_seconds, alarm_watch_seconds (0: registers with limits
    are read for alarms only when somebody else reads them), signing_key (a file: tokens are signed with
    EdDSA then).

    Example: dsmilctl serve plant.yaml
    Example: dsmilctl serve plant.yaml --users users.json --tls-cert cert.pem --tls-key key.pem
    """
    from dsmilctl.commands.serving import recorded_every, require_server, serve_fleet

    require_server()
    from dsmilctl.server.serve import Listening

    listening = Listening(
        host=host, port=port, certificate=tls_cert, key=tls_key, client_authority=client_ca, insecure=insecure
    )
    serve_fleet(fleet, users, listening, settings, recorded_every(record_interval, record=record))
