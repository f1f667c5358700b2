"""What an operator asks of the appliance about keys: make them, certify them, renew them, take them away.

with SignerClient(…) as signer:
    for made in signer.keys.generate([NewKey("teacher-7", token="hsm", school_id="79000001", subject=Subject("Nguyễn Thị Lan"))]):
        Path(f"{made.credential_id}.csr").write_bytes(made.request)
    signer.keys.bring([Path("teacher-7.crt").read_bytes()])
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import grpc

from signer.client import convert
from signer.client.channel import Connection
from signer.client.key_values import BroughtCertificate, KeyOutcome, NewKey
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.client.values import CredentialInfo
from signer.model import CredentialState, KeyStorage
from signer.rpc_status import from_failed_call
from signer.v1 import admin_keys_pb2, admin_pb2_grpc, common_pb2, credential_pb2

TIMEOUT_S = 60.0
LONG_TIMEOUT_S = 3600.0
_KEYS_PER_CALL = 200
_CERTIFICATES_PER_CALL = 200
_STORAGES = {KeyStorage.TOKEN: credential_pb2.KEY_STORAGE_TOKEN, KeyStorage.WRAPPED: credential_pb2.KEY_STORAGE_WRAPPED}


class KeyClient:
    """`SignerClient.keys`, for operators. Every method may be repeated: what is done already is returned as it is."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def generate(self, keys: Iterable[NewKey], *, timeout_s: float = LONG_TIMEOUT_S) -> Iterator[KeyOutcome]:
        """Makes keys; an outcome for each, as soon as it is durable."""
        deadline_s = time.monotonic() + timeout_s
        waiting = iter(keys)
        while portion := list(islice(waiting, _KEYS_PER_CALL)):
            request = admin_keys_pb2.GenerateKeysRequest(keys=[key_spec(key, credential_pb2.ACTIVATION_MODE_NONE) for key in portion])
            for response in self._stream(self._stub.GenerateKeys, request, deadline_s):
                yield key_outcome(response.result)

    def requests(
        self, credential_ids: Sequence[str] = (), *, school_id: str = "", timeout_s: float = LONG_TIMEOUT_S
    ) -> Iterator[KeyOutcome]:
        """Certificate requests of these credentials; of none named, of all that wait for their certificate."""
        deadline_s = time.monotonic() + timeout_s
        names = iter(credential_ids)
        portion = list(islice(names, _KEYS_PER_CALL))
        request = admin_keys_pb2.CreateCertificateRequestsRequest(school_id=school_id, page_size=_KEYS_PER_CALL, credential_ids=portion)
        while True:
            response = self._call(self._stub.CreateCertificateRequests, request, deadline_s)
            yield from map(key_outcome, response.results)
            portion = list(islice(names, _KEYS_PER_CALL))
            if not response.next_page_token and not portion:
                return
            request = admin_keys_pb2.CreateCertificateRequestsRequest(
                school_id=school_id, page_size=_KEYS_PER_CALL, credential_ids=portion, page_token=response.next_page_token
            )

    def bring(
        self, certificates: Sequence[bytes], *, dry_run: bool = False, timeout_s: float = LONG_TIMEOUT_S
    ) -> Iterator[BroughtCertificate]:
        """Imports issued certificates, PEM or DER, in order. dry_run: only says what would become of each."""
        deadline_s = time.monotonic() + timeout_s
        for start in range(0, len(certificates), _CERTIFICATES_PER_CALL):
            some = certificates[start : start + _CERTIFICATES_PER_CALL]
            request = admin_keys_pb2.ImportCertificatesRequest(certificates=some, dry_run=dry_run)
            for result in self._call(self._stub.ImportCertificates, request, deadline_s).results:
                credential = convert.credential_info(result.credential) if result.HasField("credential") else None
                yield BroughtCertificate(convert.item_error(result.status), credential, result.certificate.subject)

    def renew(
        self,
        credential_ids: Sequence[str] = (),
        *,
        school_id: str = "",
        ends_before: datetime | None = None,
        overlap_end: datetime | None = None,
        keep_key: bool = False,
        timeout_s: float = LONG_TIMEOUT_S,
    ) -> Iterator[tuple[str, KeyOutcome]]:
        """The id of each credential that is renewed, and its successor's key (keep_key: the same key) with its request.

        credential_ids empty: all whose certificate ends before `ends_before`. overlap_end: until when the old one signs beside the new one.
        """
        request = admin_keys_pb2.RenewCredentialsRequest(credential_ids=credential_ids, school_id=school_id, keep_key=keep_key)
        if ends_before is not None:
            request.expire_before.FromDatetime(ends_before)
        if overlap_end is not None:
            request.overlap_end.FromDatetime(overlap_end)
        for response in self._stream(self._stub.RenewCredentials, request, time.monotonic() + timeout_s):
            yield response.credential_id, key_outcome(response.result)

    def set_state(
        self, credential_id: str, state: CredentialState, *, school_id: str = "", reason: str = "", timeout_s: float = TIMEOUT_S
    ) -> CredentialInfo:
        """SUSPENDED, ACTIVE again, or DISABLED for good. reason: for the journal."""
        request = admin_keys_pb2.SetCredentialStateRequest(
            school_id=school_id,
            credential_id=credential_id,
            state=credential_pb2.CredentialState.Value(f"CREDENTIAL_STATE_{state.name}"),
            reason=reason,
        )
        return convert.credential_info(self._call(self._stub.SetCredentialState, request, time.monotonic() + timeout_s).credential)

    def destroy(self, credential_id: str, *, approval_id: str = "", school_id: str = "", timeout_s: float = TIMEOUT_S) -> CredentialInfo:
        """Destroys the key. There is no way back."""
        request = admin_keys_pb2.DestroyKeyRequest(school_id=school_id, credential_id=credential_id, approval_id=approval_id)
        return convert.credential_info(self._call(self._stub.DestroyKey, request, time.monotonic() + timeout_s).credential)

    @property
    def _stub(self) -> Any:
        return admin_pb2_grpc.AdminServiceStub(self._connection.channel)

    def _call(self, method: Any, request: Any, deadline_s: float) -> Any:
        return call_patiently(method, request, policy=self._policy, deadline_s=deadline_s)

    @staticmethod
    def _stream(method: Any, request: Any, deadline_s: float) -> Iterator[Any]:
        try:
            yield from method(request, timeout=deadline_s - time.monotonic(), wait_for_ready=True)
        except grpc.RpcError as failed:
            raise from_failed_call(failed) from failed


def key_spec(key: NewKey, activation: credential_pb2.ActivationMode.ValueType) -> admin_keys_pb2.KeySpec:
    """A key to make, as the contract says it."""
    spec = admin_keys_pb2.KeySpec(
        credential_id=key.credential_id,
        school_id=key.school_id,
        person_id=key.person_id,
        token_name=key.token,
        key_kind=common_pb2.KeyKind.Value(f"KEY_KIND_{key.kind.name}"),
        key_storage=_STORAGES[key.storage],
        activation=activation,
        display_name=key.display_name,
    )
    if key.subject is not None:
        subject = key.subject
        spec.subject.CopyFrom(
            admin_keys_pb2.SubjectName(
                country=subject.country,
                locality=subject.locality,
                organization=subject.organization,
                organizational_units=subject.organizational_units,
                common_name=subject.common_name,
                user_id=subject.user_id,
                email=subject.email,
            )
        )
    return spec


def key_outcome(result: admin_keys_pb2.KeyResult) -> KeyOutcome:
    """What became of it."""
    credential = convert.credential_info(result.credential) if result.HasField("credential") else None
    return KeyOutcome(result.credential_id, convert.item_error(result.status), credential, result.certificate_request, result.replayed)
