"""How much of a document an XML signature covers, and whether that is what its slot asks for.

What stands in the signature itself is either a statement of its own (properties, key) or counts as data: moving what was signed into an
Object, and something else into its place, is the oldest way to wrap a signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from signer.formats.xml.names import DS, XADES
from signer.formats.xml.reading import Element
from signer.formats.xml.search import SIGNATURE, Finder, is_within
from signer.model import SlotRequest
from signer.validation.report import Coverage
from signer.validation.xml_references import CoveredReference, Standing
from signer.validation.xml_signature import SignatureParts
from signer.validation.xml_statements import SIGNATURE_PROPERTIES, SIGNATURE_PROPERTY

_PROPERTIES: Final = frozenset({*SIGNATURE_PROPERTIES, f"{{{XADES}}}QualifyingProperties"})
_STATEMENTS: Final = frozenset({*SIGNATURE_PROPERTIES, *SIGNATURE_PROPERTY, f"{{{XADES}}}SignedProperties", f"{{{DS}}}KeyInfo"})


def coverage(signature: SignatureParts, references: Sequence[CoveredReference]) -> Coverage:
    """DOCUMENT: the root, or all that a signature envelops whose element is the root, or a file that is detached; UNKNOWN if not intact."""
    if any(each.standing is not Standing.INTACT for each in references):
        return Coverage.UNKNOWN
    data = _data(signature, references)
    unsigned = [each for each in _foreign_objects(signature) if not _is_covered(each, data)]
    is_alone = signature.element.getparent() is None
    is_whole = any(each.is_document for each in data) or (is_alone and bool(data))
    return Coverage.DOCUMENT if is_whole and not unsigned else Coverage.PARTIAL


def is_as_expected(finder: Finder, signature: SignatureParts, references: Sequence[CoveredReference], expected: SlotRequest) -> bool:
    """Whether the signature is alone in its slot, holds nothing but statements, and references exactly the elements that it must."""
    slot = signature.element.getparent()
    if slot is None or finder.by_path(expected.place, "place") != [slot] or _foreign_objects(signature):
        return False
    if sum(1 for _ in slot.iterchildren(SIGNATURE)) > 1:
        return False
    data = _data(signature, references)
    wanted = [(each.uri, finder.by_path(each.target, "target")) for each in expected.references]
    return len(data) == len(wanted) and all(
        any(each.parts.uri == uri and [each.element] == target for each in data) for uri, target in wanted
    )


def _data(signature: SignatureParts, references: Sequence[CoveredReference]) -> list[CoveredReference]:
    return [each for each in references if each.element is None or not _is_statement(signature, each.element)]


def _is_statement(signature: SignatureParts, element: Element) -> bool:
    if not is_within(element, signature.element):
        return False
    return element.tag in _STATEMENTS or any(element is each for each in signature.objects if _holds_properties(each))


def _foreign_objects(signature: SignatureParts) -> list[Element]:
    return [each for each in signature.objects if not _holds_properties(each)]


def _holds_properties(signature_object: Element) -> bool:
    return all(each.tag in _PROPERTIES for each in signature_object.iterchildren("*")) and not (signature_object.text or "").strip()


def _is_covered(signature_object: Element, data: Sequence[CoveredReference]) -> bool:
    """An enveloped-signature transform takes the whole signature out, and its Objects with it."""
    content = list(signature_object)
    covered = [each.element for each in data if each.element is not None and not each.parts.is_enveloped]
    return any(is_within(signature_object, each) for each in covered) or (len(content) == 1 and any(content[0] is each for each in covered))
