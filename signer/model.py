"""The nouns every room shares: what is signed, for whom, how, with which credential.

Values only: frozen, compared by content, without I/O. Names are the field's own (CSC: credential; CMS: signed attributes; ETSI EN
319 142-1: levels).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from signer.algorithms import DigestAlgorithm, KeyKind, SignatureAlgorithm


class Level(Enum):
    """ETSI baseline level; the value is its name on the command line. The level asked for is given or the item fails."""

    B_B = "b-b"
    B_T = "b-t"
    B_LT = "b-lt"
    B_LTA = "b-lta"

    @property
    def is_long_term(self) -> bool:
        """Above B-T: with the status of every certificate in the document."""
        return self in (Level.B_LT, Level.B_LTA)


class Profile(Enum):
    """Which kind of signature; the value is its name on the command line."""

    PADES = "pades"
    CADES = "cades"
    XADES = "xades"
    MINISTRY_XML = "ministry-xml"
    DIGEST = "digest"
    CADES_DIGEST = "cades-digest"

    @property
    def is_of_digest(self) -> bool:
        """Of a document that only its digest is known of: not a profile of the contract."""
        return self in (Profile.DIGEST, Profile.CADES_DIGEST)


@dataclass(frozen=True, slots=True)
class SignatureKey:
    """What identifies one signature for good: a repeat of the same key returns the stored outcome."""

    school_id: str
    request_id: str
    document_id: str


class AppearanceStyle(Enum):
    """The look of a visible signature after Decree 30/2020; the value is its name in the configuration and on the command line."""

    PERSON = "person"
    ORGANISATION = "organisation"
    ANNEX = "annex"
    CERTIFIED_COPY = "certified-copy"

    @property
    def takes_image(self) -> bool:
        """A signature image or a seal; the others are text alone."""
        return self in (AppearanceStyle.PERSON, AppearanceStyle.ORGANISATION)


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image for visible signatures that an operator keeps with the appliance, without its bytes.

    credential_id: whose default it is; empty: none's. width_pt: on paper. sha256: of the PNG.
    """

    id: str
    school_id: str
    credential_id: str
    style: AppearanceStyle
    width_pt: float
    sha256: bytes


@dataclass(frozen=True, slots=True)
class PageRectangle:
    """A place on a page. page: from 1, negative from the last (-1). The rest: points from the page's lower left corner, before rotation."""

    page: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class TextAnchor:
    """A place beside a text: the box's lower left corner stands dx to the right of the text's and dy above it, in points.

    occurrence: which one over the document, from 1; 0: the last.
    """

    text: str
    dx: float
    dy: float
    width: float
    height: float
    occurrence: int = 1


@dataclass(frozen=True, slots=True)
class Appearance:
    """What a visible signature is asked to look like, and where.

    lines: empty for the style's own wording. image_id: empty for the one enrolled for the credential. rectangle or anchor, one at most:
    None for the existing field's own place, or the style's.
    """

    style: AppearanceStyle
    lines: tuple[str, ...] = ()
    image_id: str = ""
    rectangle: PageRectangle | None = None
    anchor: TextAnchor | None = None

    @property
    def size(self) -> tuple[float, float] | None:
        """Width and height of its place, points; None where the request does not name them."""
        place = self.rectangle or self.anchor
        return None if place is None else (place.width, place.height)


class DocMdp(Enum):
    """What a certification allows afterwards (ISO 32000-2 table 257, /P); the value is its name on the command line."""

    NO_CHANGES = "no-changes"
    FILL_FORMS = "fill-forms"
    ANNOTATE = "annotate"

    @property
    def permission(self) -> int:
        """/P."""
        return 1 + tuple(DocMdp).index(self)


class LockAction(Enum):
    """Which fields a signature locks: every one, the named ones, or every one but those; the value is its name on the command line."""

    ALL = "all"
    INCLUDE = "include"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True)
