"""An accountant who believes nobody: what a caller holds, against the journal, the token's own count and mathematics.

Written without the code that it judges: PDF and CMS are taken apart by asn1crypto, signatures verified by cryptography.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.support.batch import Delivery
from tests.support.rig import Books
from tests.support.shim import Shim

_LAST_RANGE = re.compile(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]")


@dataclass(frozen=True, slots=True)
class Account:
    """What came of everything that was asked for. All but `documents` are to be 0 or empty.

    lost: documents that did not end signed. doubled: those of which more than one signature was released, to a caller or in the journal.
    unaudited: uses of a key without an intent, and signatures in callers' hands that the journal does not name. invalid: signatures that
    do not verify, and why.
    """

    documents: int
    lost: int
    doubled: int
    unaudited: int
    invalid: tuple[str, ...]

    def row(self) -> dict[str, int]:
        """For the fault report."""
        return {"documents": self.documents, "lost": self.lost, "doubled": self.doubled, "unaudited": self.unaudited}


def account(deliveries: Iterable[Delivery], books: Books, shim: Shim) -> Account:
    """Of callers who have all they will get; the daemon may still run, nothing may be under way."""
    deliveries = list(deliveries)
    unaudited, invalid = books.extra_key_uses(shim), []
    for delivery in deliveries:
        for document_id, content in delivery.signed_files().items():
            try:
                signature = _verified(content)
            except (InvalidSignature, ValueError) as error:
                invalid.append(f"{delivery.request_id} {document_id}: {error!r}")
            else:
                unaudited += books.signatures.get((delivery.request_id, document_id)) != sha256(signature).hexdigest()
    return Account(
        documents=sum(len(delivery.documents) for delivery in deliveries),
        lost=sum(delivery.lost for delivery in deliveries),
        doubled=books.doubled + sum(delivery.doubled for delivery in deliveries),
        unaudited=unaudited,
        invalid=tuple(invalid),
    )


def _verified(document: bytes) -> bytes:
    """The last signature's value. ValueError, InvalidSignature: it covers other bytes, or is not its certificate's."""
    found = list(_LAST_RANGE.finditer(document))
    if not found:
        raise ValueError("no signature")
    begin, before, after, length = map(int, found[-1].groups())
    if begin != 0 or after + length != len(document):
        raise ValueError("it does not cover the whole file")
    signed = cms.ContentInfo.load(bytes.fromhex(document[before + 1 : after - 1].decode("ascii")))["content"]
    [signer] = signed["signer_infos"]
    attributes = {attribute["type"].native: attribute["values"][0] for attribute in signer["signed_attrs"]}
    if attributes["message_digest"].native != sha256(document[:before] + document[after:]).digest():
        raise ValueError("it is another document's")
    value = bytes(signer["signature"].native)
    _verify(_certificate(signed, signer), value, signer["signed_attrs"].untag().dump())
    return value


def _certificate(signed: cms.SignedData, signer: cms.SignerInfo) -> x509.Certificate:
    wanted = signer["sid"].chosen["serial_number"].native
    [found] = [each.chosen for each in signed["certificates"] if each.chosen.serial_number == wanted]
    return x509.load_der_x509_certificate(found.dump())


def _verify(certificate: x509.Certificate, value: bytes, octets: bytes) -> None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(value, octets, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(value, octets, ec.ECDSA(hashes.SHA256()))
    else:
        raise InvalidSignature(f"a key of {type(key).__name__}")
