"""Step 2, for keys of people: what is signed is what the key's holder allowed (`people.doors.Presented`).

A SAD is presented once a request. One that is refused fails each item that would be signed, alone: what was signed before under the same
ids is still answered, for that needs no key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from signer.errors import DocumentNotAuthorized, SignerError
from signer.model import ActivationMode, CadesOptions, Credential, Profile
from signer.people.authorization import AuthorizationTarget, ListBinding, ListProof, Presentation, SignableList
from signer.people.doors import Activation
from signer.pipeline.item import Item, take_step
from signer.pipeline.lot import Lot
from signer.pipeline.plan import ReadyPlan, plan_sha256
from signer.pipeline.request import Request


@dataclass(frozen=True, slots=True)
class Refusal:
    """A Presented that allows nothing, and says why."""

    error: SignerError
    authorization_id: str = ""
    person_id: str = ""

    def require(self, entry: bytes, document_id: str, proof: ListProof | None = None) -> None:  # noqa: ARG002 (as Presented)
        """Raises it."""
        raise self.error.copy()


def needs_sad(credential: Credential) -> bool:
    """Whether its key is of use only with its holder's SAD."""
    return credential.kept is not None and credential.kept.activation is ActivationMode.SAD


async def activate(activation: Activation, request: Request, plan: ReadyPlan, sad: bytes, entries: Sequence[bytes]) -> ReadyPlan:
    """The plan with what its key's holder allows; as it is where the key needs no SAD and none came."""
    if not sad and not needs_sad(plan.credential):
        return plan
    try:
        presented = await activation.present(sad, entries, _asked(plan, request.school_id), request.client_id, request.request_id)
    except SignerError as error:
        return replace(plan, presented=Refusal(error))
    return replace(plan, presented=presented)


def require_allowed(lot: Lot, items: Sequence[Item]) -> list[Item]:
    """Ends items that the holder did not allow; those that go on."""
    presented = lot.plan.presented
    if presented is None:
        return list(items)

    def hold(item: Item) -> None:
        if item.document.placement != lot.plan.placement:
            raise DocumentNotAuthorized("the key's holder allowed the plan's field, and no other for this document")
        presented.require(entry_of(lot.plan, item), item.key.document_id, item.document.proof)

    return take_step(items, hold)


def entry_of(plan: ReadyPlan, item: Item) -> bytes:
    """What the holder's list calls a document: its SHA-256, or the digest that came in its place."""
    return item.document.content if plan.profile is Profile.CADES_DIGEST else item.source.digest()


def _asked(plan: ReadyPlan, school_id: str) -> AuthorizationTarget:
    """What the request is about, as far as it says so again. The presentation is the holder's."""
    of_documents = plan.profile is not Profile.DIGEST
    record = plan.record
    return AuthorizationTarget(
        school_id=school_id,
        credential_id=plan.credential.id,
        list=SignableList(ListBinding.DIGEST, b"", 0, of_documents),
        presentation=Presentation(),
        plan_sha256=plan_sha256(_as_document(plan)) if of_documents else b"",
        role=record.role if record else None,
        delegation_id=record.delegation_id if record else "",
        algorithm=None if of_documents else plan.algorithm,
    )


def _as_document(plan: ReadyPlan) -> ReadyPlan:
    """A CMS over a digest is allowed as the detached CMS over the document that has it."""
    return replace(plan, profile=Profile.CADES, options=CadesOptions()) if plan.profile is Profile.CADES_DIGEST else plan
