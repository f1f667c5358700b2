"""What a timestamp that lies in an archive is worth, years later: the judge of evidence records (RFC 4998 §4.3 step 4).

It was believed when it was made, so it is verified as of its gen time. For how long it can be shown depends on its certificates: to the
first notAfter on the way from the authority to the trust anchor. Revocation is not looked up: that needs the network.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509

from signer.algorithms import DigestAlgorithm
from signer.formats.cms.reader import read_signed_data
from signer.formats.evidence import StampedTime
from signer.timestamp.verify import verify_timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PATH_MAX = 8


class ArchiveJudge:
    """Judges timestamps by trust anchors; the ones of a class are judged once. Not for concurrent use.

    trusted_roots: DER; expired ones still vouch for their time.
    """

    def __init__(self, trusted_roots: Iterable[bytes]) -> None:
        self._roots = tuple(trusted_roots)
        self._known: dict[tuple[bytes, bytes, DigestAlgorithm], StampedTime] = {}

    def __call__(self, timestamp: bytes, imprint: bytes, algorithm: DigestAlgorithm, /) -> StampedTime:
        """What the timestamp states, or TimestampInvalid."""
        question = (timestamp, imprint, algorithm)
        if question not in self._known:
            self._known[question] = self._judge(*question)
        return self._known[question]

    def _judge(self, timestamp: bytes, imprint: bytes, algorithm: DigestAlgorithm) -> StampedTime:
        verified = verify_timestamp(
            timestamp,
            imprint=imprint,
            digest_algorithm=algorithm,
            nonce=None,
            policies=(),
            trusted_roots=self._roots,
            now=_EPOCH,
            window=timedelta.max,
        )
        path = _path(verified.authority, (*read_signed_data(timestamp).certificates, *self._roots))
        until = min(certificate.not_valid_after_utc for certificate in path)
        return StampedTime(verified.tst_info.gen_time, until, path[0].subject.rfc4514_string())


def _path(leaf: bytes, others: Iterable[bytes]) -> list[x509.Certificate]:
    """From a certificate to its root, among certificates that are known to hold a path; of several issuers, the longest valid."""
    path = [x509.load_der_x509_certificate(leaf)]
    candidates = [x509.load_der_x509_certificate(encoded) for encoded in dict.fromkeys(others)]
    while path[-1].issuer != path[-1].subject and len(path) < _PATH_MAX:
        issuers = [candidate for candidate in candidates if candidate.subject == path[-1].issuer and _issued(candidate, path[-1])]
        if not issuers:
            break
        path.append(max(issuers, key=lambda issuer: issuer.not_valid_after_utc))
    return path


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001  # any failure says the same: not by this one
        return False
    return True
