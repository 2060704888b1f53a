"""Address of a server, as a context may have it."""

from __future__ import annotations

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that are this machine: what goes to them passes no network."""

EXAMPLE = "https://host:8443"


def wrong_url(url: str, insecure: bool) -> tuple[str, str] | None:
    """What is wrong with the address of a server, and a hint; None for one that is right.

    Without TLS it has to be this machine, or `insecure`: passwords and tokens go over the network in clear.
    """
    from urllib.parse import urlsplit

    from dsmilctl.redaction import redact

    shown = redact(url)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"{shown!r} is no address: {error}", EXAMPLE
    if parts.scheme not in ("http", "https") or not host or any(map(str.isspace, url)):
        return f"{shown!r} is no address of a server", EXAMPLE
    if parts.query or parts.fragment:
        return f"{shown!r} is more than the address of a server", EXAMPLE
    if parts.username is not None or parts.password is not None:
        return "credentials do not belong into an address", "dsmilctl auth login asks for them"
    if parts.scheme == "http" and host not in LOOPBACK and not insecure:
        return f"{shown} would send passwords in clear", "https://, or --insecure (insecure = true)"
    return None
