from __future__ import annotations

from functools import lru_cache

from cryptography import x509


@lru_cache(maxsize=1024)
def load(certificate: bytes) -> x509.Certificate:
    """DER, read once for all the documents it comes with. ValueError for what is no certificate."""
    return x509.load_der_x509_certificate(certificate)


@lru_cache(maxsize=256)
def load_all(certificates: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
    """The same for several, such as the configured ones."""
    return tuple(load(each) for each in certificates)
