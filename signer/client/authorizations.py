"""AuthorizationService: a holder allows an exact list, by factors given here or on their own page."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from signer.client import convert
from signer.client.authorization_values import Allowing, AuthorizationInfo, Sad
from signer.client.channel import Connection
from signer.client.convert_plan import signing_plan
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.errors import AuthorizationExpired, DeadlineExceeded
from signer.formats.entry_list import digest_of_entries
from signer.people.authorization import AuthorizationState
from signer.people.factor import FactorKind
from signer.rpc_status import from_failed_call, from_rpc_status
from signer.secrets import Secret
from signer.v1 import authorization_pb2, authorization_pb2_grpc, signature_pb2

LISTED_MAX: Final = 1000
"""Longer lists travel as digest and count."""
_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 2.0
_STATES: Final = {authorization_pb2.AuthorizationState.Value(f"AUTHORIZATION_STATE_{each.name}"): each for each in AuthorizationState}
_NUMBERS: Final = {state: number for number, state in _STATES.items()}
_KINDS: Final = {authorization_pb2.FactorKind.Value(f"FACTOR_KIND_{each.name}"): each for each in FactorKind}
_GOOD: Final = (AuthorizationState.GRANTED, AuthorizationState.SPENT)


class AuthorizationClient:
    """What holders allow. Raises errors of our tree."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._stub = authorization_pb2_grpc.AuthorizationServiceStub(connection.channel)
        self._policy = policy

    def authorize(self, wanted: Allowing, *, pin: Secret | None = None, totp: Secret | None = None, timeout_s: float = _TIMEOUT_S) -> Sad:
        """A SAD for exactly what is wanted, by the holder's factors. Not tried again: the code works once.

        Raises FactorsRefused, RoleRefused, InvalidArgument, BatchTooLarge.
        """
        factors = [authorization_pb2.Factor(pin=pin.reveal())] if pin else []
        factors += [authorization_pb2.Factor(totp=totp.reveal())] if totp else []
        request = authorization_pb2.AuthorizeRequest(target=_target(wanted), person_id=wanted.person_id, factors=factors)
        try:
            given = self._stub.Authorize(request, timeout=timeout_s)
        except grpc.RpcError as failed:
            raise from_failed_call(failed) from failed
        return Sad(given.authorization.authorization_id, given.sad, wanted.entries)

    def ask(self, wanted: Allowing, *, decide_within_s: float = 0.0, timeout_s: float = _TIMEOUT_S) -> tuple[AuthorizationInfo, str]:
        """Asks the holder on their page; the pending authorisation, and the page's address. The same again returns the same one."""
        request = authorization_pb2.RequestAuthorizationRequest(
            request_id=wanted.request_id, target=_target(wanted), person_id=wanted.person_id
        )
        request.decide_within.FromMilliseconds(round(decide_within_s * 1000))
        response = self._patiently(self._stub.RequestAuthorization, request, timeout_s)
        return _info(response.authorization), response.approval_uri

    def wait(self, wanted: Allowing, authorization_id: str, *, timeout_s: float) -> Sad:
        """The SAD, once the holder has allowed it on the page.

        Raises AuthorizationRequired (the holder refused), AuthorizationExpired, AuthorizationSpent (revoked) or DeadlineExceeded.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            found, sad = self._get(wanted.plan.school_id, authorization_id)
            if sad:
                return Sad(authorization_id, sad, wanted.entries)
            if found.state is not AuthorizationState.PENDING:
                raise self._why(wanted.plan.school_id, authorization_id)
            if time.monotonic() >= deadline_s:
                raise DeadlineExceeded("the holder has not decided yet; the same request goes on waiting")
            time.sleep(min(_POLL_S, max(0.0, deadline_s - time.monotonic())))

    def of_request(self, wanted: Allowing) -> Sad | None:
        """The SAD that this request was given before, by whichever way, while it is good; None when there is none."""
        for found in self.list(wanted.plan.school_id, person_id=wanted.person_id, states=_GOOD):
            if wanted.request_id in (found.spent_by, found.request_id):
                message = self._message(wanted.plan.school_id, found.id)
                if message.sad and message.authorization.target.list.digest.sha256 == digest_of_entries(wanted.entries):
                    return Sad(found.id, message.sad, wanted.entries)
        return None

    def list(
        self, school_id: str, *, person_id: str = "", states: Collection[AuthorizationState] = (), timeout_s: float = _TIMEOUT_S
    ) -> Iterator[AuthorizationInfo]:
        """A school's, newest first, read as they are needed."""
        numbers: Any = [_NUMBERS[state] for state in states]
        request = authorization_pb2.ListAuthorizationsRequest(school_id=school_id, person_id=person_id, states=numbers)
        while True:
            response = self._patiently(self._stub.ListAuthorizations, request, timeout_s)
            yield from map(_info, response.authorizations)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    def get(self, school_id: str, authorization_id: str) -> AuthorizationInfo:
        """One. AuthorizationNotFound."""
        return self._get(school_id, authorization_id)[0]

    def revoke(self, school_id: str, authorization_id: str, reason: str = "", *, timeout_s: float = _TIMEOUT_S) -> AuthorizationInfo:
        """Ends one: nothing more is signed under it. AuthorizationNotFound."""
        request = authorization_pb2.RevokeAuthorizationRequest(school_id=school_id, authorization_id=authorization_id, reason=reason)
        return _info(self._patiently(self._stub.RevokeAuthorization, request, timeout_s).authorization)

    def _get(self, school_id: str, authorization_id: str) -> tuple[AuthorizationInfo, bytes]:
        message = self._message(school_id, authorization_id)
        return _info(message.authorization), message.sad

    def _message(self, school_id: str, authorization_id: str) -> authorization_pb2.GetAuthorizationResponse:
        request = authorization_pb2.GetAuthorizationRequest(school_id=school_id, authorization_id=authorization_id)
        message: authorization_pb2.GetAuthorizationResponse = self._patiently(self._stub.GetAuthorization, request, _TIMEOUT_S)
        return message

    def _why(self, school_id: str, authorization_id: str) -> Exception:
        """Why one that has ended was not granted."""
        request = authorization_pb2.WatchAuthorizationRequest(school_id=school_id, authorization_id=authorization_id)
        for response in self._stub.WatchAuthorization(request, timeout=_TIMEOUT_S):
            if response.status.code:
                return from_rpc_status(response.status)
        return AuthorizationExpired("it was not granted")

    def _patiently(self, method: Any, request: Any, timeout_s: float) -> Any:
        return call_patiently(method, request, policy=self._policy, deadline_s=time.monotonic() + timeout_s)


