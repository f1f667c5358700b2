"""Distinguished names, shortened for tables."""

from __future__ import annotations


def common_name(subject: str) -> str:
    """CN of an RFC 4514 string, unescaped; the whole string where there is none."""
    from cryptography.x509 import Name  # noqa: PLC0415  # only tables need it
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    try:
        found = Name.from_rfc4514_string(subject).get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return subject
    return str(found[0].value) if found else subject
