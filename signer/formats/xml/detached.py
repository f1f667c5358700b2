from __future__ import annotations

import hashlib

from signer.algorithms import DigestAlgorithm
from signer.errors import InvalidArgument
from signer.formats.xml.examine import canonicalization
from signer.formats.xml.identity import signature_id
from signer.formats.xml.values import Examined, Reference


def examine_detached(
    content: bytes, uri: str, digest_algorithm: DigestAlgorithm, canonicalization_uri: str, mime_type: str = "application/octet-stream"
) -> Examined:
    """A signature over bytes that stay a file of their own. Parses nothing: any bytes can be signed so.

    uri: where a verifier finds them, such as the file's name, percent-encoded where need be. Raises InvalidArgument for one that would mean
    the signature's own file, and for an unknown canonicalisation.
    """
    canonicalization(canonicalization_uri, "canonicalization")
    if not uri or uri.startswith("#"):
        raise InvalidArgument("a detached signature names what it signs by another URI than its own file's", field="uri")
    digest = hashlib.new(digest_algorithm.value, content).digest()
    references = (Reference(uri, (), digest_algorithm, digest, mime_type),)
    return Examined(signature_id("", references), canonicalization_uri, references)
