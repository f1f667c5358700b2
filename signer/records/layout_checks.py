"""What a layout must be beyond the shape of its file: XPaths that evaluate, an order without circles, signatures outside their data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from lxml import etree

from signer.formats.xml.names import CANONICALIZATIONS
from signer.model import RecordSlot, Role
from signer.records.layout import Layout, LayoutSlot

Problem = tuple[str, str]
"""The key in the file, and what is wrong with it."""

SIGNING_ROLES = {
    RecordSlot.SUBJECT_TEACHER: frozenset({Role.SUBJECT_TEACHER}),
    RecordSlot.HOMEROOM_TEACHER: frozenset({Role.HOMEROOM_TEACHER}),
    RecordSlot.PRINCIPAL: frozenset({Role.PRINCIPAL, Role.VICE_PRINCIPAL}),
    RecordSlot.SEAL: frozenset({Role.CLERK}),
}
"""Who signs what by the regulations; a layout may narrow it, not widen it."""


@lru_cache(maxsize=1024)
def xpath(expression: str) -> etree.XPath:
    """An expression, ready to use; XPathSyntaxError for one that is none. Without regular expressions: their time has no bound."""
    return etree.XPath(expression, regexp=False, smart_strings=False)


def problems_of(layout: Layout) -> Iterator[Problem]:
    """Everything wrong with one layout."""
    for check in _CHECKS:
        yield from check(layout)


def _check_xpaths(layout: Layout) -> Iterator[Problem]:
    for key, expression in expressions_of(layout):
        try:
            xpath(expression)
        except etree.XPathSyntaxError as error:
            yield key, f"is no XPath 1.0: {error}"
        else:
            if "$" in expression.replace("$subject", ""):
                yield key, "the one variable that an XPath may use is $subject"


def expressions_of(layout: Layout) -> Iterator[tuple[str, str]]:
    """Every XPath of a layout, after the key that it has in the file."""
    recognition, identifiers = layout.recognition, layout.identifiers
    yield from ((f"recognition.present[{index}]", each) for index, each in enumerate(recognition.present))
    yield from ((f"recognition.absent[{index}]", each) for index, each in enumerate(recognition.absent))
    yield from ((f"identifiers.{name}", path) for name in identifiers.__slots__ if (path := getattr(identifiers, name)))
    for index, results in enumerate(layout.results):
        yield f"results[{index}].each", results.each
        yield from ((f"results[{index}].needs[{at}]", each) for at, each in enumerate(results.needs))
    for slot in layout.slots:
        key = _key(slot)
        yield f"{key}.place", slot.place
        if slot.subject:
            yield f"{key}.subject", slot.subject
        if slot.covers:
            yield f"{key}.covers", slot.covers
        yield from ((f"{key}.references[{at}].element", each.element) for at, each in enumerate(slot.references))


def _check_slots(layout: Layout) -> Iterator[Problem]:
    seen: set[RecordSlot] = set()
    for slot in layout.slots:
        key = _key(slot)
        if slot.slot in seen:
            yield key, "is described twice; a layout has each slot once"
        seen.add(slot.slot)
        for role in slot.roles:
            if role not in SIGNING_ROLES[slot.slot]:
                allowed = ", ".join(sorted(each.value for each in SIGNING_ROLES[slot.slot]))
                yield f"{key}.roles", f"'{role.value}' can't sign {slot.slot.value}; allowed: {allowed}"


def _check_subjects(layout: Layout) -> Iterator[Problem]:
    for slot in layout.slots:
        key = _key(slot)
        if bool(slot.subject) != (slot.slot is RecordSlot.SUBJECT_TEACHER):
            yield f"{key}.subject", "is for GVBM, which has one slot a subject, and for no other slot"
        if slot.covers and not slot.subject:
            yield f"{key}.covers", "is for GVBM, which has one slot a subject, and for no other slot"
        uses_subject = any("$subject" in reference.element for reference in slot.references)
        if uses_subject != bool(slot.subject):
            yield f"{key}.references", "name $subject exactly where the slot is one of a subject"


def _check_order(layout: Layout) -> Iterator[Problem]:
    earlier: set[RecordSlot] = set()
    known = {slot.slot for slot in layout.slots}
    for slot in layout.slots:
        key = f"{_key(slot)}.after"
        for name in slot.after:
            if name not in known:
                yield key, f"the layout has no slot {name.value}"
            elif name not in earlier:
                yield key, f"{name.value} stands later in the file; list slots in the order of signing"
        earlier.add(slot.slot)
    seal = layout.slot(RecordSlot.SEAL)
    if seal is not None and RecordSlot.PRINCIPAL not in {each.slot for each in layout.before(seal)}:
        yield f"{_key(seal)}.after", "must name CBQL: the seal is applied only over the principal's signature"


def _check_algorithms(layout: Layout) -> Iterator[Problem]:
    known = ", ".join(sorted(CANONICALIZATIONS))
    for slot in layout.slots:
        key = _key(slot)
        if slot.canonicalization not in CANONICALIZATIONS:
            yield f"{key}.canonicalization", f"unknown; known: {known}"
        for at, reference in enumerate(slot.references):
            if len(reference.transforms) > 1 or not CANONICALIZATIONS.keys() >= set(reference.transforms):
                # No XPath, XSLT or base64: what is signed is what is seen. No enveloped-signature: slots lie outside of what is signed.
                yield f"{key}.references[{at}].transforms", f"at most one is allowed, of: {known}"


def _check_places(layout: Layout) -> Iterator[Problem]:
    """Where paths can be compared as text; each record is looked at again when its slot is found."""
    signed = {reference.element for slot in layout.slots for reference in slot.references}
    for slot in layout.slots:
        for element in signed:
            if slot.place == element or slot.place.startswith(f"{element}/"):
                yield f"{_key(slot)}.place", f"lies inside {element}, which is signed: every later signature would break that one"


def _key(slot: LayoutSlot) -> str:
    return f"slots[{slot.slot.value}]"


_CHECKS: tuple[Callable[[Layout], Iterator[Problem]], ...] = (
    _check_xpaths,
    _check_slots,
    _check_subjects,
    _check_order,
    _check_algorithms,
    _check_places,
)
