"""Documents signed by the fast PAdES path, with a real CMS or with none worth the name."""

from __future__ import annotations

import hashlib

from signer.algorithms import SignatureAlgorithm
from signer.formats.cms.template import CmsTemplate
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.fast.path import prepare_fast
from signer.formats.pades.update import PreparedUpdate, check, digests, splice
from signer.model import FieldPlacement
from tests.support import pdfs, pki

NO_CMS = b"\x30\x00"


def prepared_fast(
    document: bytes, field: str | FieldPlacement = "GVCN", *, contents_bytes: int = pdfs.CONTENTS_BYTES, artwork: Artwork | None = None
) -> PreparedUpdate:
    """The update as the fast path makes it, checked as the daemon does; HandOver when it does not."""
    placement = FieldPlacement(field) if isinstance(field, str) else field
    update = prepare_fast(document, placement, signing_time=pdfs.SIGNED_AT, contents_bytes=contents_bytes, artwork=artwork)
    check(len(document), update)
    return update


def extended(document: bytes, update: PreparedUpdate) -> bytes:
    """The file with an empty CMS: what structure alone needs."""
    return document + splice(update, NO_CMS)


def signed_fast(
    document: bytes,
    field: str | FieldPlacement,
    *,
    signer: pki.Issued,
    chain: tuple[pki.Issued, ...],
    algorithm: SignatureAlgorithm = SignatureAlgorithm.RSA_PKCS1_SHA256,
    artwork: Artwork | None = None,
) -> bytes:
    """The signed file."""
    update = prepared_fast(document, field, artwork=artwork)
    template = CmsTemplate.build(signer.der, tuple(issuer.der for issuer in chain), algorithm)
    attributes = template.signed_attributes(digests(document, update, algorithm.digest).byte_range_digest)
    signature = pki.sign(signer.key, algorithm, hashlib.new(algorithm.digest.value, attributes).digest())
    return document + splice(update, template.assemble(attributes, signature))
