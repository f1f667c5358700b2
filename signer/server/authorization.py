"""AuthorizationService: a holder allows an exact list, by factors given here or on their own page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

from google.rpc import status_pb2

from signer.control.authorizing import Wanted
from signer.errors import (
    AuthorizationExpired,
    AuthorizationRequired,
    AuthorizationSpent,
    CredentialNotFound,
    InvalidArgument,
    NotServedYet,
    SignerError,
)
from signer.journal.authorizations import AuthorizationFilter
from signer.people.authorization import Authorization, AuthorizationState, AuthorizationTarget
from signer.people.factor import FactorKind
from signer.pipeline.engine import Engine
from signer.pipeline.plan import plan_sha256
from signer.pipeline.request import Request
from signer.rpc_status import to_rpc_status
from signer.server import convert, convert_keys
from signer.server import convert_authorization as words
from signer.server.activating import ActivationRooms
from signer.server.door import current_visit
from signer.server.planning import checked_plan
from signer.server.served import require_served
from signer.store.times import microseconds
from signer.v1 import authorization_pb2, authorization_pb2_grpc

_PAGE_SIZE_MAX: Final = 100
_WITH_SAD: Final = (AuthorizationState.GRANTED, AuthorizationState.SPENT)
_REASON_MAX: Final = 300


class AuthorizationService(authorization_pb2_grpc.AuthorizationServiceServicer):
    """All of it."""

    def __init__(self, engine: Engine, rooms: ActivationRooms) -> None:
        self._engine = engine
        self._rooms = rooms
        self._authorizing = rooms.authorizing

    async def Authorize(self, request: authorization_pb2.AuthorizeRequest, context: Any) -> authorization_pb2.AuthorizeResponse:  # noqa: N802, ARG002
        """A SAD, by factors."""
        wanted = await self._wanted(request.target, request.person_id)
        sad, found = await self._authorizing.authorize(wanted, words.factors(request.factors))
        return authorization_pb2.AuthorizeResponse(sad=sad, authorization=words.authorization_message(found))

    async def CreateChallenge(  # noqa: N802
        self,
        request: authorization_pb2.CreateChallengeRequest,
        context: Any,  # noqa: ARG002
    ) -> authorization_pb2.CreateChallengeResponse:
        """WebAuthn options."""
        if words.factor_kind(request.kind) is not FactorKind.WEBAUTHN:
            raise NotServedYet(
                "challenges are made for FACTOR_KIND_WEBAUTHN; other kinds are part of the contract, but not served", field="kind"
            )
        wanted = await self._wanted(request.target, request.person_id)
        made = await self._authorizing.challenge(wanted.person_id, wanted.target)
        return authorization_pb2.CreateChallengeResponse(
            challenge_id=made.id, webauthn_options_json=made.options_json, expire_time=convert.timestamp(made.expires)
        )

    async def RequestAuthorization(  # noqa: N802
        self,
        request: authorization_pb2.RequestAuthorizationRequest,
        context: Any,  # noqa: ARG002
    ) -> authorization_pb2.RequestAuthorizationResponse:
        """A pending authorisation, decided on the page for people."""
        request_id = convert.identifier(request.request_id, "request_id")
        wanted = await self._wanted(request.target, request.person_id)
        if wanted.holder not in ("", wanted.person_id):
            raise CredentialNotFound(f"{wanted.person_id} has no credential {wanted.target.credential_id!r}")
        found = await self._authorizing.request(wanted, request_id, words.span(request.decide_within, "decide_within"))
        return authorization_pb2.RequestAuthorizationResponse(
            authorization=words.authorization_message(found), approval_uri=self._page_of(found)
        )

    async def GetAuthorization(  # noqa: N802
        self,
        request: authorization_pb2.GetAuthorizationRequest,
        context: Any,  # noqa: ARG002
    ) -> authorization_pb2.GetAuthorizationResponse:
        """One, with its SAD for whom it belongs to."""
        school_id, authorization_id = self._named(request)
        found = await self._authorizing.find(school_id, authorization_id)
        return authorization_pb2.GetAuthorizationResponse(authorization=words.authorization_message(found), sad=await self._sad(found))

    async def WatchAuthorization(  # noqa: N802
        self,
        request: authorization_pb2.WatchAuthorizationRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[authorization_pb2.WatchAuthorizationResponse]:
        """Each change, up to the decision or the end."""
        school_id, authorization_id = self._named(request)
        budget = current_visit().request(school_id, authorization_id)
        async for found in self._authorizing.watch(school_id, authorization_id, budget.check):
            response = authorization_pb2.WatchAuthorizationResponse(
                authorization=words.authorization_message(found), sad=await self._sad(found)
            )
            if found.state is not AuthorizationState.PENDING:
                response.status.CopyFrom(_end(found))
            yield response

    async def ListAuthorizations(  # noqa: N802
        self,
        request: authorization_pb2.ListAuthorizationsRequest,
        context: Any,  # noqa: ARG002
    ) -> authorization_pb2.ListAuthorizationsResponse:
        """A page, newest first; its token is the last one's creation and id."""
        size = min(request.page_size or _PAGE_SIZE_MAX, _PAGE_SIZE_MAX)
        found = await self._authorizing.page(_filter(request), size + 1)
        page = found[:size]
        token = f"{microseconds(page[-1].created)}:{page[-1].id}" if len(found) > size else ""
        return authorization_pb2.ListAuthorizationsResponse(
            authorizations=[words.authorization_message(each) for each in page], next_page_token=token
        )

    async def RevokeAuthorization(  # noqa: N802
        self,
        request: authorization_pb2.RevokeAuthorizationRequest,
        context: Any,  # noqa: ARG002
    ) -> authorization_pb2.RevokeAuthorizationResponse:
        """Ends one."""
        school_id, authorization_id = self._named(request)
        reason = convert_keys.text(request.reason, "reason")
        found = await self._authorizing.revoke(current_visit().caller.client_id, school_id, authorization_id, reason)
        return authorization_pb2.RevokeAuthorizationResponse(authorization=words.authorization_message(found))

    def _page_of(self, found: Authorization) -> str:
        """Where its holder decides; empty where there is no page."""
        return f"{self._rooms.page_origin}/review?id={found.id}" if self._rooms.page_origin else ""

    def _named(self, request: Any) -> tuple[str, str]:
        school_id = convert.identifier(request.school_id, "school_id")
        current_visit().require_school(school_id)
        return school_id, convert.identifier(request.authorization_id, "authorization_id")

    async def _sad(self, found: Authorization) -> bytes:
        if found.state not in _WITH_SAD:
            return b""
        return await self._authorizing.sad(current_visit().caller.client_id, found.id)

    async def _wanted(self, message: authorization_pb2.AuthorizationTarget, person_id: str) -> Wanted:
        """What is to be allowed, checked as far as its signing would be before the first document."""
        school_id = convert.identifier(message.school_id, "target.school_id")
        budget = current_visit().request(school_id, "")
        credential_id = convert.identifier(message.credential_id, "target.credential_id")
        credential = await self._engine.credential(credential_id, school_id)
        listed, entries = words.signable(message.list, self._engine.multisign_max)
        if not message.HasField("presentation"):
            raise InvalidArgument("target.presentation is required: what the holder sees", field="target.presentation")
        target = AuthorizationTarget(
            school_id=school_id,
            credential_id=credential_id,
            list=listed,
            presentation=words.presentation(message.presentation, listed),
            request_id=convert.identifier(message.request_id, "target.request_id") if message.request_id else "",
            approval_ids=words.approval_ids(message.approval_ids),
        )
        target = await self._with_plan(budget, message, target)
        return Wanted(
            target=replace(target, presentation=words.with_role(target.presentation, target)),
            client_id=budget.client_id,
            person_id=convert.identifier(person_id, "person_id"),
            holder=credential.kept.key.person_id if credential.kept else "",
            entries=entries,
            lifetime=words.span(message.lifetime, "target.lifetime"),
        )

    async def _with_plan(
        self, budget: Request, message: authorization_pb2.AuthorizationTarget, target: AuthorizationTarget
    ) -> AuthorizationTarget:
        if not target.list.source_documents:
            if message.HasField("plan"):
                raise InvalidArgument("target.plan is for source documents; leave it unset for final digests", field="target.plan")
            credential = await self._engine.credential(target.credential_id, target.school_id)
            algorithm = convert.algorithm(message.algorithm)
            return replace(target, algorithm=self._engine.credentials.choose_algorithm(credential, algorithm))
        if message.plan.credential_id != target.credential_id:
            raise InvalidArgument(
                "target.plan is required, and its credential_id is target.credential_id", field="target.plan.credential_id"
            )
        require_served(message.plan, "target.plan.")
        plan = await checked_plan(self._engine, budget, message.plan)
        record = plan.record
        return replace(
            target,
            plan_sha256=plan_sha256(plan),
            plan=message.plan.SerializeToString(deterministic=True),
            role=record.role if record else None,
            delegation_id=record.delegation_id if record else "",
        )


