"""What school software asks of the appliance about signatures that others made, and about its own certificates.

with SignerClient(…) as signer:
    verdict = signer.validation.validate(Path("report.pdf").read_bytes())
    print(verdict.indication, verdict.summary_vi)
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import grpc

from signer.client.channel import Connection
from signer.client.retries import RetryPolicy
from signer.client.unary import Method, call_patiently
from signer.client.validation_values import (
    AnchorInfo,
    CertificateCheck,
    DocumentVerdict,
    SignatureVerdict,
    SlotVerdict,
    ValidatedDocument,
)
from signer.rpc_status import from_failed_call, from_rpc_status
from signer.v1 import batch_pb2, common_pb2, validation_pb2, validation_pb2_grpc

TIMEOUT_S = 60.0
BATCH_TIMEOUT_S = 1800.0
_CHUNK_BYTES = 1024 * 1024

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class ValidationClient:
    """`SignerClient.validation`. Single calls repeat what may pass until their deadline, and raise what ended them."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def validate(
        self,
        document: bytes,
        *,
        content: bytes = b"",
        at: datetime | None = None,
        offline: bool = False,
        record_rules: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> DocumentVerdict:
        """Judges every signature of a PDF, XML or CMS that fits a gRPC message; larger ones go by `validate_all`.

        Args:
            document: the signed document.
            content: what a detached signature signs.
            at: judge as of this moment, aware; None for the best proof in the document, else now.
            offline: ask no CA about revocation.
            record_rules: hold records in XML against their layout as well.
            timeout_s: until when broken connections and passing failures are tried again.
        """
        options = _options(at, offline=offline, record_rules=record_rules)
        options.detached_content = content
        request = validation_pb2.ValidateDocumentRequest(document=document, options=options)
        return _document(self._ask(self._stub.ValidateDocument, request, timeout_s).report)

    def validate_all(
        self,
        documents: Iterable[tuple[str, bytes]],
        *,
        at: datetime | None = None,
        offline: bool = False,
        record_rules: bool = False,
        timeout_s: float = BATCH_TIMEOUT_S,
    ) -> Iterator[ValidatedDocument]:
        """Judges many documents, given with their ids, of any size; one verdict each, in their order. Raises what ends the stream."""
        options = _options(at, offline=offline, record_rules=record_rules)
        try:
            for answer in self._stub.ValidateDocuments(_messages(documents, options), timeout=timeout_s):
                if answer.WhichOneof("message") == "result":
                    yield _validated(answer.result)
        except grpc.RpcError as failed:
            raise from_failed_call(failed) from failed

    def check_credential(
        self, school_id: str, credential_id: str, *, fresh: bool = False, timeout_s: float = TIMEOUT_S
    ) -> CertificateCheck:
        """Whether a credential's certificate may sign now. fresh: its CA is asked whatever is remembered."""
        name = validation_pb2.CredentialName(school_id=school_id, credential_id=credential_id)
        return self._check(validation_pb2.CheckCertificateRequest(credential=name, fresh=fresh), timeout_s)

    def check_certificate(self, certificate: bytes, *, fresh: bool = False, timeout_s: float = TIMEOUT_S) -> CertificateCheck:
        """The same of any certificate, DER."""
        return self._check(validation_pb2.CheckCertificateRequest(certificate=certificate, fresh=fresh), timeout_s)

    def trust_anchors(self, *, timeout_s: float = TIMEOUT_S) -> list[AnchorInfo]:
        """The CAs that the appliance believes, by subject."""
        found = self._ask(self._stub.ListTrustAnchors, validation_pb2.ListTrustAnchorsRequest(), timeout_s)
        return [_anchor(each) for each in found.anchors]

    @property
    def _stub(self) -> Any:
        return validation_pb2_grpc.ValidationServiceStub(self._connection.channel)

    def _check(self, request: validation_pb2.CheckCertificateRequest, timeout_s: float) -> CertificateCheck:
        return _checked(self._ask(self._stub.CheckCertificate, request, timeout_s))

    def _ask(self, method: Method[_Request, _Response], request: _Request, timeout_s: float) -> _Response:
        return call_patiently(method, request, policy=self._policy, deadline_s=time.monotonic() + timeout_s)


