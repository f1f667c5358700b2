"""What goes in and comes out of the client: plain frozen values; the generated messages stay inside the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.errors import SignerError
from signer.model import CadesOptions, FieldPlacement, Level, Profile, RecordPlan, StageTimes, XadesOptions


@dataclass(frozen=True, slots=True)
class Document:
    """A document to sign: its bytes, or a function that reads them when their turn comes (and again after a broken connection).

    id: 1 to 128 of A-Z a-z 0-9 . _ : @ / -, unique in its request, without a pupil's name. field_name: the PDF field for this document
    alone; empty: the plan's. file_name: how a detached XAdES signature names what it signs; empty: by its id.
    """

    id: str
    content: bytes | Callable[[], bytes] = field(repr=False)
    field_name: str = ""
    file_name: str = ""

    @classmethod
    def from_path(cls, path: Path | str, document_id: str = "", *, field_name: str = "") -> Document:
        """A file, read when its turn comes; its id is its name unless one is given."""
        file = Path(path)
        return cls(document_id or file.name, file.read_bytes, field_name)

    def read(self) -> bytes:
        """The bytes; OSError as the file system gives it."""
        return self.content if isinstance(self.content, bytes) else self.content()


@dataclass(frozen=True, slots=True)
class Plan:
    """How each document of a request is signed. algorithm None: the credential's default.

    placement: the PDF field and its entries. options: of CAdES or XAdES; None for their defaults. record: the rules that records must keep.
    park_without_timestamp: a signature whose timestamp can't be had ends as TimestampPending at once, and the appliance goes on asking:
    the same ids fetch it later. Otherwise it is waited for, as long as deadline and the appliance's patience allow. evidence: digest of the
    evidence record to make over the request's signed files; None for none.
    """

    school_id: str
    credential_id: str
    level: Level
    profile: Profile = Profile.PADES
    algorithm: SignatureAlgorithm | None = None
    placement: FieldPlacement = field(default_factory=lambda: FieldPlacement(""))
    park_without_timestamp: bool = False
    evidence: DigestAlgorithm | None = None
    options: CadesOptions | XadesOptions | None = None
    record: RecordPlan | None = None


@dataclass(frozen=True, slots=True)
class SignatureInfo:
    """What was made. certificate_serial: lower-case hex. Digests are raw SHA-256, empty for SignDigests. timestamp_time: from B-T on.

    acting_for: the person for whom the signer acted under a delegation; empty in their own name.
    Of a document that was raised to a level: no signer's part is set, and timestamp_time and field_name are the last document timestamp's.
    """

    credential_id: str
    certificate_serial: str
    algorithm: SignatureAlgorithm | None
    level: Level | None
    signing_time: datetime | None
    timestamp_time: datetime | None
    source_sha256: bytes
    signed_sha256: bytes
    field_name: str
    acting_for: str = ""


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """The one final outcome of one document.

    error: None when it is signed. replayed: the stored outcome of an earlier request. attempts: how often it was sent. signed: the whole
    signed document; use `content`, which refuses to hand out nothing.
    """

    document_id: str
    error: SignerError | None = None
    signed: bytes = field(default=b"", repr=False)
    info: SignatureInfo | None = None
    replayed: bool = False
    times: StageTimes = field(default_factory=StageTimes)
    attempts: int = 1

    @property
    def ok(self) -> bool:
        """Whether it is signed."""
        return self.error is None

    @property
    def content(self) -> bytes:
        """The whole signed document, its SHA-256 compared; raises `error` when there is none."""
        if self.error is not None:
            raise self.error
        return self.signed


@dataclass(frozen=True, slots=True)
class DigestResult:
    """The outcome of one digest. signature: RSA octets, a DER SEQUENCE { r, s }, or the CMS; empty when error is set."""

    document_id: str
    error: SignerError | None = None
    signature: bytes = b""
    info: SignatureInfo | None = None
    replayed: bool = False
    times: StageTimes = field(default_factory=StageTimes)

    @property
    def ok(self) -> bool:
        """Whether there is a signature."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class SignedDigests:
    """Results in the order asked for. certificate_chain: DER, the signer's first; empty when every item failed before a chain was known."""

    results: tuple[DigestResult, ...]
    certificate_chain: tuple[bytes, ...]


class Phase(Enum):
    """What a batch is doing."""

    CONNECTING = "connecting"
    SIGNING = "signing"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is. total None: not known. signed holds replayed ones too. problem: why it waits, in WAITING only."""

    phase: Phase
    total: int | None
    signed: int
    failed: int
    elapsed_s: float
    signatures_per_second: float
    remaining_s: float | None = None
    interruptions: int = 0
    problem: SignerError | None = None

    @property
    def done(self) -> int:
        """Documents with their final outcome."""
        return self.signed + self.failed


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a batch so far: every final outcome is counted once. times: sums over the items, which overlap.

    interruptions: how often the connection had to be made anew or items sent again.
    """

    signed: int
    replayed: int
    failed: int
    failures: dict[str, int]
    elapsed_s: float
    times: StageTimes
    interruptions: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a credential can't sign, or soon won't. problem: the contract's name, such as `EXPIRES_SOON`."""

    problem: str
    message: str


@dataclass(frozen=True, slots=True)
class CredentialInfo:
    """A credential as the daemon knows it.

    The certificate's members are empty while it has none. subject, issuer: RFC 4514. state, key_storage: the contract's names, such as
    `ACTIVE`. renewed_by: id of its successor.
    """

    id: str
    school_id: str
    token_name: str
    display_name: str
    key_kind: str
    algorithms: tuple[SignatureAlgorithm, ...]
    usable: bool
    findings: tuple[Finding, ...]
    subject: str = ""
    issuer: str = ""
    certificate_serial: str = ""
    certificate_der: bytes = field(default=b"", repr=False)
    not_before: datetime | None = None
    not_after: datetime | None = None
    person_id: str = ""
    state: str = ""
    key_storage: str = ""
    renewed_by: str = ""

    @property
    def days_left(self) -> int | None:
        """Whole days until the certificate ends, negative afterwards; None without one."""
        return None if self.not_after is None else (self.not_after - datetime.now(UTC)).days
