"""CAs that tell the status of what they issue, as real software: `openssl ocsp`, and files over HTTP; and answers that lie.

The certificates name addresses on this machine, so a `StatusCa` is made with the ports its services will have.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from tests.support import pki
from tests.support.mortal import mortal
from tests.support.ports import free_port
from tests.support.waiting import until

_FILES = "-index index.txt -CA ca.pem -rsigner responder.pem -rkey responder.key"


def key_pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def places(ocsp_url: str = "", crl_url: str = "") -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions that say where a certificate's status is told."""
    found: list[tuple[x509.ExtensionType, bool]] = []
    if ocsp_url:
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp_url))
        found.append((x509.AuthorityInformationAccess([access]), False))
    if crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    return found


def crl(
    issuer: pki.Issued,
    revoked: tuple[int, ...] = (),
    *,
    at: datetime | None = None,
    days: float = 7,
    key: Any = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> bytes:
    """A CRL of the issuer, DER. key: another than the issuer's, for a lie."""
    at = at or datetime.now(UTC) - timedelta(minutes=1)
    builder = (
        x509.CertificateRevocationListBuilder().issuer_name(issuer.x509.subject).last_update(at).next_update(at + timedelta(days=days))
    )
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
        builder = builder.add_revoked_certificate(entry.build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key or issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def ocsp_answer(
    certificate: x509.Certificate,
    issuer: pki.Issued,
    *,
    responder: pki.Issued | None = None,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    at: datetime | None = None,
    good_for: timedelta | None = timedelta(days=1),
    embed: bool = True,
) -> bytes:
    """An OCSPResponse, DER. responder: who it names, and who signs it; the issuer by default."""
    at = (at or datetime.now(UTC) - timedelta(minutes=1)).replace(microsecond=0)
    responder = responder or issuer
    is_revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        certificate, issuer.x509, hashes.SHA256(), status, at, at + good_for if good_for else None, at if is_revoked else None, None
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, responder.x509)
    if embed and responder is not issuer:
        builder = builder.certificates([responder.x509])
    return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)


def responder_of(issuer: pki.Issued, *, no_check: bool = True, usages: Any = (ExtendedKeyUsageOID.OCSP_SIGNING,), **how: Any) -> pki.Issued:
    """A delegated responder's certificate."""
    extensions = [(x509.OCSPNoCheck(), False)] if no_check else []
    return pki.issue("OCSP (DEMO)", pki.rsa_key(110), issuer, usages=usages, usages_critical=False, extensions=extensions, **how)


@dataclass
class OpensslOcsp:
    """`openssl ocsp` as the responder of one CA: it reads who is revoked from an index file. Start, revoke, stop as you like."""

    folder: Path
    issuer: pki.Issued
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self, issued: tuple[x509.Certificate, ...], revoked: tuple[x509.Certificate, ...] = (), *, minutes: int = 60) -> None:
        """Serves the status of these certificates; answers are good for so many minutes."""
        self.stop()
        self._write(issued, revoked)
        command = f"openssl ocsp {_FILES} -port {self.port} -nmin {minutes} -rmd sha256"
        log = self.folder / "ocsp.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                mortal(*command.split()), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        _await_words(self.process, log, "waiting for OCSP client connections")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def answer(self, certificate: x509.Certificate, digest: str) -> bytes:
        """What it would answer, signed with a digest of your choice; without a network."""
        self._write((certificate,), ())
        command = f"openssl ocsp {_FILES} -issuer ca.pem -serial 0x{certificate.serial_number:x} -respout answer.der -ndays 1 -rmd {digest}"
        subprocess.run(command.split(), cwd=self.folder, capture_output=True, check=True)
        return (self.folder / "answer.der").read_bytes()

    def _write(self, issued: tuple[x509.Certificate, ...], revoked: tuple[x509.Certificate, ...]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        responder = responder_of(self.issuer)
        (self.folder / "ca.pem").write_bytes(self.issuer.pem)
        (self.folder / "responder.pem").write_bytes(responder.pem)
        (self.folder / "responder.key").write_bytes(key_pem(responder.key))
        lines = [_index_line(each, each in revoked) for each in dict.fromkeys((*issued, *revoked))]
        (self.folder / "index.txt").write_text("".join(lines), encoding="ascii")


def _index_line(certificate: x509.Certificate, is_revoked: bool) -> str:
    end = certificate.not_valid_after_utc.strftime("%y%m%d%H%M%SZ")
    revoked = datetime.now(UTC).strftime("%y%m%d%H%M%SZ") if is_revoked else ""
    number = certificate.serial_number
    serial = number.to_bytes((number.bit_length() + 7) // 8).hex().upper()
    return f"{'R' if is_revoked else 'V'}\t{end}\t{revoked}\t{serial}\tunknown\t/CN={serial}\n"


def _await_words(process: subprocess.Popen[bytes], log: Path, words: str) -> None:
    """A connection that asks nothing would hang it: so its log is read."""
    until(lambda: words in log.read_text(encoding="utf-8") or process.poll() is not None, "the responder to start")
    assert process.poll() is None, log.read_text(encoding="utf-8")


@dataclass
class Shelf:
    """Bytes over HTTP: what lies under a path is answered to GET and POST alike. asked: the paths, in order."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    status: int = 200
    location: str = ""
    delay_s: float = 0.0
    port: int = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def shelf(port: int = 0) -> Iterator[Shelf]:
    """A shelf while the block runs."""
    it = Shelf()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            it.asked.append(self.path)
            time.sleep(it.delay_s)
            body = it.files.get(self.path)
            self.send_response(it.status if body is not None else 404)
            if it.location:
                self.send_header("Location", it.location)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body or b"")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        it.port = server.server_port
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield it
        server.shutdown()
