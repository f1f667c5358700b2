"""A signature that documents of one markup have in one place, such as the homeroom teacher's in a class's records (`formats.xml.alike`).

One of them was judged as any signature is, and stands. What that judgement found depends on markup and on texts; of the latter it is asked
again what may differ between records: what is digested, the signature's value, and its time. All other texts in the signature must be those
of the one that was judged, its certificates among them; whether these are valid at the moment is asked again as well. Whatever is not so is
for the verifier to judge: nothing is refused here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.formats.xml.alike.apart import number_of
from signer.formats.xml.alike.learning import Marked, text_number
from signer.formats.xml.alike.parts import Part, PartsOfDocument
from signer.formats.xml.names import DS, Canonicalization
from signer.formats.xml.reading import Element
from signer.formats.xml.search import is_within
from signer.model import Profile
from signer.validation.chains import ChainQuestion, judge_chain
from signer.validation.trust import TrustAnchors
from signer.validation.xml_key import find_signer
from signer.validation.xml_references import CoveredReference, Standing, judge_references
from signer.validation.xml_signature import Malformed, SignatureParts, Unsupported, take_apart
from signer.validation.xml_statements import read_statements, time_of

_TIME: Final = "{*}SigningTime"


@dataclass(frozen=True, slots=True)
class _Digested:
    """One reference. digest: the number of the text that has it."""

    part: Part
    algorithm: DigestAlgorithm
    digest: int


@dataclass(frozen=True, slots=True)
class SignaturePattern:
    """value, time: numbers of texts. fixed: the other texts in it, by their numbers. certificates: DER, of its X509Data."""

    signed_info: Part
    algorithm: SignatureAlgorithm
    references: tuple[_Digested, ...]
    value: int
    time: int
    fixed: tuple[tuple[int, bytes], ...]
    certificates: tuple[bytes, ...]

    def stands(self, document: PartsOfDocument, trust: TrustAnchors, at: datetime) -> bool:
        """Whether a document's signature is valid in every respect at that moment; no word on why not.

        document: one whose texts are those of `fixed`.
        """
        texts = document.values
        if any(base64.b64encode(document.digest(each.part, each.algorithm)) != _packed(texts[each.digest]) for each in self.references):
            return False
        if time_of(texts[self.time].decode()) is None:
            return False
        try:
            value = base64.b64decode(_packed(texts[self.value]), validate=True)
        except binascii.Error:
            return False
        signer = find_signer(self.certificates, self.signed_info.octets(texts), value, self.algorithm)
        if signer is None:
            return False
        others = tuple(each for each in self.certificates if each != signer)
        return not judge_chain(ChainQuestion(signer, others, trust, at)).findings


def _packed(base64_text: bytes) -> bytes:
    return b"".join(base64_text.split())


def signature_pattern(marked: Marked, signature: Element) -> SignaturePattern | None:
    """Learn from a signature that stands; None, or DocumentUnsupported, for one of a form that isn't for this room.

    signature: in the document with marks.

    Of a signature that does not stand nothing right can be learnt: the caller knows.
    """
    original = marked.in_original(signature)
    try:
        parts = take_apart(original)
        references = judge_references(marked.original, parts, None)
        statements = read_statements(parts, references)
    except (Malformed, Unsupported):
        return None
    times = list(signature.iter(_TIME))
    if statements.profile is not Profile.MINISTRY_XML or len(times) != 1 or not all(_is_plain(each, original) for each in references):
        return None
    return _pattern(marked, signature, parts, references, times[0])


def _is_plain(reference: CoveredReference, signature: Element) -> bool:
    """Of an element in the document that is digested as it stands."""
    if reference.standing is not Standing.INTACT or reference.element is None:
        return False
    return not (reference.parts.is_enveloped and is_within(signature, reference.element))


def _pattern(
    marked: Marked, signature: Element, parts: SignatureParts, references: tuple[CoveredReference, ...], time: Element
) -> SignaturePattern:
    digests = [text_number(each) for each in signature.iterfind(f"{{{DS}}}SignedInfo/{{{DS}}}Reference/{{{DS}}}DigestValue")]
    value, moment = text_number(marked.in_marked(parts.value_element)), text_number(time)
    free, texts = {*digests, value, moment}, marked.document.texts
    return SignaturePattern(
        signed_info=marked.parts.element(marked.in_marked(parts.signed_info), parts.method),
        algorithm=parts.algorithm,
        references=tuple(
            _Digested(
                marked.parts.element(marked.in_marked(each.element), each.parts.method or Canonicalization.C14N_10),
                each.parts.digest_algorithm,
                number,
            )
            for each, number in zip(references, digests, strict=True)
            if each.element is not None  # as none is that is plain
        ),
        value=value,
        time=moment,
        fixed=tuple((number, texts[number]) for number in _numbers(signature) if number not in free),
        certificates=parts.certificates,
    )


def _numbers(signature: Element) -> Iterator[int]:
    """Of every text in it."""
    for text in signature.itertext():
        number = number_of(str(text))
        if number is not None:
            yield number
