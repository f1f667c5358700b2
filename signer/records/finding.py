"""Where a slot is in a record, and what its signature must reference: found through the layout, or refused with a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signer.model import SlotRequest, XmlReference
from signer.records.layout import Layout, LayoutReference, LayoutSlot
from signer.records.problem import Finding, Wording, found
from signer.records.reading import SIGNATURE_TAG, Element, Record


@dataclass(frozen=True, slots=True)
class FoundSlot:
    """A slot as it stands in a record. subject_id: of GVBM, else empty. signatures: what it holds, one at most in a sound record."""

    slot: LayoutSlot
    subject_id: str
    element: Element
    signatures: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What a slot's signature signs: the request for it, and the elements that it references."""

    request: SlotRequest
    elements: tuple[Element, ...]


def slots_of(record: Record, slot: LayoutSlot) -> list[FoundSlot]:
    """Every place of the slot in the record: one, or one a subject."""
    return [
        FoundSlot(slot, record.text_at(slot.subject, element) if slot.subject else "", element, tuple(element.iterchildren(SIGNATURE_TAG)))
        for element in record.find(slot.place)
    ]


def locate(record: Record, layout: Layout, places: Sequence[FoundSlot], slot: LayoutSlot, subject_id: str) -> FoundSlot | Finding:
    """The one place of a slot, of this subject for GVBM. places: what `slots_of` found of the slot."""
    fitting = [each for each in places if each.subject_id == subject_id] if slot.subject else list(places)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        return found(Wording.ELEMENT_TWICE, record.path(fitting[1].element), layout=layout.id)
    if slot.subject:
        return found(Wording.SUBJECT_MISSING, slot.place, subject=subject_id)
    return found(Wording.SLOT_MISSING, slot.place, slot=slot.slot.value)


def target_of(record: Record, layout: Layout, place: FoundSlot) -> Target | Finding:
    """What a signature in this place must reference: each element once there, outside of which the slot lies, under an Id of its own."""
    references: list[XmlReference] = []
    signed: list[Element] = []
    for reference in place.slot.references:
        element = _signed_element(record, layout, place, reference)
        if isinstance(element, Finding):
            return element
        signed.append(element)
        references.append(
            XmlReference(
                uri=f"#{element.get('Id')}", target=record.path(element), digest_algorithm=reference.digest, transforms=reference.transforms
            )
        )
    request = SlotRequest(record.path(place.element), tuple(references), place.slot.canonicalization)
    return Target(request, tuple(signed))


def _signed_element(record: Record, layout: Layout, place: FoundSlot, reference: LayoutReference) -> Element | Finding:
    slot = place.slot.slot.value
    variables = {"subject": place.subject_id} if "$subject" in reference.element else {}
    fitting = record.find(reference.element, **variables)
    if len(fitting) != 1:
        wording = Wording.ELEMENT_TWICE if fitting else Wording.ELEMENT_MISSING
        return found(wording, reference.element, layout=layout.id, slot=slot)
    element = fitting[0]
    path = record.path(element)
    name = element.get("Id")
    if not name or (reference.id and name != reference.id):
        return found(Wording.ID_WRONG, path, layout=layout.id, slot=slot, expected=reference.id or "Id")
    if not record.has_id_once(name):
        return found(Wording.ID_TWICE, path, layout=layout.id, slot=slot)
    if element is place.element or element in place.element.iterancestors(element.tag):
        return found(Wording.SLOT_INSIDE, record.path(place.element), layout=layout.id, slot=slot)
    return element