class FieldLock:
    """What a signature locks (ISO 32000-2 12.8.2.4). fields: full names, those of INCLUDE and EXCLUDE; empty for ALL."""

    action: LockAction
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldPlacement:
    """Which signature field of a PDF is filled, and what its dictionary says (ISO 32000-2 12.8.1).

    field_name: an existing empty field, or the name of a new one. name, reason, location: /Name, /Reason and /Location, left out when
    empty. appearance: None for an invisible signature. doc_mdp: None for one that does not certify. field_lock: None for none.
    """

    field_name: str
    name: str = ""
    reason: str = ""
    location: str = ""
    appearance: Appearance | None = None
    doc_mdp: DocMdp | None = None
    field_lock: FieldLock | None = None


class Packaging(Enum):
    """How a CMS or XML signature and its data hang together; the value is its name on the command line."""

    ENVELOPED = "enveloped"
    ENVELOPING = "enveloping"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True)
class CadesOptions:
    """packaging: DETACHED, or ENVELOPING (attached). content_type: a MIME type for content-hints; empty to leave them out."""

    packaging: Packaging = Packaging.DETACHED
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class XadesOptions:
    """reference_id: Id of the element to sign; empty for the document. canonicalization: algorithm URI.

    placement_xpath: of the element that takes an enveloped signature as its last child; empty for the root.
    """

    packaging: Packaging = Packaging.ENVELOPED
    reference_id: str = ""
    placement_xpath: str = ""
    canonicalization: str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


class Role(Enum):
    """In which role somebody acts for a school; the value is its name in layouts, configuration and on the command line."""

    SUBJECT_TEACHER = "subject-teacher"
    HOMEROOM_TEACHER = "homeroom-teacher"
    PRINCIPAL = "principal"
    VICE_PRINCIPAL = "vice-principal"
    CLERK = "clerk"
    ACADEMIC_STAFF = "academic-staff"
    SCHOOL_ADMINISTRATOR = "school-administrator"
    DEPARTMENT_OFFICER = "department-officer"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class RecordSlot(Enum):
    """The place in a record that a signature fills, in the order of signing; the value is the Ministry's name of it."""

    SUBJECT_TEACHER = "GVBM"
    HOMEROOM_TEACHER = "GVCN"
    PRINCIPAL = "CBQL"
    SEAL = "KY_PHAT_HANH"


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """The record rules that a request claims to keep: role, slot, order.

    layout_id: empty to recognise it from each record. slot: None for the role's. subject_id: whose marks a GVBM signs, by the Id the record
    gives it; empty for other roles. class_id and school_year (its first calendar year): empty and 0 to take them from each record.
    delegation_id: under which the signer acts for another person; empty in their own name.
    """

    role: Role
    layout_id: str = ""
    slot: RecordSlot | None = None
    subject_id: str = ""
    class_id: str = ""
    school_year: int = 0
    delegation_id: str = ""


@dataclass(frozen=True, slots=True)
class XmlReference:
    """One ds:Reference to an element of the same document (XMLDSig 4.4.3).

    uri: `#` and the element's Id. target: absolute XPath, with positions, of the one element that it must resolve to. transforms: algorithm
    URIs in order; the last one, or C14N 1.0 by default, makes octets.
    """

    uri: str
    target: str
    digest_algorithm: DigestAlgorithm
    transforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """The XML signature that a slot of a document takes.

    place: absolute XPath, with positions, of the element that takes the Signature as its last child. references: what it signs beside its
    own properties. canonicalization: algorithm URI for SignedInfo.
    """

    place: str
    references: tuple[XmlReference, ...]
    canonicalization: str


