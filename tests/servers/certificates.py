"""A private certificate authority for tests: certificates for names and addresses, and bare key pairs, as files."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from firehose.plumbing.clock import now

DAYS = 30


@dataclass(frozen=True)
class Issued:
    """PEM files: a certificate, its private key, the authority that signed it."""

    certificate: Path
    key: Path
    authority: Path


class Authority:
    """Signs what tests need; nobody trusts it who was not told to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = rsa.generate_private_key(65537, 2048)
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
        self.certificate = folder / "authority.pem"
        self.certificate.write_bytes(self._sign(self._name, self._key.public_key(), (), own=True))

    def issue(self, label: str, *names: str) -> Issued:
        """A certificate for host names and addresses."""
        key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        found = Issued(self._folder / f"{label}.pem", self._folder / f"{label}.key", self.certificate)
        found.certificate.write_bytes(self._sign(subject, key.public_key(), names, own=False))
        found.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return found

    def keys(self, label: str) -> tuple[Path, Path]:
        """A key pair without a certificate: private and public half."""
        key = rsa.generate_private_key(65537, 2048)
        private, public = self._folder / f"{label}.private", self._folder / f"{label}.public"
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return private, public

    def _sign(self, subject: x509.Name, public: rsa.RSAPublicKey, names: tuple[str, ...], *, own: bool) -> bytes:
        at = now()
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - datetime.timedelta(days=1))
            .not_valid_after(at + datetime.timedelta(days=DAYS))
            .add_extension(x509.BasicConstraints(ca=own, path_length=None), critical=True)
            # From Python 3.13 on a chain without these is refused (`VERIFY_X509_STRICT`).
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(usage(signs_certificates=own), critical=True)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        return made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """What an authority's key may be used for, or a server's."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_encipherment=not signs_certificates,
        key_cert_sign=signs_certificates, crl_sign=signs_certificates, content_commitment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
