"""Step 2: a plan that can be carried out: its credential, usable now, and the algorithm its key will use."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from datetime import timedelta, timezone
from enum import Enum
from functools import lru_cache
from typing import TypeAlias

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.errors import InternalError, NotServedYet
from signer.formats.pades.appearance.artwork import Artwork
from signer.model import (
    Appearance,
    CadesOptions,
    Credential,
    FieldPlacement,
    Level,
    Packaging,
    PageRectangle,
    Profile,
    RecordPlan,
    TextAnchor,
    XadesOptions,
)
from signer.people.doors import Presented
from signer.pipeline.engine import Engine
from signer.pipeline.forms.form import Signer
from signer.pipeline.request import Request
from signer.pipeline.role_check import Acting, require_role

VIETNAM_TIME = timezone(timedelta(hours=7))
"""What /M shows people; the country has one zone without summer time."""
FormOptions: TypeAlias = CadesOptions | XadesOptions
_SERVED = {
    (Profile.PADES, Level.B_B),
    (Profile.PADES, Level.B_T),
    (Profile.PADES, Level.B_LT),
    (Profile.PADES, Level.B_LTA),
    (Profile.CADES, Level.B_B),
    (Profile.CADES, Level.B_T),
    (Profile.XADES, Level.B_B),
    (Profile.XADES, Level.B_T),
    (Profile.MINISTRY_XML, Level.B_B),
    (Profile.CADES_DIGEST, Level.B_B),
    (Profile.CADES_DIGEST, Level.B_T),
    (Profile.DIGEST, Level.B_B),
}


class Shortage(Enum):
    """What the caller wants when no timestamp can be had; the contract's TimestampShortage has the same names.

    FAIL: ask until deadline or patience ends, then fail. PARK: fail at once with TimestampPending; the appliance goes on asking. Either
    way the signature is kept.
    """

    FAIL = "fail"
    PARK = "park"


@dataclass(frozen=True, slots=True)
class ReadyPlan:
    """What is the same for all items of a request.

    placement: of PAdES. options: of another profile that has some; None for its defaults. record: the rules that records must keep; None
    for other documents. certificate_serial: lower-case hex. shortage: for levels above B-B. evidence: digest of the evidence record to make
    over a batch; None for none. artwork: what the placement's appearance shows. acting: in which right a person signs records. presented:
    what the key's holder allows, None where the key needs nobody's word. These five are not what makes two requests the same.
    """

    profile: Profile
    level: Level
    credential: Credential
    algorithm: SignatureAlgorithm
    placement: FieldPlacement
    certificate_serial: str
    shortage: Shortage = Shortage.FAIL
    evidence: DigestAlgorithm | None = None
    artwork: Artwork | None = None
    options: FormOptions | None = None
    record: RecordPlan | None = None
    acting: Acting | None = None
    presented: Presented | None = None

    @property
    def name(self) -> str:
        """Profile and level, as the journal's intents carry them."""
        return f"{self.profile.value}/{self.level.value}"

    @property
    def signs_names(self) -> bool:
        """Whether signatures name their documents: those that are files of their own, in XML."""
        return isinstance(self.options, XadesOptions) and self.options.packaging is Packaging.DETACHED

    @property
    def acting_for(self) -> str:
        """The person whose work the signer does; empty in their own name."""
        return self.acting.for_person_id if self.acting else ""

    @property
    def authorization_id(self) -> str:
        """What the key's holder allows it by; empty where nobody's word is needed."""
        return self.presented.authorization_id if self.presented else ""

    @property
    def signer(self) -> Signer:
        """The credential, as it is now."""
        return Signer(self.credential.certificate, self.credential.chain, self.algorithm)


async def make_ready(
    engine: Engine,
    request: Request,
    *,
    profile: Profile,
    level: Level,
    credential_id: str,
    algorithm: SignatureAlgorithm | None,
    placement: FieldPlacement,
    shortage: Shortage = Shortage.FAIL,
    evidence: DigestAlgorithm | None = None,
    options: FormOptions | None = None,
    record: RecordPlan | None = None,
) -> ReadyPlan:
    """Checks everything about a request that can be checked before its first document.

    Raises CredentialNotFound, TokenUnavailable, StateRefused, CertificateExpired, CertificateNotYetValid, CertificateUnusable,
    AlgorithmUnsupported, TimestampUnavailable, RoleRefused or NotServedYet. No key was used.
    """
    if (profile, level) not in _SERVED:
        raise NotServedYet(f"profile {profile.value} at level {level.value} is not served by this release")
    credential = await engine.credential(credential_id, request.school_id)
    validity = engine.credentials.require_usable(credential, engine.utc_now())
    chosen = engine.credentials.choose_algorithm(credential, algorithm)
    acting = await require_role(engine, credential, request.school_id, profile, record)
    if level is not Level.B_B:
        engine.require_timestamper()
    return ReadyPlan(
        profile, level, credential, chosen, placement, validity.serial, shortage, evidence, options=options, record=record, acting=acting
    )


