"""CMS signatures made by OpenSSL, and timestamps put into them."""

from __future__ import annotations

import subprocess
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from asn1crypto import cms

from tests.support import cas, pdfs, pki


def signed(content: bytes, *signers: pki.Issued, attached: bool = False, cades: bool = True, chain: tuple[pki.Issued, ...] = ()) -> bytes:
    """`openssl cms -sign`, DER: one signer after the other."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "content").write_bytes(content)
        (folder / "chain.pem").write_bytes(b"".join(each.pem for each in chain))
        form = [*(["-nodetach"] if attached else []), *(["-cades"] if cades else []), *(["-certfile", "chain.pem"] if chain else [])]
        who: list[str] = []
        for number, signer in enumerate(signers):
            (folder / f"{number}.pem").write_bytes(signer.pem)
            (folder / f"{number}.key").write_bytes(cas.key_pem(signer.key))
            who += ["-signer", f"{number}.pem", "-inkey", f"{number}.key"]
        command = ["openssl", "cms", "-sign", "-binary", "-md", "sha256", "-outform", "DER", "-in", "content", *form, *who]
        return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout


def accepted(encoded: bytes, content: bytes | None, root: pki.Issued, *intermediates: pki.Issued) -> bool:
    """Whether `openssl cms -verify` accepts it. content: None for an attached one."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "it.p7s").write_bytes(encoded)
        (folder / "root.pem").write_bytes(root.pem)
        (folder / "more.pem").write_bytes(b"".join(each.pem for each in intermediates))
        command = "openssl cms -verify -binary -inform DER -in it.p7s -CAfile root.pem -purpose any -out out"
        more = ["-certfile", "more.pem"] if intermediates else []
        if content is not None:
            (folder / "content").write_bytes(content)
            more += ["-content", "content"]
        return subprocess.run([*command.split(), *more], cwd=folder, capture_output=True, check=False).returncode == 0


def stamped(encoded: bytes, at: datetime, *, imprint_of: bytes | None = None) -> bytes:
    """The same with a timestamp over each signature."""
    info = cms.ContentInfo.load(encoded)
    for signer in info["content"]["signer_infos"]:
        token = cms.ContentInfo.load(pdfs.timestamp_token(signer["signature"].native, at=at, imprint_of=imprint_of))
        attribute = cms.CMSAttribute({"type": "signature_time_stamp_token", "values": [token]})
        signer["unsigned_attrs"] = cms.CMSAttributes([attribute])
    return bytes(info.dump())