class ProblemKind(Enum):
    """Why a credential can't sign, for machines; the contract's CredentialProblem has the same names."""

    CERTIFICATE_MISSING = "certificate-missing"
    KEY_MISSING = "key-missing"
    KEY_MISMATCH = "key-mismatch"
    AMBIGUOUS = "ambiguous"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    KEY_USAGE = "key-usage"
    KEY_UNSUPPORTED = "key-unsupported"
    TOKEN_NOT_READY = "token-not-ready"
    EXPIRES_SOON = "expires-soon"
    CHAIN_INCOMPLETE = "chain-incomplete"
    STATE = "state"

    @property
    def is_warning(self) -> bool:
        """Whether the credential can sign all the same."""
        return self in (ProblemKind.EXPIRES_SOON, ProblemKind.CHAIN_INCOMPLETE)


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a credential can't sign; text says it for an operator, with the next step."""

    kind: ProblemKind
    text: str


class KeyStorage(Enum):
    """Where the key of a kept credential lives; the value is its name in the database and on the command line.

    TOKEN: an object of the token. WRAPPED: in the store, encrypted by a key of the token and decrypted inside it when used.
    """

    TOKEN = "token"
    WRAPPED = "wrapped"


class ActivationMode(Enum):
    """What stands between a caller and a key (CSC: SCAL); the value is its name in the database and on the command line.

    NONE: nothing beyond the client's certificate. SAD: its holder's word on exactly what is signed.
    """

    NONE = "none"
    SAD = "sad"


class CredentialState(Enum):
    """Where a kept credential is in its life; the value is its name in the database."""

    AWAITING_CERTIFICATE = "awaiting-certificate"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DISABLED = "disabled"
    REPLACED = "replaced"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key pair that the appliance generated, as a token worker needs it to sign: it holds no secret in the clear.

    credential_id, school_id, person_id: whose it is, for good. key_id: CKA_ID in the token, or a random name. public_key:
    SubjectPublicKeyInfo, DER. wrapped, seal: of WRAPPED keys alone, the encrypted private key and what binds all of this together
    (`tokens.wrapping`).
    """

    credential_id: str
    school_id: str
    person_id: str
    storage: KeyStorage
    kind: KeyKind
    key_id: bytes
    public_key: bytes
    wrapped: bytes = field(default=b"", repr=False)
    seal: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class KeptCredential:
    """A credential of the store. subject: Name for its certificate requests, DER, empty for none. certificate: DER, empty while it waits.

    renews, renewed_by: ids of the credentials before and after it. usable_until: the end of the overlap, of one
    that was renewed; of one that waits for its certificate, what the renewal asked for. activation: for good.
    """

    key: KeptKey
    token_name: str
    state: CredentialState
    display_name: str = ""
    subject: bytes = b""
    certificate: bytes = b""
    renews: str = ""
    renewed_by: str = ""
    usable_until: datetime | None = None
    activation: ActivationMode = ActivationMode.NONE

    @property
    def id(self) -> str:
        """The credential's id."""
        return self.key.credential_id


@dataclass(frozen=True, slots=True)
class Credential:
    """A key on a token with its certificate, as discovered (CSC: credential).

    key_id: CKA_ID. certificate: DER, empty if none was found. chain: DER of the issuers, nearest first. school_id: empty for the
    appliance's own keys (TSA). problems: what is the matter with it whatever the time. kept: its row of the store; None for one of the
    configuration.
    """

    id: str
    token_name: str
    key_id: bytes
    key_label: str
    school_id: str
    certificate: bytes
    chain: tuple[bytes, ...]
    algorithms: tuple[SignatureAlgorithm, ...]
    problems: tuple[Problem, ...] = ()
    kept: KeptCredential | None = None


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Where one item's time went, in seconds."""

    queue_s: float = 0.0
    document_s: float = 0.0
    token_s: float = 0.0
    timestamp_s: float = 0.0
    journal_s: float = 0.0


SOURCE_DIGEST = DigestAlgorithm.SHA256
"""Documents are identified by their SHA-256, whatever digest the signature uses."""


class Severity(Enum):
    """How grave a finding of `signer doctor` is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. message: what was found. remedy: what to do; empty when OK. runbook_uri: empty for none."""

    check: str
    severity: Severity
    message: str
    remedy: str = ""
    runbook_uri: str = ""