async def with_artwork(engine: Engine, request: Request, plan: ReadyPlan) -> ReadyPlan:
    """The same with what its visible signature shows; as it is without one.

    Raises InvalidArgument or ConfigError (`documents.appearances`). No key was used.
    """
    wanted = plan.placement.appearance
    if wanted is None:
        return plan
    if engine.appearances is None:
        raise InternalError("nobody makes appearances")
    moment = engine.utc_now().astimezone(VIETNAM_TIME)
    return replace(plan, artwork=await engine.appearances.prepare(wanted, plan.credential, request.school_id, moment))


def plan_sha256(plan: ReadyPlan) -> bytes:
    """SHA-256 of all that `fingerprint` sees of a plan: what a holder allows documents to be signed as. 32 bytes."""
    return fingerprint(plan, plan.placement, b"")


def fingerprint(plan: ReadyPlan, placement: FieldPlacement, content_sha256: bytes, name: str = "") -> bytes:
    """What makes two requests of the same ids the same: content, credential and how it is signed. 32 bytes.

    name: of the document, where the plan has it signed.

    The certificate is left out: a renewed one must not make a repeat of an old request look like other content. So are the image behind an
    image_id, and the time in a style's own wording: a visible signature is what was asked for.
    """
    return fingerprint_of(content_sha256, asked(plan, placement, name))


def fingerprint_of(content_sha256: bytes, asked_for: bytes) -> bytes:
    """`fingerprint` from its two parts, for many items that are asked for alike."""
    return hashlib.sha256(content_sha256 + asked_for).digest()


def asked(plan: ReadyPlan, placement: FieldPlacement, name: str = "") -> bytes:
    """What `fingerprint` sees beside the content: the same for all items of a request that are asked for alike."""
    parts = (
        plan.name,
        plan.credential.id,
        plan.algorithm.value,
        placement.field_name,
        placement.name,
        placement.reason,
        placement.location,
        *_asked_look(placement.appearance),
        *_asked_restrictions(placement),
        *_asked_options(plan.options),
        *_asked_options(plan.record),
        *((name,) if name else ()),
    )
    return b"".join(len(encoded).to_bytes(4) + encoded for encoded in map(str.encode, parts))


@lru_cache(maxsize=64)
def _asked_options(options: FormOptions | RecordPlan | None) -> tuple[str, ...]:
    if options is None:
        return ()
    values = (getattr(options, each.name) for each in fields(options))
    return (type(options).__name__, *(value.value if isinstance(value, Enum) else str(value) for value in values))


def _asked_look(appearance: Appearance | None) -> tuple[str, ...]:
    """Nothing for an invisible signature, so that those of earlier releases stay the same."""
    if appearance is None:
        return ()
    return (appearance.style.value, appearance.image_id, str(len(appearance.lines)), *appearance.lines, *_asked_place(appearance))


def _asked_place(appearance: Appearance) -> tuple[str, ...]:
    match appearance:
        case Appearance(rectangle=PageRectangle(page, x, y, width, height)):
            return (str(page), *_numbers(x, y, width, height))
        case Appearance(anchor=TextAnchor(text, dx, dy, width, height, occurrence)):
            return ("anchor", text, str(occurrence), *_numbers(dx, dy, width, height))
        case _:
            return ()


def _numbers(*values: float) -> tuple[str, ...]:
    return tuple(repr(float(value)) for value in values)


def _asked_restrictions(placement: FieldPlacement) -> tuple[str, ...]:
    """Nothing for a signature that allows everything afterwards, as above."""
    lock = placement.field_lock
    certifies = () if placement.doc_mdp is None else ("doc-mdp", placement.doc_mdp.value)
    return certifies if lock is None else (*certifies, "lock", lock.action.value, *sorted(lock.fields))
