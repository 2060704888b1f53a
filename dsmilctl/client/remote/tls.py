"""TLS: what a client trusts and what it proves itself with."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    import ssl

UNTRUSTED = "name the authority with ca_path, or the server by the name in its certificate"
"""What to do about a certificate that proves nothing."""

LOGGER = logging.getLogger("dsmilctl.client")


def tls_context(config: ClientConfig, certificate: tuple[str, str | None] | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer, verified, with the client's certificate if there is one (`.pem` or `.p12`).

    Raises ConfigError for a file that cannot be used.
    """
    import ssl

    if urlsplit(config.base_url).scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and takes no time to make
    try:
        context = ssl.create_default_context(cafile=None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if config.ca_path:
            context.load_verify_locations(cafile=config.ca_path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"ca_path {config.ca_path}: {error}", target="ca_path") from None
    if not config.verify_ssl:
        LOGGER.warning("the certificate of %s is not verified (verify_ssl=False)", config.base_url)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    path, password = certificate or (config.client_cert_path, config.client_cert_password)
    if path:
        _prove(context, path, password)
    return context


def _prove(context: ssl.SSLContext, path: str, password: str | None) -> None:
    import ssl

    if Path(path).suffix.casefold() in (".p12", ".pfx"):
        _prove_by_archive(context, Path(path), password)
        return
    try:
        context.load_cert_chain(path, password=password or "")
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"client certificate {path}: {error}", target="client_cert_path") from None


def _prove_by_archive(context: ssl.SSLContext, path: Path, password: str | None) -> None:
    """A PKCS #12 file.  ssl takes keys from files alone: it lies there encrypted, no longer than needed."""
    import os
    import tempfile

    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.serialization import pkcs12
    except ImportError:
        message = "certificates in .p12 files need the package cryptography"
        raise MissingExtraError(message, hint="pip install 'dsmilctl[server]', or use a .pem file") from None
    try:
        key, own, others = pkcs12.load_key_and_certificates(
            path.read_bytes(), password.encode() if password else None
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"client certificate {path}: {error}", target=str(path)) from None
    if key is None or own is None:
        raise ConfigError(f"client certificate {path} holds no key with a certificate", target=str(path))
    once = os.urandom(24).hex()
    form = serialization.Encoding.PEM
    content = key.private_bytes(
        form, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(once.encode())
    )
    content += own.public_bytes(form) + b"".join(item.public_bytes(form) for item in others)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "client.pem"
        file.touch(mode=0o600)
        file.write_bytes(content)
        context.load_cert_chain(file, password=once)
