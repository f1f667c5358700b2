"""The client itself: one mutual-TLS channel, and a method for each thing school software asks of the appliance."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.client import convert
from signer.client.approvals import ApprovalClient
from signer.client.audit import AuditClient
from signer.client.authorization_values import Sad
from signer.client.authorizations import AuthorizationClient
from signer.client.batch import DocumentBatch, OnProgress
from signer.client.channel import Pem, connect
from signer.client.choices import algorithm as signature_algorithm
from signer.client.choices import choice
from signer.client.clients import ClientsClient, QuotasClient, SchoolsClient
from signer.client.digests import sign_digests
from signer.client.images import ImageClient
from signer.client.keys import KeyClient
from signer.client.operations import OperationsClient
from signer.client.orders import Extending, Signing
from signer.client.people import PeopleClient
from signer.client.queue import BatchClient
from signer.client.records import RecordClient
from signer.client.register import RegisterClient
from signer.client.retries import RetryPolicy
from signer.client.states import SignatureStanding, read_states
from signer.client.time import TimeClient
from signer.client.tokens import TokenClient
from signer.client.unary import call_patiently
from signer.client.validation import ValidationClient
from signer.client.values import CredentialInfo, Document, DocumentResult, Plan, SignedDigests
from signer.model import Appearance, CadesOptions, DocMdp, FieldLock, FieldPlacement, Level, Profile, RecordPlan, XadesOptions
from signer.v1 import credential_pb2, credential_pb2_grpc, signing_pb2, signing_pb2_grpc

BATCH_TIMEOUT_S = 3600.0
CALL_TIMEOUT_S = 60.0


class SignerClient:
    """A connection to the appliance; its methods may be called from several threads. Close it, or use it as a context manager.

    server: host:port. ca, certificate, key: PEM files (or their bytes) of the mutual TLS. server_name: the name in the daemon's
    certificate, where another host is dialled. Raises ConfigError for files that don't fit. Nothing is dialled before the first call.
    """

    def __init__(
        self, server: str, *, ca: Pem, certificate: Pem, key: Pem, server_name: str = "", policy: RetryPolicy | None = None
    ) -> None:
        self._policy = policy or RetryPolicy()
        self._connection = connect(server, ca=ca, certificate=certificate, key=key, server_name=server_name)
        self.batches = BatchClient(self._connection, self._policy)
        """Batches that are signed later."""
        self.time = TimeClient(self._connection, self._policy)
        """Timestamps and evidence records."""
        self.tokens = TokenClient(self._connection, self._policy)
        """PKCS#11 tokens; for operators."""
        self.audit = AuditClient(self._connection, self._policy)
        """The journal; for auditors and operators."""
        self.validation = ValidationClient(self._connection, self._policy)
        """Signatures that others made, certificates before they sign, and whom the appliance believes."""
        self.images = ImageClient(self._connection, self._policy)
        """Signature images and seals; for operators."""
        self.keys = KeyClient(self._connection, self._policy)
        """The life of keys; for operators."""
        self.authorizations = AuthorizationClient(self._connection, self._policy)
        """What holders of keys allow to be signed with them."""
        self.people = PeopleClient(self._connection, self._policy)
        """People, their roles, who acts for whom; for operators."""
        self.clients = ClientsClient(self._connection, self._policy)
        """Who may call, for which schools, with which certificates; for operators."""
        self.schools = SchoolsClient(self._connection, self._policy)
        """Schools; for operators."""
        self.quotas = QuotasClient(self._connection, self._policy)
        """How much clients and schools may use; for operators."""
        self.operations = OperationsClient(self._connection, self._policy)
        """The daemon as a whole. For operators."""
        self.records = RecordClient(self._connection, self._policy)
        """Records before they are signed: layouts, and which of a class are fit."""
        self.register = RegisterClient(self._connection, self._policy)
        """Records that were signed: states, history, corrections, recalls, and the dates by which they lock."""
        self.approvals = ApprovalClient(self._connection, self._policy)
        """Four eyes: what waits for whose word."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; open batches end with an error."""
        self._connection.close()

    def sign_batch(
        self,
        documents: Iterable[Document],
        *,
        school_id: str,
        credential_id: str,
        level: Level | str,
        request_id: str,
        profile: Profile | str = Profile.PADES,
        algorithm: SignatureAlgorithm | str | None = None,
        field_name: str = "",
        name: str = "",
        reason: str = "",
        location: str = "",
        appearance: Appearance | None = None,
        doc_mdp: DocMdp | str | None = None,
        field_lock: FieldLock | None = None,
        options: CadesOptions | XadesOptions | None = None,
        record: RecordPlan | None = None,
        label: str = "",
        park_without_timestamp: bool = False,
        evidence: DigestAlgorithm | str | None = None,
        timeout_s: float = BATCH_TIMEOUT_S,
        total: int | None = None,
        on_progress: OnProgress | None = None,
        sad: Sad | None = None,
    ) -> DocumentBatch:
        """Signs many documents; iterate over what it returns for one result a document, in the order they are ready.

        Args:
            documents: what to sign; read as it is needed, in another thread.
            school_id: in whose name.
            credential_id: whose key; see `list_credentials`.
            level: `b-b` or `b-t`; `b-lt` and `b-lta` for PDF; `b-b` alone for records.
            request_id: names the request. The same one after any interruption: what is signed comes back, nothing is signed twice.
            profile: `pades` for PDF, `cades` for any bytes, `xades` for XML, `ministry-xml` for records as the Ministry's XML.
            algorithm: such as `rsa-pss-sha256`; None: the credential's default.
            field_name: the PDF signature field, existing or new; empty: the daemon's choice.
            name: /Name in the signature.
            reason: /Reason in the signature.
            location: /Location in the signature.
            appearance: what the signature shows on the page, and where; None: it is invisible.
            doc_mdp: certify, and allow this afterwards: `no-changes`, `fill-forms` or `annotate`. Only the first signature of a PDF can.
            field_lock: the fields that nobody may change or sign afterwards; None: it locks none.
            options: packaging and more of `cades` and `xades`; None: detached, and enveloped.
            record: in which role records are signed, and which they must be; required for `ministry-xml`.
            label: words for the daemon's operators; no pupil's name.
            park_without_timestamp: end a document whose timestamp can't be had with TimestampPending at once; the appliance goes on asking,
                and the same ids fetch it later. Otherwise it is waited for.
            evidence: `sha256`: make one evidence record over all files that the request releases; see `DocumentBatch.evidence` and
                `time.proofs`. None: no evidence.
            timeout_s: until when broken connections and passing failures are tried again.
            total: how many documents there are, where `documents` has no len().
            on_progress: called in the iterating thread, at least once a second while results are awaited.
            sad: what the key's holder allows, for a key that needs it; see `authorizations`. The same request continues under the same one.

        Raises (while iterating):
            RemoteError, AccessError, CredentialError …: the batch as a whole was refused, or the daemon can't be reached.
            DeadlineExceeded: timeout_s has passed; the same request continues.
        """
        certifying = None if doc_mdp is None else choice(DocMdp, doc_mdp)
        placement = FieldPlacement(field_name, name, reason, location, appearance, certifying, field_lock)
        plan = Plan(
            school_id,
            credential_id,
            choice(Level, level),
            choice(Profile, profile),
            signature_algorithm(algorithm),
            placement,
            park_without_timestamp,
            None if evidence is None else choice(DigestAlgorithm, evidence),
            options,
            record,
        )
        return DocumentBatch(
            self._connection,
            documents,
            Signing(plan, sad),
            request_id,
            policy=self._policy,
            timeout_s=timeout_s,
            label=label,
            total=total,
            on_progress=on_progress,
        )

    def extend_documents(
        self,
        documents: Iterable[Document],
        *,
        school_id: str,
        level: Level | str,
        request_id: str,
        timeout_s: float = BATCH_TIMEOUT_S,
        total: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> DocumentBatch:
        """Raises signed PDFs to a level, or renews their archive timestamp; iterate over what it returns, as for `sign_batch`.

        Args:
            documents: signed PDFs; read as they are needed, in another thread.
            school_id: in whose name.
            level: `b-t`, `b-lt` or `b-lta`.
            request_id: names the request. The same one after any interruption: what is done comes back. A new one to renew what is there.
            timeout_s: until when broken connections and passing failures are tried again.
            total: how many documents there are, where `documents` has no len().
            on_progress: called in the iterating thread whenever something has come.

        Raises (while iterating): as `sign_batch`.
        """
        return DocumentBatch(
            self._connection,
            documents,
            Extending(school_id, choice(Level, level)),
            request_id,
            policy=self._policy,
            timeout_s=timeout_s,
            total=total,
            on_progress=on_progress,
        )

    def sign_document(
        self,
        document: Document,
        *,
        school_id: str,
        credential_id: str,
        level: Level | str,
        request_id: str,
        profile: Profile | str = Profile.PADES,
        algorithm: SignatureAlgorithm | str | None = None,
        field_name: str = "",
        name: str = "",
        reason: str = "",
        location: str = "",
        appearance: Appearance | None = None,
        doc_mdp: DocMdp | str | None = None,
        field_lock: FieldLock | None = None,
        options: CadesOptions | XadesOptions | None = None,
        record: RecordPlan | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
        sad: Sad | None = None,
    ) -> DocumentResult:
        """Signs one document of any size, as a batch of one; the arguments are `sign_batch`'s.

        Its `content` raises the document's own error.
        """
        [result] = self.sign_batch(
            [document],
            school_id=school_id,
            credential_id=credential_id,
            level=level,
            request_id=request_id,
            profile=profile,
            algorithm=algorithm,
            field_name=field_name,
            name=name,
            reason=reason,
            location=location,
            appearance=appearance,
            doc_mdp=doc_mdp,
            field_lock=field_lock,
            options=options,
            record=record,
            timeout_s=timeout_s,
            sad=sad,
        )
        return result

    def sign_digests(
        self,
        digests: Mapping[str, bytes],
        *,
        school_id: str,
        credential_id: str,
        request_id: str,
        algorithm: SignatureAlgorithm | str | None = None,
        cms_level: Level | str | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
        sad: Sad | None = None,
    ) -> SignedDigests:
        """Signs raw digests by document id. Each has its own outcome; raises what refuses the whole call.

        cms_level: `b-b` or `b-t`: a detached CMS (CAdES) over each digest's document, which stays here; None: bare signatures.
        sad: as for `sign_batch`.
        """
        level, profile = (Level.B_B, Profile.DIGEST) if cms_level is None else (choice(Level, cms_level), Profile.CADES_DIGEST)
        plan = Plan(school_id, credential_id, level, profile, signature_algorithm(algorithm))
        stub = signing_pb2_grpc.SigningServiceStub(self._connection.channel)
        return sign_digests(stub, digests, plan, request_id, sad=sad, policy=self._policy, timeout_s=timeout_s)

    def signature_states(
        self, school_id: str, request_id: str, document_ids: Sequence[str] | None = None, *, timeout_s: float = CALL_TIMEOUT_S
    ) -> Iterator[SignatureStanding]:
        """What became of a request's signatures: of these documents in their order, or of all by id. Uses no key."""
        request = signing_pb2.GetSignatureStatesRequest(school_id=school_id, request_id=request_id)
        return read_states(self._connection, self._policy, request, document_ids, timeout_s)

    def list_credentials(
        self, school_id: str = "", *, usable_only: bool = False, timeout_s: float = CALL_TIMEOUT_S
    ) -> list[CredentialInfo]:
        """The credentials of a school, or of every school of this client, by id."""
        return list(self._pages(credential_pb2.ListCredentialsRequest(school_id=school_id, usable_only=usable_only), timeout_s))

    def _pages(self, request: credential_pb2.ListCredentialsRequest, timeout_s: float) -> Iterator[CredentialInfo]:
        deadline_s = time.monotonic() + timeout_s
        stub = credential_pb2_grpc.CredentialServiceStub(self._connection.channel)
        while True:
            response = call_patiently(stub.ListCredentials, request, policy=self._policy, deadline_s=deadline_s)
            yield from map(convert.credential_info, response.credentials)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token
