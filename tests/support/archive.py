"""A world whose certificates name CAs on this machine: `openssl ocsp` for the issuing CA, a shelf with both CRLs. What B-LT needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.demo.softhsm import KeyKind, KeySpec, create_token, store_certificates
from signer.demo.tls_pki import TlsPki
from signer.v1 import batch_pb2, common_pb2, timestamp_pb2, timestamp_pb2_grpc
from tests.support import cas, pki
from tests.support.calls import TIMEOUT_S, fresh_id, our_errors, reason_of
from tests.support.cas import OpensslOcsp, Shelf
from tests.support.daemon import SCHOOL, World

KEYS = (*map(KeySpec, ("gvcn", "cbql", "seal", "tsa")), KeySpec("ec", KeyKind.EC_P256))
Request = timestamp_pb2.ExtendDocumentsRequest
LTA = common_pb2.LEVEL_B_LTA


@dataclass(frozen=True)
class _OnToken:
    """The public half of a key that lives on a token, in the place of a private one."""

    public: Any

    def public_key(self) -> Any:
        return self.public


@dataclass
class Archive:
    """The world and its CAs. leaves: the certificates on the token, by label."""

    world: World
    authority: pki.Issued
    shelf: Shelf
    responder: OpensslOcsp
    leaves: dict[str, pki.Issued]
    revoked: tuple[pki.Issued, ...] = ()

    @property
    def is_serving(self) -> bool:
        """Whether both CAs answer, and nobody is revoked."""
        return self.responder.process is not None and self.shelf.status == 200 and not self.revoked

    def serve(self, *revoked: pki.Issued) -> None:
        """Both CAs answer, from now on; these are revoked."""
        self.revoked = revoked
        issued = tuple(each.x509 for each in self.leaves.values())
        self.responder.start(issued, tuple(each.x509 for each in revoked))
        self.shelf.status = 200
        self.shelf.files["/root.crl"] = cas.crl(pki.root())
        self.shelf.files["/ca.crl"] = cas.crl(self.authority, tuple(each.x509.serial_number for each in revoked))

    def silence(self) -> None:
        """Neither answers."""
        self.responder.stop()
        self.shelf.status = 503

    def issue(self, common_name: str = "Teacher (DEMO)", **how: Any) -> pki.Issued:
        """A certificate of the issuing CA with a key in memory."""
        return pki.issue(common_name, pki.rsa_key(1), self.authority, extensions=self.places(), **how)

    def places(self) -> list[Any]:
        """The extensions that say where a certificate's status is told."""
        return cas.places(self.responder.url, self.shelf.url("/ca.crl"))


@contextmanager
def archive(folder: Path) -> Iterator[Archive]:
    """A token with certificates of CAs that answer while the block runs."""
    folder.mkdir(parents=True)
    with cas.shelf() as shelf:
        named = cas.places("", shelf.url("/root.crl"))
        authority = pki.issue("CA phục vụ các cơ quan Nhà nước (DEMO)", pki.rsa_key(101), pki.root(), is_ca=True, extensions=named)
        responder = OpensslOcsp(folder / "ocsp", authority)
        token = create_token(folder / "softhsm", "test", KEYS)
        leaves = {key.label: _leaf(key.label, token.key(key.label).public_key, authority, responder, shelf) for key in KEYS}
        token = store_certificates(token, {label: leaf.x509 for label, leaf in leaves.items()})
        (folder / "ca.pem").write_bytes(authority.pem + pki.root().pem)
        (folder / "root.pem").write_bytes(pki.root().pem)
        _write_tls(folder / "pki")
        made = Archive(World(folder, token, folder / "ca.pem", folder / "root.pem"), authority, shelf, responder, leaves)
        made.serve()
        try:
            yield made
        finally:
            responder.stop()


def _leaf(label: str, public_key: Any, authority: pki.Issued, responder: OpensslOcsp, shelf: Shelf) -> pki.Issued:
    usages = (ExtendedKeyUsageOID.TIME_STAMPING,) if label == "tsa" else ()
    key = cast("pki.Key", _OnToken(public_key))
    return pki.issue(f"{label} (DEMO)", key, authority, usages=usages, extensions=cas.places(responder.url, shelf.url("/ca.crl")))


def _write_tls(folder: Path) -> None:
    tls = TlsPki.create()
    folder.mkdir()
    (folder / "tls-ca.crt").write_bytes(pki.Issued(tls.certificate, pki.rsa_key()).pem)
    tls.server().write_pem(folder, "server")
    for name in ("school", "other-school", "operator"):
        tls.client(name).write_pem(folder, name)


@dataclass
class Extended:
    """What a stream answered. contents: whole documents by id."""

    results: dict[str, batch_pb2.DocumentResult]
    contents: dict[str, bytes]
    summary: batch_pb2.BatchSummary

    def reasons(self) -> dict[str, str]:
        """Of the documents that failed."""
        return {name: reason_of(result.status) for name, result in self.results.items() if result.status.code}


def start(document_id: str, content: bytes, **changes: Any) -> Request:
    """One whole document in one message."""
    fields: dict[str, Any] = {"document_id": document_id, "size_bytes": len(content), "data": content} | changes
    return Request(document=batch_pb2.DocumentStart(**fields))


def header(level: Any = LTA, **changes: Any) -> Request:
    """A header for SCHOOL with a fresh id."""
    fields: dict[str, Any] = {"request_id": fresh_id(), "school_id": SCHOOL, "level": level} | changes
    return Request(header=timestamp_pb2.ExtendHeader(**fields))


def extend(channel: Any, documents: dict[str, bytes], level: Any = LTA, **changes: Any) -> Extended:
    """Raises whole documents. Raises what the stream fails with."""
    return stream(channel, [header(level, **changes), *(start(name, content) for name, content in documents.items())])


def stream(channel: Any, messages: Iterable[Request], on_result: Callable[[int], None] = lambda _count: None) -> Extended:
    """Any messages; what the stream answered. on_result: told after each result how many there are."""
    results: dict[str, batch_pb2.DocumentResult] = {}
    contents: dict[str, bytes] = {}
    summary = None
    last = ""
    with our_errors():
        for message in timestamp_pb2_grpc.TimestampServiceStub(channel).ExtendDocuments(iter(messages), timeout=TIMEOUT_S):
            match message.WhichOneof("message"):
                case "result":
                    last = message.result.document_id
                    assert last not in results, "a document ended twice"
                    results[last], contents[last] = message.result, message.result.content
                    on_result(len(results))
                case "chunk":
                    contents[last] += message.chunk.data
                case "summary":
                    summary = message.summary
    assert summary is not None
    for name, result in results.items():
        assert len(contents[name]) == result.content_size_bytes
    return Extended(results, contents, summary)
