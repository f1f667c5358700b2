"""ValidationService: convert, judge, convert. For every configured client: it reveals nothing of any school."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from signer.config.server import ServerSettings
from signer.errors import CertificateUnusable, InvalidArgument, SignerError
from signer.pipeline.engine import Engine
from signer.pipeline.request import Request
from signer.pipeline.signer_check import SignerCheck
from signer.pipeline.verification import Judgement, Manner, Verification
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.server import convert_validation as validation
from signer.server.door import current_visit
from signer.server.limits import require_size
from signer.server.look_stream import LookStream
from signer.trust.book import TrustBook
from signer.v1 import validation_pb2, validation_pb2_grpc
from signer.validation.report import Indication

_Response = validation_pb2.ValidateDocumentsResponse


@dataclass(frozen=True, slots=True)
class ValidationRooms:
    """What the service stands on."""

    verification: Verification
    signers: SignerCheck
    book: TrustBook


class ValidationService(validation_pb2_grpc.ValidationServiceServicer):
    """All of ValidationService."""

    def __init__(self, rooms: ValidationRooms, engine: Engine, settings: ServerSettings) -> None:
        self._rooms = rooms
        self._engine = engine
        self._settings = settings

    async def ValidateDocument(  # noqa: N802
        self,
        request: validation_pb2.ValidateDocumentRequest,
        context: Any,  # noqa: ARG002
    ) -> validation_pb2.ValidateDocumentResponse:
        """Every signature of one document."""
        require_size(len(request.document), self._settings.limits.document_bytes_max)
        manner = validation.manner(request.options, "options")
        judged = await self._rooms.verification.verify(request.document, manner, current_visit().budget().deadline_s)
        return validation_pb2.ValidateDocumentResponse(report=validation.report(judged, hashlib.sha256(request.document).digest()))

    async def ValidateDocuments(  # noqa: N802
        self,
        request_iterator: AsyncIterator[validation_pb2.ValidateDocumentsRequest],
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[_Response]:
        """Many documents over one stream."""
        first = await anext(aiter(request_iterator), None)
        if first is None or first.WhichOneof("message") != "header":
            raise InvalidArgument("the first message of the stream must be the header", field="header")
        manner = validation.manner(first.header.options, "header.options")
        if manner.content is not None:
            message = "header.options.detached_content is for one document; leave it unset"
            raise InvalidArgument(message, field="header.options.detached_content")
        stream = _ValidationStream(self._settings, self._rooms.verification, manner, current_visit().budget())
        async for response in stream.run(request_iterator):
            yield response

    async def CheckCertificate(  # noqa: N802
        self,
        request: validation_pb2.CheckCertificateRequest,
        context: Any,  # noqa: ARG002
    ) -> validation_pb2.CheckCertificateResponse:
        """Whether a certificate may sign now."""
        encoded, others = await self._certificate(request)
        try:
            certificate = x509.load_der_x509_certificate(encoded)
        except ValueError as error:
            raise InvalidArgument("certificate is no certificate in DER", field="certificate") from error
        signers = self._rooms.signers
        verdict = await signers.judge(certificate, others, current_visit().deadline_s, fresh=request.fresh)
        may_sign = signers.may_sign(verdict, is_long_term=False)
        return validation.checked(verdict, encoded, may_sign=may_sign, now=self._engine.utc_now())

    async def ListTrustAnchors(  # noqa: N802
        self,
        request: validation_pb2.ListTrustAnchorsRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> validation_pb2.ListTrustAnchorsResponse:
        """Every believed CA, by subject."""
        now = self._engine.utc_now()
        return validation_pb2.ListTrustAnchorsResponse(anchors=[validation.anchor(each, now) for each in self._rooms.book.anchors])

    async def _certificate(self, request: validation_pb2.CheckCertificateRequest) -> tuple[bytes, tuple[bytes, ...]]:
        """The one asked about, and what came along with it."""
        kind = request.WhichOneof("subject")
        if kind == "certificate":
            return request.certificate, ()
        if kind is None:
            raise InvalidArgument("give a credential or a certificate", field="subject")
        named = request.credential
        visit = current_visit()
        visit.require_school(convert.identifier(named.school_id, "credential.school_id"))
        credential = await self._engine.credential(convert.identifier(named.credential_id, "credential.credential_id"), named.school_id)
        if not credential.certificate:
            raise CertificateUnusable(f"credential {credential.id} has no certificate yet", credential=credential.id)
        return credential.certificate, credential.chain


@dataclass(frozen=True, slots=True)
class _Found:
    judged: Judgement
    document_sha256: bytes


class _ValidationStream(LookStream[_Response, _Found]):
    """One stream after its header."""

    def __init__(self, settings: ServerSettings, verification: Verification, manner: Manner, request: Request) -> None:
        super().__init__(settings, request)
        self._verification = verification
        self._manner = manner
        self._summary = validation_pb2.ValidationSummary()

    async def look(self, content: bytes) -> _Found | SignerError:
        """Every signature of one document."""
        try:
            judged = await self._verification.verify(content, self._manner, self.request.deadline_s)
        except SignerError as error:
            return error
        return _Found(judged, hashlib.sha256(content).digest())

    def answer(self, document_id: str, found: _Found | SignerError) -> _Response:
        """Its report, or why there is none."""
        self._summary.received += 1
        result = validation_pb2.ValidationResult(document_id=document_id[: convert.IDENTIFIER_MAX])
        if isinstance(found, SignerError):
            self._summary.unreadable += 1
            result.status.CopyFrom(to_rpc_status(found))
        else:
            self._count(found.judged)
            result.report.CopyFrom(validation.report(found.judged, found.document_sha256))
        return _Response(result=result)

    def summary(self) -> _Response:
        """Each document once."""
        return _Response(summary=self._summary)

    def _count(self, judged: Judgement) -> None:
        if not judged.report.signatures:
            self._summary.unsigned += 1
        elif judged.report.indication is Indication.TOTAL_PASSED:
            self._summary.passed += 1
        elif judged.report.indication is Indication.TOTAL_FAILED:
            self._summary.failed += 1
        else:
            self._summary.indeterminate += 1