def _target(wanted: Allowing) -> authorization_pb2.AuthorizationTarget:
    plan, is_of_digests = wanted.plan, wanted.plan.profile.is_of_digest
    algorithm: Any = convert.ALGORITHM_NUMBERS[plan.algorithm] if plan.algorithm and is_of_digests else 0
    message = authorization_pb2.AuthorizationTarget(
        school_id=plan.school_id,
        credential_id=plan.credential_id,
        list=_signable(wanted.entries),
        plan=None if is_of_digests else signing_plan(plan),
        algorithm=algorithm,
        request_id=wanted.request_id,
        presentation=authorization_pb2.Presentation(
            class_name=wanted.class_name,
            school_name=wanted.school_name,
            summary=wanted.summary,
            items=[
                authorization_pb2.PresentedItem(document_id=line.document_id, entry=line.entry, text=line.text) for line in wanted.lines
            ],
        ),
    )
    message.list.source_documents = not is_of_digests
    message.lifetime.FromMilliseconds(round(wanted.lifetime_s * 1000))
    return message


def activation(sad: Sad) -> signature_pb2.Activation:
    """How a SAD goes with a request: with its entries where it was given for their digest alone."""
    return signature_pb2.Activation(sad=sad.sad, entries=sad.entries if len(sad.entries) > LISTED_MAX else ())


def _signable(entries: tuple[bytes, ...]) -> authorization_pb2.SignableList:
    if len(entries) <= LISTED_MAX:
        return authorization_pb2.SignableList(entries=authorization_pb2.SignableEntries(entries=entries))
    return authorization_pb2.SignableList(digest=authorization_pb2.SignableDigest(sha256=digest_of_entries(entries), count=len(entries)))


def _info(message: authorization_pb2.Authorization) -> AuthorizationInfo:
    target = message.target
    return AuthorizationInfo(
        id=message.authorization_id,
        school_id=target.school_id,
        credential_id=target.credential_id,
        person_id=message.person_id,
        client_id=message.client_id,
        state=_STATES[message.state],
        class_name=target.presentation.class_name,
        summary=target.presentation.summary,
        allowed_count=message.allowed_count,
        signed_count=message.signed_count,
        request_id=target.request_id,
        spent_by=message.spent_by_request_id,
        factors=frozenset(_KINDS[kind] for kind in message.factors),
        created=_moment(message.create_time),
        expires=_moment(message.expire_time),
        decided=_moment(message.decide_time) if message.HasField("decide_time") else None,
    )


def _moment(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)
