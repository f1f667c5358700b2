"""AdminService: which CAs are believed. For operators."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from signer.errors import ConfigError, InvalidArgument
from signer.people.approval import ApprovalKind
from signer.people.doors import FourEyes
from signer.people.four_eyes import GuardedAct, spend_approval
from signer.server import convert_validation as validation
from signer.server.believing import Believing
from signer.server.door import current_operator
from signer.server.watch import Watch
from signer.trust.admit import require_genuine
from signer.trust.anchor import Anchor
from signer.trust.files import read_certificate
from signer.v1 import admin_operations_pb2, admin_pb2_grpc

_operator = partial(current_operator, "say which CAs are believed")

_SHA256_DIGITS = 64


class TrustMethods(admin_pb2_grpc.AdminServiceServicer):
    """Adding and removing; ValidationService lists."""

    def __init__(self, believing: Believing, watch: Watch, four_eyes: FourEyes) -> None:
        self._believing = believing
        self._watch = watch
        self._four_eyes = four_eyes

    async def AddTrustAnchor(  # noqa: N802
        self,
        request: admin_operations_pb2.AddTrustAnchorRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_operations_pb2.AddTrustAnchorResponse:
        """Believes a CA from now on."""
        client_id = _operator()
        if not request.purposes or any(each not in validation.PURPOSES for each in request.purposes):
            raise InvalidArgument("purposes must name what the CA is believed for: SIGNING, VALIDATION, TIMESTAMP", field="purposes")
        try:
            certificate = read_certificate(request.certificate)
        except ConfigError as error:
            raise InvalidArgument("certificate is no certificate in DER or PEM", field="certificate") from error
        anchor = Anchor(certificate, frozenset(validation.PURPOSES[each] for each in request.purposes))
        book = self._believing.book
        require_genuine(certificate, book.anchors, None)
        if not request.dry_run and anchor not in book.anchors:
            purposes = ",".join(sorted(purpose.value for purpose in anchor.purposes))
            act = GuardedAct(ApprovalKind.TRUST_CHANGE, "", anchor.anchor_id, client_id, {"change": "add", "purposes": purposes})
            await spend_approval(self._four_eyes, act, request.approval_id)
            book.add(anchor)
            self._believing.tell()
            self._watch.trust_changed("added", anchor.anchor_id, anchor.subject, client_id)
        return admin_operations_pb2.AddTrustAnchorResponse(anchor=validation.anchor(anchor, datetime.now(UTC)))

    async def RemoveTrustAnchor(  # noqa: N802
        self,
        request: admin_operations_pb2.RemoveTrustAnchorRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_operations_pb2.RemoveTrustAnchorResponse:
        """Believes a CA no longer."""
        client_id = _operator()
        anchor_id = request.anchor_id
        if len(anchor_id) != _SHA256_DIGITS or set(anchor_id) - set("0123456789abcdef"):
            raise InvalidArgument("anchor_id must be a SHA-256 in lower-case hexadecimal", field="anchor_id")
        book = self._believing.book
        known = next((each for each in book.anchors if each.anchor_id == anchor_id), None)
        if known is None:
            return admin_operations_pb2.RemoveTrustAnchorResponse()
        act = GuardedAct(ApprovalKind.TRUST_CHANGE, "", anchor_id, client_id, {"change": "remove"})
        await spend_approval(self._four_eyes, act, request.approval_id)
        if book.remove(anchor_id):
            self._believing.tell()
            self._watch.trust_changed("removed", anchor_id, known.subject, client_id)
        return admin_operations_pb2.RemoveTrustAnchorResponse()
