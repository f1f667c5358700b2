"""Completing certificate chains from configured CA files (RFC 5280 §6.1 name chaining, checked by signature).

Government tokens often hold the leaf alone (design: domain §5), so the issuers come from configuration; those of the first generation are
signed with SHA-1, which is taken on configured certificates alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.formats.status.path import links
from signer.model import Problem, ProblemKind

_CHAIN_LENGTH_MAX = 8


class Issuers:
    """The CA certificates of the configuration, by subject."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        self._by_subject: dict[x509.Name, list[x509.Certificate]] = {}
        known = dict.fromkeys(certificates)
        self._named = frozenset(known)
        for certificate in known:
            self._by_subject.setdefault(certificate.subject, []).append(certificate)

    def chain_of(self, leaf: x509.Certificate) -> tuple[bytes, ...]:
        """DER of the issuers, nearest first, without the self-signed root (a verifier must know that one itself); as far as known."""
        chain: list[bytes] = []
        current = leaf
        while len(chain) < _CHAIN_LENGTH_MAX and current.issuer != current.subject:
            issuer = self._issuer_of(current)
            if issuer is None or issuer.issuer == issuer.subject:
                break
            chain.append(issuer.public_bytes(Encoding.DER))
            current = issuer
        return tuple(chain)

    def reach_root(self, leaf: x509.Certificate) -> bool:
        """Whether a chain leads from the certificate to a self-signed one of the configuration."""
        current = leaf
        for _ in range(_CHAIN_LENGTH_MAX):
            issuer = self._issuer_of(current)
            if issuer is None or issuer.issuer == issuer.subject:
                return issuer is not None
            current = issuer
        return False

    def _issuer_of(self, certificate: x509.Certificate) -> x509.Certificate | None:
        candidates = self._by_subject.get(certificate.issuer, ())
        return next((each for each in candidates if links(certificate, each, self._named)), None)


def chain_problems(issuers: Issuers, certificate: x509.Certificate) -> list[Problem]:
    """Whether the certificate chains to a configured CA."""
    if issuers.reach_root(certificate):
        return []
    return [Problem(ProblemKind.CHAIN_INCOMPLETE, "no chain leads from its certificate to a configured CA: see [trust]")]
