"""Others' judgement of a CMS that is a file of its own: `openssl cms -verify` and pyHanko."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from asn1crypto import cms, pem, x509
from pyhanko.sign.validation.generic_cms import async_validate_detached_cms
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext


@dataclass(frozen=True, slots=True)
class Judged:
    """What pyHanko says. stamped_at: the time of a timestamp that stands, None without one."""

    intact: bool
    valid: bool
    trusted: bool
    stamped_at: datetime | None


def openssl(encoded: bytes, roots: Path, folder: Path, content: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """`openssl cms -verify -cades`: digest, signature, signing certificate, chain. content: None when attached. stdout: what was signed."""
    (folder / "signature.p7").write_bytes(encoded)
    files = ["-in", str(folder / "signature.p7"), "-CAfile", str(roots)]
    if content is not None:
        (folder / "content").write_bytes(content)
        files += ["-content", str(folder / "content")]
    command = ["openssl", "cms", "-verify", "-binary", "-cades", "-inform", "DER", "-purpose", "any", *files]
    return subprocess.run(command, capture_output=True, check=False)


def pyhanko(encoded: bytes, roots: Path, content: bytes | None = None) -> Judged:
    """content: None when attached; then it is taken out first, because pyHanko judges timestamps of detached ones only."""
    signed = cms.ContentInfo.load(encoded)["content"]
    if content is None:
        content = bytes(signed["encap_content_info"]["content"])
        signed["encap_content_info"] = {"content_type": "data"}
    _, _, root = pem.unarmor(roots.read_bytes())

    def context() -> ValidationContext:
        return ValidationContext(trust_roots=[x509.Certificate.load(root)], allow_fetching=False)

    status: Any = asyncio.run(
        async_validate_detached_cms(
            content,
            signed,
            signer_validation_context=context(),
            ts_validation_context=context(),
            key_usage_settings=KeyUsageConstraints(),
        )
    )
    stamp = status.timestamp_validity
    stands = stamp is not None and stamp.intact and stamp.valid and stamp.trusted
    return Judged(status.intact, status.valid, status.trusted, stamp.timestamp if stands else None)


def attributes(encoded: bytes) -> dict[str, Any]:
    """The signed attributes' values, as asn1crypto has them, by name."""
    signer = cms.ContentInfo.load(encoded)["content"]["signer_infos"][0]
    return {each["type"].native: each["values"][0] for each in signer["signed_attrs"]}


def without_timestamp(encoded: bytes) -> bytes:
    """The same with its unsigned attributes taken away."""
    info = cms.ContentInfo.load(encoded)
    del info["content"]["signer_infos"][0]["unsigned_attrs"]
    return _encoded(info)


def with_certificate(encoded: bytes, certificate: bytes) -> bytes:
    """The same saying that another certificate's key made it: a wrong key."""
    info = cms.ContentInfo.load(encoded)
    other = x509.Certificate.load(certificate)
    signer = info["content"]["signer_infos"][0]
    signer["sid"] = cms.SignerIdentifier("issuer_and_serial_number", {"issuer": other.issuer, "serial_number": other.serial_number})
    info["content"]["certificates"].append(cms.CertificateChoices("certificate", other))
    return _encoded(info)


def _encoded(info: cms.ContentInfo) -> bytes:
    """Only what was changed is encoded anew: to force that of everything doubles its time with each level, and takes minutes."""
    return bytes(info.dump())
