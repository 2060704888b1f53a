"""TLS: who a client's certificate says it is, and certificates made here for tests and for loopback."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from dsmilctl.clock import NANOSECONDS, SYSTEM
from dsmilctl.server.protocol import HttpProtocol

DAYS = 30
"""How long a certificate made here is good for."""
LOOPBACK = ("localhost", "127.0.0.1")


class CertifiedProtocol(HttpProtocol):
    """HTTP that tells the application whose certificate the client has proved.

    Source: the ASGI TLS extension, `client_cert_name`; uvicorn itself leaves it out.
    """

    app: Any

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Take the name from the connection itself, once; no header can claim one."""
        super().connection_made(transport)
        plain, facts = self.app, {"client_cert_name": common_name(transport.get_extra_info("peercert"))}

        async def certified(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})["tls"] = facts
            await plain(scope, receive, send)

        self.app = certified


def common_name(certificate: Any) -> str:
    """The one common name in the subject of a certificate as `SSLSocket.getpeercert` gives it, else ''."""
    subject = (certificate or {}).get("subject", ())
    names = [value for part in subject for key, value in part if key == "commonName"]
    return names[0] if len(names) == 1 else ""


def server_context(certificate: str, key: str, authority: str = "") -> ssl.SSLContext:
    """TLS 1.2 or newer; with an authority, clients may prove a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key or None)
    if authority:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


class Authority:
    """A certificate authority that lives as long as this object; for tests and for loopback."""

    def __init__(self, name: str = "dsmilctl test authority") -> None:
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

        self._key = generate_private_key(SECP256R1())
        self._name = _subject(name)
        self.certificate = self._signed(self._name, self._key.public_key(), [], lasts=DAYS, authority=True)

    def issue(
        self,
        folder: Path,
        name: str,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
        lasts: float = DAYS,
    ) -> tuple[Path, Path]:
        """A certificate and its key as PEM files, NAME.pem and NAME.key; `lasts` in days (below 0: over)."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

        key = generate_private_key(SECP256R1())
        names = [_alternative(host) for host in hosts]
        extensions = [x509.SubjectAlternativeName(names)] if names else []
        certificate = self._signed(_subject(name), key.public_key(), extensions, lasts=lasts, authority=False)
        return _write(folder / f"{name}.pem", _pem(certificate)), _write(
            folder / f"{name}.key", _key_pem(key)
        )

    def save(self, folder: Path) -> Path:
        """The authority's own certificate as a PEM file."""
        return _write(folder / "authority.pem", _pem(self.certificate))

    def _signed(
        self, subject: Any, subject_key: Any, extensions: list[Any], *, lasts: float, authority: bool
    ) -> Any:
        """A certificate that a strict client takes, as Python 3.13 is.  Source: RFC 5280, section 4.2.1."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        now = datetime.fromtimestamp(SYSTEM.now() / NANOSECONDS, UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(subject_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=DAYS))
            .not_valid_after(now + timedelta(days=lasts))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if authority:
            builder = builder.add_extension(_signs_certificates(), critical=True)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _signs_certificates() -> Any:
    from cryptography import x509

    usages = {
        "digital_signature": True, "content_commitment": False, "key_encipherment": False,
        "data_encipherment": False, "key_agreement": False, "key_cert_sign": True, "crl_sign": True,
        "encipher_only": False, "decipher_only": False,
    }  # fmt: skip
    return x509.KeyUsage(**usages)


def _subject(name: str) -> Any:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(host: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    content: bytes = certificate.public_bytes(Encoding.PEM)
    return content


def _key_pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    content: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return content


def _write(path: Path, content: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(content)
    return path
