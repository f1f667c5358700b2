"""CredentialService: which keys a school may name, and what keeps them from signing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signer.pipeline.engine import Engine
from signer.pipeline.key_list import list_credentials
from signer.server import convert
from signer.server.convert_keys import credential_message
from signer.server.door import current_visit
from signer.tokens.pool import TokenPool
from signer.v1 import credential_pb2, credential_pb2_grpc

_PAGE_SIZE_MAX = 1000


class CredentialService(credential_pb2_grpc.CredentialServiceServicer):
    """Both methods read what the tokens showed last, and the store; no token is asked."""

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
        page: list[credential_pb2.Credential] = []
        async for credential in list_credentials(self._engine, self._schools(request.school_id), after=after, person_id=request.person_id):
            message = credential_message(self._engine, self._pools, credential)
            if request.usable_only and not message.usable:
                continue
            if len(page) == page_size:
                return credential_pb2.ListCredentialsResponse(credentials=page, next_page_token=page[-1].credential_id)
            page.append(message)
        return credential_pb2.ListCredentialsResponse(credentials=page)

    async def GetCredential(  # noqa: N802
        self,
        request: credential_pb2.GetCredentialRequest,
        context: Any,  # noqa: ARG002
    ) -> credential_pb2.GetCredentialResponse:
        """One credential with its chain."""
        visit = current_visit()
        if request.school_id or not visit.caller.is_operator:
            visit.require_school(convert.identifier(request.school_id, "school_id"))
        credential = await self._engine.credential(convert.identifier(request.credential_id, "credential_id"), request.school_id)
        return credential_pb2.GetCredentialResponse(
            credential=credential_message(self._engine, self._pools, credential),
            chain=[convert.certificate_info(der) for der in credential.chain],
        )

    def _schools(self, school_id: str) -> frozenset[str] | None:
        """Whose credentials the caller may see; None: everybody's, and the appliance's own: operators, auditors that name no school."""
        visit = current_visit()
        if school_id:
            visit.require_school(convert.identifier(school_id, "school_id"))
            return frozenset((school_id,))
        return None if visit.caller.is_operator or visit.caller.sees_all else visit.caller.schools
