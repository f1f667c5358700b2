"""The Python client: what school software signs its report cards with.

    from signer.client import Document, SignerClient

    documents = [Document.from_path(path) for path in folder.glob("*.pdf")]
    with SignerClient("signer.example:8443", ca="ca.crt", certificate="client.crt", key="client.key") as signer:
        for result in signer.sign_batch(
            documents, school_id="79000001", credential_id="principal", level="b-t", request_id="class-1A-2026-principal"
        ):
            if result.ok:
                (signed / result.document_id).write_bytes(result.content)
            else:
                print(result.document_id, result.error.reason.value, result.error.message)

Rules of the room:
- Every document gets exactly one final result; errors are the leaves of `signer.errors`, one document's in its result, the whole request's
  raised.
- `school_id` + `request_id` + document id name a signature for good. Broken connections, restarts of the daemon and passing failures are
  repeated under the same ids until the caller's deadline; after that, or in another process, the caller may do the same.
- Memory is bounded by what is under way, whatever the batch's length: documents are read as the daemon takes them.
- Only the incremental update of a PDF comes back; it is appended to the caller's own bytes and the whole compared with the SHA-256 that
  the daemon names. A result that does not compare is never handed out.
- The generated messages stay inside; values are frozen dataclasses. Threads are gRPC's one and a watchdog; callbacks run in the caller's.
"""

from signer.client.authorization_values import Allowing, AuthorizationInfo, Line, Sad
from signer.client.authorizations import AuthorizationClient
from signer.client.batch import DocumentBatch
from signer.client.client import SignerClient
from signer.client.clients import CertificateEntry, ClientInfo, QuotaInfo, SchoolInfo
from signer.client.key_values import BroughtCertificate, Enrolled, KeyOutcome, NewKey
from signer.client.keys import KeyClient
from signer.client.people import PeopleClient
from signer.client.people_values import EnrolmentCode, ImportOutcome, PersonFile, PersonInfo, RowOutcome
from signer.client.record_values import LayoutInfo, RecordCheck, RecordFinding, RecordReport
from signer.client.records import RecordClient
from signer.client.retries import RetryPolicy
from signer.client.time import TimeClient
from signer.client.time_values import BatchEvidence, EvidenceProof, EvidenceRecord, ProvenTime, StampedImprint, TimestampAuthority
from signer.client.tokens import TokenClient, TokenFault, TokenInfo
from signer.client.validation import ValidationClient
from signer.client.validation_values import (
    AnchorInfo,
    CertificateCheck,
    DocumentVerdict,
    SignatureVerdict,
    SlotVerdict,
    ValidatedDocument,
)
from signer.client.values import (
    CredentialInfo,
    DigestResult,
    Document,
    DocumentResult,
    Finding,
    Phase,
    Progress,
    SignatureInfo,
    SignedDigests,
    Summary,
)
from signer.errors import SignerError
from signer.formats.certificate_request import Subject
from signer.model import (
    Appearance,
    AppearanceStyle,
    CadesOptions,
    DocMdp,
    FieldLock,
    Level,
    LockAction,
    Packaging,
    PageRectangle,
    Profile,
    RecordPlan,
    RecordSlot,
    Role,
    TextAnchor,
    XadesOptions,
)
from signer.records.problem import RecordProblem

__all__ = [
    "Allowing",
    "AnchorInfo",
    "Appearance",
    "AppearanceStyle",
    "AuthorizationClient",
    "AuthorizationInfo",
    "BatchEvidence",
    "BroughtCertificate",
    "CadesOptions",
    "CertificateCheck",
    "CertificateEntry",
    "ClientInfo",
    "CredentialInfo",
    "DigestResult",
    "DocMdp",
    "Document",
    "DocumentBatch",
    "DocumentResult",
    "DocumentVerdict",
    "Enrolled",
    "EnrolmentCode",
    "EvidenceProof",
    "EvidenceRecord",
    "FieldLock",
    "Finding",
    "ImportOutcome",
    "KeyClient",
    "KeyOutcome",
    "LayoutInfo",
    "Level",
    "Line",
    "LockAction",
    "NewKey",
    "Packaging",
    "PageRectangle",
    "PeopleClient",
    "PersonFile",
    "PersonInfo",
    "Phase",
    "Profile",
    "Progress",
    "ProvenTime",
    "QuotaInfo",
    "RecordCheck",
    "RecordClient",
    "RecordFinding",
    "RecordPlan",
    "RecordProblem",
    "RecordReport",
    "RecordSlot",
    "RetryPolicy",
    "Role",
    "RowOutcome",
    "Sad",
    "SchoolInfo",
    "SignatureInfo",
    "SignatureVerdict",
    "SignedDigests",
    "SignerClient",
    "SignerError",
    "SlotVerdict",
    "StampedImprint",
    "Subject",
    "Summary",
    "TextAnchor",
    "TimeClient",
    "TimestampAuthority",
    "TokenClient",
    "TokenFault",
    "TokenInfo",
    "ValidatedDocument",
    "ValidationClient",
    "XadesOptions",
]
