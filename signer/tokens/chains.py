"""Completing certificate chains from configured CA files (RFC 5280 §6.1 name chaining, checked by signature).

Government tokens often hold the leaf alone (design: domain §5), so the issuers come from configuration; those of the first generation are
signed with SHA-1, which is taken on configured certificates alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.formats.status.path import links
from signer.model import Problem, ProblemKind

_CHAIN_LENGTH_MAX = 8


@dataclass(frozen=True, slots=True)
class ChainPath:
    """issuers: DER, nearest first, without the self-signed root (a verifier must know that one itself); as far as known."""

    issuers: tuple[bytes, ...]
    reaches_root: bool


class Issuers:
    """The CA certificates of the configuration, by subject. Who issued each of them is found once."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        self._by_subject: dict[x509.Name, list[x509.Certificate]] = {}
        self._above: dict[x509.Certificate, x509.Certificate | None] = {}
        known = dict.fromkeys(certificates)
        self._named = frozenset(known)
        for certificate in known:
            self._by_subject.setdefault(certificate.subject, []).append(certificate)

    def path_of(self, leaf: x509.Certificate) -> ChainPath:
        """The chain from a certificate towards a self-signed one of the configuration."""
        chain: list[bytes] = []
        issuer = self._issuer_of(leaf)
        while issuer is not None and issuer.issuer != issuer.subject and len(chain) < _CHAIN_LENGTH_MAX:
            chain.append(issuer.public_bytes(Encoding.DER))
            if issuer not in self._above:
                self._above[issuer] = self._issuer_of(issuer)
            issuer = self._above[issuer]
        return ChainPath(tuple(chain), issuer is not None and issuer.issuer == issuer.subject)

    def _issuer_of(self, certificate: x509.Certificate) -> x509.Certificate | None:
        candidates = self._by_subject.get(certificate.issuer, ())
        return next((each for each in candidates if links(certificate, each, self._named)), None)


def chain_problems(path: ChainPath) -> list[Problem]:
    """Whether a certificate chains to a configured CA."""
    if path.reaches_root:
        return []
    return [Problem(ProblemKind.CHAIN_INCOMPLETE, "no chain leads from its certificate to a configured CA: see [trust]")]
