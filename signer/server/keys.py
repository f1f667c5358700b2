"""AdminService: the life of keys. For operators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from signer.errors import CredentialNotFound, InvalidArgument, SignerError
from signer.model import Credential
from signer.pipeline.engine import Engine
from signer.pipeline.key_import import import_certificates
from signer.pipeline.key_life import KeyLife, KeyMade
from signer.pipeline.key_renewal import ending_before
from signer.rpc_status import to_rpc_status
from signer.server import convert, convert_keys
from signer.server.door import current_operator
from signer.tokens.pool import TokenPool
from signer.v1 import admin_keys_pb2, admin_pb2_grpc

_operator = partial(current_operator, "manage keys")

_PAGE_SIZE_MAX = 1000


class KeyMethods(admin_pb2_grpc.AdminServiceServicer):
    """Convert, ask `KeyLife`, convert."""

    def __init__(self, engine: Engine, pools: Mapping[str, TokenPool], life: KeyLife) -> None:
        self._engine = engine
        self._pools = pools
        self._life = life

    async def GenerateKeys(  # noqa: N802
        self,
        request: admin_keys_pb2.GenerateKeysRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[admin_keys_pb2.GenerateKeysResponse]:
        """A result for each, as soon as it is durable."""
        client_id = _operator()
        async for wanted, outcome in self._life.generate(client_id, convert_keys.wanted_keys(request.keys)):
            yield admin_keys_pb2.GenerateKeysResponse(result=self._result(wanted.credential_id, outcome))

    async def CreateCertificateRequests(  # noqa: N802
        self,
        request: admin_keys_pb2.CreateCertificateRequestsRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_keys_pb2.CreateCertificateRequestsResponse:
        """Requests signed now, of those named or of those that wait."""
        _operator()
        page_size = min(request.page_size or _PAGE_SIZE_MAX, _PAGE_SIZE_MAX)
        response = admin_keys_pb2.CreateCertificateRequestsResponse()
        if request.credential_ids:
            if len(request.credential_ids) > page_size:
                raise InvalidArgument(f"credential_ids has more than {page_size}", field="credential_ids")
            credentials = [await self._named(name, request.school_id) for name in request.credential_ids]
        else:
            after = convert.identifier(request.page_token, "page_token") if request.page_token else ""
            schools = [request.school_id] if request.school_id else None
            found = await self._life.awaiting(schools, after, page_size + 1)
            credentials = found[:page_size]
            response.next_page_token = credentials[-1].id if len(found) > page_size else ""
        async for credential, outcome in self._life.requests(credentials):
            made = outcome if isinstance(outcome, SignerError) else KeyMade(credential, outcome)
            response.results.append(self._result(credential.id, made))
        return response

    async def ImportCertificates(  # noqa: N802
        self,
        request: admin_keys_pb2.ImportCertificatesRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_keys_pb2.ImportCertificatesResponse:
        """Each on its own: one that is refused harms no other."""
        client_id, engine = _operator(), self._engine
        response = admin_keys_pb2.ImportCertificatesResponse()
        issuers, now = engine.credentials.issuers, engine.utc_now()
        for imported in await import_certificates(self._life, issuers, client_id, request.certificates, now, dry_run=request.dry_run):
            result = response.results.add()
            if isinstance(imported, SignerError):
                result.status.CopyFrom(to_rpc_status(imported))
            else:
                result.certificate.CopyFrom(convert.certificate_info(imported.certificate))
                result.credential.CopyFrom(convert_keys.credential_message(engine, self._pools, imported.credential))
        return response

    async def RenewCredentials(  # noqa: N802
        self,
        request: admin_keys_pb2.RenewCredentialsRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[admin_keys_pb2.RenewCredentialsResponse]:
        """New keys beside the old ones; with keep_key, requests for the same keys."""
        client_id = _operator()
        overlap_end = convert_keys.moment(request.overlap_end, "overlap_end") if request.HasField("overlap_end") else None
        for credential in await self._to_renew(request):
            if request.keep_key:
                [(_credential, made)] = [each async for each in self._life.requests([credential])]
                new_id, outcome = credential.id, made if isinstance(made, SignerError) else KeyMade(credential, made)
            else:
                new_id, outcome = await self._life.renew(client_id, credential, overlap_end)
            yield admin_keys_pb2.RenewCredentialsResponse(credential_id=credential.id, result=self._result(new_id, outcome))

    async def SetCredentialState(  # noqa: N802
        self,
        request: admin_keys_pb2.SetCredentialStateRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_keys_pb2.SetCredentialStateResponse:
        """Suspended, active again, disabled for good."""
        client_id, state = _operator(), convert_keys.settable_state(request.state)
        credential = await self._named(request.credential_id, request.school_id)
        changed = await self._life.set_state(client_id, credential, state, convert_keys.text(request.reason, "reason"))
        return admin_keys_pb2.SetCredentialStateResponse(credential=convert_keys.credential_message(self._engine, self._pools, changed))

    async def DestroyKey(  # noqa: N802
        self,
        request: admin_keys_pb2.DestroyKeyRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_keys_pb2.DestroyKeyResponse:
        """For good."""
        client_id = _operator()
        credential = await self._named(request.credential_id, request.school_id)
        changed = await self._life.destroy(client_id, credential, convert_keys.text(request.approval_id, "approval_id"))
        return admin_keys_pb2.DestroyKeyResponse(credential=convert_keys.credential_message(self._engine, self._pools, changed))

    async def _to_renew(self, request: admin_keys_pb2.RenewCredentialsRequest) -> list[Credential]:
        if request.credential_ids:
            return [await self._named(name, request.school_id) for name in request.credential_ids]
        if not request.HasField("expire_before"):
            raise InvalidArgument("give credential_ids, or expire_before", field="credential_ids")
        schools = [request.school_id] if request.school_id else None
        return await ending_before(self._life, schools, convert_keys.moment(request.expire_before, "expire_before"))

    async def _named(self, credential_id: str, school_id: str) -> Credential:
        """A credential of any school, when none is given: operators speak for all."""
        credential_id = convert.identifier(credential_id, "credential_id")
        if school_id:
            return await self._engine.credential(credential_id, convert.identifier(school_id, "school_id"))
        kept = await self._life.kept.find(credential_id)
        if kept is not None:
            return kept
        for credential in self._engine.credentials.list_all():
            if credential.id == credential_id:
                return credential
        raise CredentialNotFound(f"no credential {credential_id!r}; `signer keys list` shows those there are", credential=credential_id)

    def _result(self, credential_id: str, outcome: KeyMade | SignerError) -> admin_keys_pb2.KeyResult:
        return convert_keys.key_result(self._engine, self._pools, credential_id, outcome)
