"""From a certificate up to a trust anchor, every link verified (RFC 5280 §6.1, the part that names and signatures make).

What a full validation adds (policies, name constraints, usages of the leaf) is the validator's business; here it must be certain that an
anchor vouches for each certificate, and with it for the addresses that stand in it. SHA-1 is taken on certificates that the configuration
names (the government's first generation of CAs), on no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from signer.errors import VerificationFailed
from signer.formats.status.question import UNREADABLE, Question

_LENGTH_MAX: Final = 8
_TRIES_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Path:
    """certificates: the leaf first, the anchor last; the leaf alone when it is an anchor itself."""

    certificates: tuple[x509.Certificate, ...]

    @property
    def questions(self) -> tuple[Question, ...]:
        """What has to be asked about: every certificate but the anchor."""
        return tuple(Question(*pair) for pair in pairwise(self.certificates))


def find_path(
    leaf: x509.Certificate,
    others: Iterable[x509.Certificate],
    anchors: Iterable[x509.Certificate],
    at: datetime,
    *,
    configured: Iterable[x509.Certificate] = (),
) -> Path:
    """A path from `leaf` over some of `others` and `configured` to one of `anchors`, all of it valid at `at` (aware).

    configured: intermediates that the configuration names. VerificationFailed when there is no path.
    """
    named = frozenset(configured)
    search = _Search(_by_subject((*others, *named)), _by_subject(anchors), at, named)
    found = search.up((leaf,))
    if found is None:
        raise VerificationFailed(
            f"no chain leads from the certificate with serial {leaf.serial_number:x} to a configured CA, valid at {at.isoformat()}; "
            "compare [trust] ca_files",
            serial=f"{leaf.serial_number:x}",
        )
    return Path(found)


class _Search:
    """Depth first; tries are counted, so that crossing certificates can't make it long."""

    def __init__(
        self,
        others: dict[x509.Name, list[x509.Certificate]],
        anchors: dict[x509.Name, list[x509.Certificate]],
        at: datetime,
        named: frozenset[x509.Certificate],
    ) -> None:
        self._others = others
        self._anchors = anchors
        self._at = at
        self._named = named
        self._tries = _TRIES_MAX

    def up(self, path: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...] | None:
        """The path continued to an anchor; None when it can't be."""
        last = path[-1]
        if not last.not_valid_before_utc <= self._at <= last.not_valid_after_utc:
            return None
        if last in self._anchors.get(last.subject, ()):
            return path
        for anchor in self._anchors.get(last.issuer, ()):
            if self._issued(anchor, last, len(path)) and anchor.not_valid_before_utc <= self._at <= anchor.not_valid_after_utc:
                return (*path, anchor)
        if len(path) < _LENGTH_MAX:
            for other in self._others.get(last.issuer, ()):
                found = self.up((*path, other)) if other not in path and self._issued(other, last, len(path)) else None
                if found is not None:
                    return found
        return None

    def _issued(self, issuer: x509.Certificate, certificate: x509.Certificate, length: int) -> bool:
        self._tries -= 1
        return self._tries >= 0 and may_issue(issuer, length - 1) and links(certificate, issuer, self._named)


def verified_path(
    certificates: Sequence[x509.Certificate],
    anchors: Iterable[x509.Certificate],
    at: datetime,
    *,
    configured: Iterable[x509.Certificate] = (),
) -> Path:
    """The path that these certificates are said to be, leaf first; VerificationFailed unless they are.

    From the anchor down, so that no key is used to verify with before an anchor vouches for it: a stranger's may cost seconds.
    """
    named = frozenset(configured)
    is_path = 0 < len(certificates) <= _LENGTH_MAX + 1 and certificates[-1] in anchors
    is_path = is_path and all(each.not_valid_before_utc <= at <= each.not_valid_after_utc for each in certificates)
    pairs = reversed(list(enumerate(pairwise(certificates))))
    if not is_path or not all(may_issue(issuer, index) and links(certificate, issuer, named) for index, (certificate, issuer) in pairs):
        raise VerificationFailed("a chain of the document leads to no configured CA, or is not what it seemed; it was left as it is")
    return Path(tuple(certificates))


def links(certificate: x509.Certificate, issuer: x509.Certificate, named: frozenset[x509.Certificate]) -> bool:
    """Whether the issuer's key signed it; with SHA-1 only if it is one of those named."""
    return is_issued_by(certificate, issuer) or (certificate in named and _is_issued_with_sha1(certificate, issuer))


def _is_issued_with_sha1(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """What `verify_directly_issued_by` does, for a digest that it does not take any more."""
    key, digest = issuer.public_key(), certificate.signature_hash_algorithm
    if certificate.issuer != issuer.subject or not isinstance(key, rsa.RSAPublicKey) or not isinstance(digest, hashes.SHA1):
        return False
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), digest)
    except InvalidSignature:
        return False
    return True


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key signed it; for any certificates, whatever is wrong with them."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    except Exception:  # noqa: BLE001  # unsupported keys and algorithms raise by kind; all mean the same here
        return False
    return True


def may_issue(issuer: x509.Certificate, cas_below: int) -> bool:
    """CA, for so many CAs below it, with a key that may sign certificates (RFC 5280 §4.2.1.3, §4.2.1.9)."""
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not constraints.ca or (constraints.path_length is not None and constraints.path_length < cas_below):
            return False
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as absent:
        return absent.oid == x509.KeyUsage.oid
    except UNREADABLE:
        return False


def _by_subject(certificates: Iterable[x509.Certificate]) -> dict[x509.Name, list[x509.Certificate]]:
    found: dict[x509.Name, list[x509.Certificate]] = {}
    for certificate in certificates:
        found.setdefault(certificate.subject, []).append(certificate)
    return found
