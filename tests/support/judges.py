"""Others' judgement of what we sign: poppler's pdfsig, openssl, and the signature taken apart by asn1crypto."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from asn1crypto import cms
from pyhanko.pdf_utils.reader import PdfFileReader


@dataclass(frozen=True, slots=True)
class Extracted:
    """A signature as it lies in the file. covered: the bytes of its byte range."""

    field_name: str
    cms: bytes
    covered: bytes

    @property
    def signer_info(self) -> Any:
        return cms.ContentInfo.load(self.cms)["content"]["signer_infos"][0]

    @property
    def certificates(self) -> list[bytes]:
        return [choice.chosen.dump() for choice in cms.ContentInfo.load(self.cms)["content"]["certificates"]]

    @property
    def signed_attributes(self) -> dict[str, Any]:
        """Native values by name."""
        return {attribute["type"].native: attribute["values"][0].native for attribute in self.signer_info["signed_attrs"]}

    @property
    def timestamp(self) -> bytes | None:
        """The TimeStampToken over the signature value, DER; None for B-B."""
        for attribute in self.signer_info["unsigned_attrs"]:
            if attribute["type"].native == "signature_time_stamp_token":
                return bytes(attribute["values"][0].dump())
        return None


def signatures(document: bytes) -> list[Extracted]:
    """Every signature, oldest first. Its CMS without the padding of its hole."""
    found = []
    for embedded in PdfFileReader(BytesIO(document)).embedded_signatures:
        first, first_length, second, second_length = (int(number) for number in embedded.byte_range)
        covered = document[first : first + first_length] + document[second : second + second_length]
        whole = cms.ContentInfo.load(bytes(embedded.pkcs7_content)).dump()
        found.append(Extracted(embedded.field_name, whole, covered))
    return found


def pdfsig(file: Path) -> list[dict[str, str]]:
    """What pdfsig says of each signature, by its labels; trust is not asked of it (it knows no anchor of ours)."""
    done = subprocess.run(["pdfsig", "-nocert", str(file)], capture_output=True, check=True, text=True)
    blocks = re.split(r"^Signature #\d+:\n", done.stdout, flags=re.MULTILINE)[1:]
    return [
        {label.strip(" -"): value.strip() for label, _, value in (line.partition(":") for line in block.splitlines())} for block in blocks
    ]


def openssl_cms_verify(signature: Extracted, roots: Path, folder: Path) -> None:
    """`openssl cms -verify`: signed attributes, digest, chain to the root. CalledProcessError with its words when it refuses."""
    (folder / "signature.der").write_bytes(signature.cms)
    (folder / "covered").write_bytes(signature.covered)
    files = ["-in", str(folder / "signature.der"), "-content", str(folder / "covered"), "-CAfile", str(roots)]
    _openssl("cms", "-verify", "-binary", "-inform", "DER", *files, "-purpose", "any", "-out", "/dev/null")


def openssl_ts_verify(signature: Extracted, roots: Path, untrusted: Path, folder: Path) -> None:
    """`openssl ts -verify` of the timestamp over the signature value."""
    assert signature.timestamp is not None
    (folder / "timestamp.der").write_bytes(signature.timestamp)
    imprint = hashlib.sha256(signature.signer_info["signature"].native).hexdigest()
    files = ["-in", str(folder / "timestamp.der"), "-CAfile", str(roots), "-untrusted", str(untrusted)]
    _openssl("ts", "-verify", "-token_in", "-digest", imprint, *files)


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