def _filter(request: authorization_pb2.ListAuthorizationsRequest) -> AuthorizationFilter:
    school_id = convert.identifier(request.school_id, "school_id")
    current_visit().require_school(school_id)
    created = request.created
    return AuthorizationFilter(
        school_id=school_id,
        person_id=convert.identifier(request.person_id, "person_id") if request.person_id else "",
        states=words.states(request.states),
        start=convert_keys.moment(created.start, "created.start") if created.HasField("start") else None,
        end=convert_keys.moment(created.end, "created.end") if created.HasField("end") else None,
        before=_page_start(request.page_token) if request.page_token else None,
    )


def _page_start(token: str) -> tuple[int, str]:
    created_us, colon, last_id = token.partition(":")
    start = convert.page_number(created_us)
    if not colon or start is None:
        raise InvalidArgument("page_token is not one of ours", field="page_token")
    return start, convert.identifier(last_id, "page_token")


def _end(found: Authorization) -> status_pb2.Status:
    """How a watched one ended."""
    errors: dict[AuthorizationState, SignerError] = {
        AuthorizationState.REJECTED: AuthorizationRequired("the holder refused"),
        AuthorizationState.EXPIRED: AuthorizationExpired("the holder did not decide in time, or it was not used in time"),
        AuthorizationState.REVOKED: AuthorizationSpent("it was revoked"),
    }
    error = errors.get(found.state)
    return to_rpc_status(error) if error else status_pb2.Status()
