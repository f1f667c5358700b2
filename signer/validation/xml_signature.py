"""A ds:Signature taken apart, strictly by its schema (XMLDSig 4): what isn't understood is told, nothing is skipped."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.formats.xml.names import CANONICALIZATIONS, DIGESTS, DS, ENVELOPED_SIGNATURE, SIGNATURES, WITH_COMMENTS, Canonicalization
from signer.formats.xml.reading import Element

REFERENCES_MAX: Final = 100
CERTIFICATES_MAX: Final = 16
_DS: Final = f"{{{DS}}}"


class Malformed(Exception):
    """Not a signature by the schema. text: what is wrong, for people."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Unsupported(Exception):
    """A signature of a kind that isn't judged here. text: for people. is_weak: for an algorithm that is not accepted, or no longer."""

    def __init__(self, text: str, *, is_weak: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.is_weak = is_weak


@dataclass(frozen=True, slots=True)
class ReferenceParts:
    """One ds:Reference. is_enveloped: the first transform takes the signature out. method: None where no transform names one."""

    uri: str
    type: str
    is_enveloped: bool
    method: Canonicalization | None
    digest_algorithm: DigestAlgorithm
    digest: bytes


@dataclass(frozen=True, slots=True)
class SignatureParts:
    """A ds:Signature. certificates: DER, of its X509Data. objects: its ds:Object elements."""

    element: Element
    id: str
    signed_info: Element
    method: Canonicalization
    with_comments: bool
    algorithm: SignatureAlgorithm
    references: tuple[ReferenceParts, ...]
    value: bytes
    value_element: Element
    certificates: tuple[bytes, ...]
    subject_name: str
    objects: tuple[Element, ...]


def take_apart(signature: Element) -> SignatureParts:
    """Read a ds:Signature. Raises Malformed, or Unsupported."""
    _require_order(signature, ("SignedInfo", "SignatureValue", "KeyInfo", "Object"))
    signed_info, value_element = _only(signature, "SignedInfo"), _only(signature, "SignatureValue")
    _require_order(signed_info, ("CanonicalizationMethod", "SignatureMethod", "Reference"))
    method = _algorithm(_only(signed_info, "CanonicalizationMethod"))
    if method not in CANONICALIZATIONS:
        raise Unsupported("it uses a canonicalisation that is not accepted here")
    algorithm = SIGNATURES.get(_algorithm(_only(signed_info, "SignatureMethod")))
    if algorithm is None:
        raise Unsupported("its signature algorithm is not known here, or no longer accepted", is_weak=True)
    references = _children(signed_info, "Reference")
    if not 0 < len(references) <= REFERENCES_MAX:
        raise Malformed(f"it has no reference, or more than {REFERENCES_MAX}")
    return SignatureParts(
        element=signature,
        id=signature.get("Id", ""),
        signed_info=signed_info,
        method=CANONICALIZATIONS[method],
        with_comments=method in WITH_COMMENTS,
        algorithm=algorithm,
        references=tuple(_reference(each) for each in references),
        value=unbase64(value_element),
        value_element=value_element,
        certificates=_certificates(signature),
        subject_name=(signature.findtext(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509SubjectName") or "").strip(),
        objects=tuple(_children(signature, "Object")),
    )


def unbase64(element: Element) -> bytes:
    """An element's text as octets. Raises Malformed."""
    text = element.text or ""
    if len(element):
        raise Malformed("it has elements where base64 stands")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("it has no base64 where base64 stands") from error


def _reference(element: Element) -> ReferenceParts:
    _require_order(element, ("Transforms", "DigestMethod", "DigestValue"))
    uri = element.get("URI")
    if uri is None:
        raise Malformed("a reference without URI: nothing says what it covers")
    digest_algorithm = DIGESTS.get(_algorithm(_only(element, "DigestMethod")))
    if digest_algorithm is None:
        raise Unsupported("a reference's digest algorithm is not known here, or no longer accepted", is_weak=True)
    is_enveloped, method = _transforms(next(iter(_children(element, "Transforms")), None))
    digest = unbase64(_only(element, "DigestValue"))
    return ReferenceParts(uri, element.get("Type", ""), is_enveloped, method, digest_algorithm, digest)


def _transforms(element: Element | None) -> tuple[bool, Canonicalization | None]:
    """Enveloped-signature first, one canonicalisation last, nothing else: with XPath or XSLT what is signed is not what is seen."""
    uris = []
    if element is not None:
        _require_order(element, ("Transform",))
        uris = [_algorithm(each) for each in element]
    is_enveloped = uris[:1] == [ENVELOPED_SIGNATURE]
    rest = uris[1:] if is_enveloped else uris
    if len(rest) > 1 or not CANONICALIZATIONS.keys() >= set(rest):
        raise Unsupported("a reference has transforms other than enveloped-signature and one canonicalisation, which are not accepted")
    return is_enveloped, CANONICALIZATIONS[rest[0]] if rest else None


def _certificates(signature: Element) -> tuple[bytes, ...]:
    found = signature.findall(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
    if len(found) > CERTIFICATES_MAX:
        raise Malformed(f"it holds more than {CERTIFICATES_MAX} certificates")
    return tuple(dict.fromkeys(unbase64(each) for each in found))


def _algorithm(element: Element) -> str:
    """Its URI. Parameters would change what the algorithm does, and none is known here."""
    uri = element.get("Algorithm")
    if uri is None:
        raise Malformed("an algorithm is not named")
    if len(element):
        raise Unsupported("an algorithm has parameters that are not accepted here")
    return uri


def _children(parent: Element, name: str) -> list[Element]:
    """Of that name in the XMLDSig namespace. Not `findall`, which takes three times as long to the same end."""
    return list(parent.iterchildren(_DS + name))


def _only(parent: Element, name: str) -> Element:
    found = _children(parent, name)
    if len(found) != 1:
        raise Malformed(f"it has {'no' if not found else 'more than one'} {name}")
    return found[0]


def _require_order(parent: Element, names: tuple[str, ...]) -> None:
    """Of its children, in the XMLDSig namespace: these and in this order."""
    allowed = _places(names)
    found = [allowed.get(str(each.tag)) for each in parent.iterchildren("*")]
    if None in found or found != sorted(index for index in found if index is not None):
        raise Malformed("its elements are not those of a signature, or not in their order")


@lru_cache(maxsize=16)
def _places(names: tuple[str, ...]) -> dict[str, int]:
    """Where each stands among them."""
    return {_DS + name: index for index, name in enumerate(names)}
