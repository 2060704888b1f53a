"""Certificates of clients, as people carry them: PKCS #12 files with a passphrase."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_pem_x509_certificate

from dsmilctl.server.tls import Authority


def archive(authority: Authority, folder: Path, name: str, *, passphrase: str) -> Path:
    """A certificate for that name and its key in NAME.p12; both lie there as PEM files, too."""
    pem, key = authority.issue(folder, name, hosts=())
    content = pkcs12.serialize_key_and_certificates(
        name.encode(),
        serialization.load_pem_private_key(key.read_bytes(), None),  # type: ignore[arg-type] # an EC key
        load_pem_x509_certificate(pem.read_bytes()),
        None,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    file = folder / f"{name}.p12"
    file.write_bytes(content)
    return file
