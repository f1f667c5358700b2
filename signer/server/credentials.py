"""CredentialService: which keys a school may name, and what keeps them from signing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from signer.model import Credential, Problem, ProblemKind
from signer.pipeline.engine import Engine
from signer.server import convert
from signer.server.door import current_visit
from signer.tokens.pool import TokenPool
from signer.v1 import common_pb2, credential_pb2, credential_pb2_grpc

_PROBLEMS: dict[ProblemKind, Any] = {
    kind: credential_pb2.CredentialProblem.Value(f"CREDENTIAL_PROBLEM_{kind.name}") for kind in ProblemKind
}
_PAGE_SIZE_MAX = 1000
_EC_KINDS = {256: common_pb2.KEY_KIND_EC_P256, 384: common_pb2.KEY_KIND_EC_P384}
_RSA_KINDS = {2048: common_pb2.KEY_KIND_RSA_2048, 3072: common_pb2.KEY_KIND_RSA_3072, 4096: common_pb2.KEY_KIND_RSA_4096}


class CredentialService(credential_pb2_grpc.CredentialServiceServicer):
    """Both methods read what the tokens showed last; no token is asked."""

    def __init__(self, engine: Engine, pools: Mapping[str, TokenPool]) -> None:
        self._engine = engine
        self._pools = pools

    async def ListCredentials(  # noqa: N802
        self,
        request: credential_pb2.ListCredentialsRequest,
        context: Any,  # noqa: ARG002
    ) -> credential_pb2.ListCredentialsResponse:
        """A page of them, by id; the page token is the last id of the page before."""
        after = convert.identifier(request.page_token, "page_token") if request.page_token else ""
        page_size = min(request.page_size or _PAGE_SIZE_MAX, _PAGE_SIZE_MAX)
        messages = (self._message(credential) for credential in self._visible(request.school_id) if credential.id > after)
        wanted = (message for message in messages if (message.usable or not request.usable_only) and not request.person_id)
        page = list(islice(wanted, page_size + 1))
        next_page_token = page[page_size - 1].credential_id if len(page) > page_size else ""
        return credential_pb2.ListCredentialsResponse(credentials=page[:page_size], next_page_token=next_page_token)

    async def GetCredential(  # noqa: N802
        self,
        request: credential_pb2.GetCredentialRequest,
        context: Any,  # noqa: ARG002
    ) -> credential_pb2.GetCredentialResponse:
        """One credential with its chain."""
        caller = current_visit().caller
        if request.school_id or not caller.is_operator:
            caller.require_school(convert.identifier(request.school_id, "school_id"))
        credential = self._engine.credentials.resolve(convert.identifier(request.credential_id, "credential_id"), request.school_id)
        return credential_pb2.GetCredentialResponse(
            credential=self._message(credential), chain=[convert.certificate_info(der) for der in credential.chain]
        )

    def _visible(self, school_id: str) -> list[Credential]:
        """A school's credentials; without a school all that the caller may see: an operator the appliance's own as well."""
        caller = current_visit().caller
        if school_id:
            caller.require_school(convert.identifier(school_id, "school_id"))
            return self._engine.credentials.list_for([school_id])
        return self._engine.credentials.list_all() if caller.is_operator else self._engine.credentials.list_for(caller.schools)

    def _message(self, credential: Credential) -> credential_pb2.Credential:
        findings = self._engine.credentials.findings(credential, self._engine.utc_now())
        pool = self._pools[credential.token_name]
        if pool.problem:
            findings.append(Problem(ProblemKind.TOKEN_NOT_READY, pool.problem))
        message = credential_pb2.Credential(
            credential_id=credential.id,
            school_id=credential.school_id,
            token_name=credential.token_name,
            algorithms=[convert.ALGORITHM_NUMBERS[algorithm] for algorithm in credential.algorithms],
            state=credential_pb2.CREDENTIAL_STATE_ACTIVE
            if credential.certificate
            else credential_pb2.CREDENTIAL_STATE_AWAITING_CERTIFICATE,
            usable=not findings,
            findings=[credential_pb2.CredentialFinding(problem=_PROBLEMS[finding.kind], message=finding.text) for finding in findings],
            activation=credential_pb2.ACTIVATION_MODE_NONE,
            key_storage=credential_pb2.KEY_STORAGE_TOKEN,
        )
        if credential.certificate:
            message.certificate.CopyFrom(convert.certificate_info(credential.certificate))
            message.key_kind = _key_kind(credential.certificate)
        return message


def _key_kind(der: bytes) -> Any:
    key = x509.load_der_x509_certificate(der).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return _RSA_KINDS.get(key.key_size, common_pb2.KEY_KIND_UNSPECIFIED)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _EC_KINDS.get(key.key_size, common_pb2.KEY_KIND_UNSPECIFIED)
    return common_pb2.KEY_KIND_UNSPECIFIED