def _options(at: datetime | None, *, offline: bool, record_rules: bool) -> validation_pb2.ValidationOptions:
    options = validation_pb2.ValidationOptions(offline=offline, record_rules=record_rules)
    if at is not None:
        options.at_time.FromDatetime(at)
    return options


def _messages(
    documents: Iterable[tuple[str, bytes]], options: validation_pb2.ValidationOptions
) -> Iterator[validation_pb2.ValidateDocumentsRequest]:
    make = validation_pb2.ValidateDocumentsRequest
    yield make(header=validation_pb2.ValidationHeader(options=options))
    for document_id, content in documents:
        first = content[:_CHUNK_BYTES]
        yield make(document=batch_pb2.DocumentStart(document_id=document_id, size_bytes=len(content), data=first))
        for at in range(_CHUNK_BYTES, len(content), _CHUNK_BYTES):
            yield make(chunk=batch_pb2.DocumentChunk(data=content[at : at + _CHUNK_BYTES]))


def _validated(result: validation_pb2.ValidationResult) -> ValidatedDocument:
    if result.status.code:
        return ValidatedDocument(result.document_id, None, from_rpc_status(result.status))
    return ValidatedDocument(result.document_id, _document(result.report), None)


def _document(report: validation_pb2.ValidationReport) -> DocumentVerdict:
    return DocumentVerdict(
        indication=_name(validation_pb2.Indication, report.indication, "INDICATION_"),
        signatures=tuple(_signature(each) for each in report.signatures),
        slots=tuple(
            SlotVerdict(
                _name(common_pb2.RecordSlot, each.slot, "RECORD_SLOT_"),
                each.subject_id,
                each.signature_name,
                each.references_right,
                each.order_right,
            )
            for each in report.slots
        ),
        summary_vi=report.summary_vi,
        summary_en=report.summary_en,
        validation_time=report.validation_time.ToDatetime(UTC),
        document_sha256=report.document_sha256,
    )


def _signature(found: validation_pb2.SignatureReport) -> SignatureVerdict:
    return SignatureVerdict(
        name=found.signature_name,
        indication=_name(validation_pb2.Indication, found.indication, "INDICATION_"),
        sub_indication=_name(validation_pb2.SubIndication, found.sub_indication, "SUB_INDICATION_"),
        level=_name(common_pb2.Level, found.level, "LEVEL_"),
        signer=found.signer.subject,
        certificate_serial=found.signer.serial,
        claimed_time=found.claimed_time.ToDatetime(UTC) if found.HasField("claimed_time") else None,
        proven_time=found.proven_time.ToDatetime(UTC) if found.HasField("proven_time") else None,
        revocation=_name(validation_pb2.RevocationStatus, found.revocation.status, "REVOCATION_STATUS_"),
        covers_whole=found.covers_whole,
        later_changes=_name(validation_pb2.ChangeKind, found.later_changes, "CHANGE_KIND_"),
        messages=tuple(found.messages),
    )


def _checked(found: validation_pb2.CheckCertificateResponse) -> CertificateCheck:
    return CertificateCheck(
        may_sign=found.may_sign,
        indication=_name(validation_pb2.Indication, found.indication, "INDICATION_"),
        sub_indication=_name(validation_pb2.SubIndication, found.sub_indication, "SUB_INDICATION_"),
        subject=found.certificate.subject,
        revocation=_name(validation_pb2.RevocationStatus, found.revocation.status, "REVOCATION_STATUS_"),
        source=found.revocation.source,
        messages=tuple(found.messages),
    )


def _anchor(found: validation_pb2.TrustAnchor) -> AnchorInfo:
    return AnchorInfo(
        id=found.anchor_id,
        subject=found.certificate.subject,
        not_after=found.certificate.not_after.ToDatetime(UTC),
        purposes=tuple(_name(validation_pb2.TrustPurpose, each, "TRUST_PURPOSE_") for each in found.purposes),
        known_as=found.known_as,
        warnings=tuple(found.warnings),
    )


def _name(kind: Any, number: int, prefix: str) -> str:
    """A value's name without its enum's; empty for UNSPECIFIED, the number's text for one that this client does not know."""
    if not number:
        return ""
    return str(kind.Name(number)).removeprefix(prefix) if number in kind.values() else str(number)
