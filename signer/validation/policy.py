"""Which algorithms and key usages a verified signature may use, in pyHanko's terms.

SHA-1, MD5 and MD2 are never accepted in a signature over a document or a timestamp. On certificates SHA-1 passes the chain building so
that the government's first generation (RSA-2048 with SHA-1, valid to 2030) can be followed at all; `pdf` then accepts it on configured
certificates only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from asn1crypto.x509 import Certificate
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.utils import CMSAlgorithmUsagePolicy
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.policy_decl import DisallowWeakAlgorithmsPolicy

from signer.algorithms import RSA_KEY_BITS_MIN

_WEAK: Final = frozenset({"md2", "md5", "sha1"})
_WEAK_ON_CERTIFICATES: Final = frozenset({"md2", "md5"})

SIGNATURES: Final = CMSAlgorithmUsagePolicy.lift_policy(
    DisallowWeakAlgorithmsPolicy(_WEAK, rsa_key_size_threshold=RSA_KEY_BITS_MIN)  # type: ignore[no-untyped-call]
)
SIGNER_KEY_USAGE: Final = KeyUsageConstraints(key_usage={"digital_signature", "non_repudiation"})
"""Either is enough: seals and older teachers' certificates carry digitalSignature alone."""


def context(anchors: tuple[Certificate, ...], intermediates: tuple[Certificate, ...], at: datetime) -> ValidationContext:
    """A context for one moment: nothing is fetched, missing revocation data does not fail (soft)."""
    return ValidationContext(
        trust_roots=list(anchors),
        other_certs=list(intermediates),
        moment=at,
        allow_fetching=False,
        revocation_mode="soft-fail",
        algorithm_usage_policy=DisallowWeakAlgorithmsPolicy(  # type: ignore[no-untyped-call]
            _WEAK_ON_CERTIFICATES, rsa_key_size_threshold=RSA_KEY_BITS_MIN
        ),
    )
