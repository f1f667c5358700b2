"""Others' judgement of the XML we sign: xmlsec1, as a program of its own, and signxml."""

from __future__ import annotations

import subprocess
from pathlib import Path

from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier
from signxml.xades.xades import XAdESVerifier

from signer.formats.xml.names import DS, XADES
from tests.support import pki

_WITH_IDS = (
    f"{DS}:SignatureProperty",
    f"{DS}:Object",
    f"{XADES}:SignedProperties",
    "DU_LIEU_HOC_BA",
    "THONG_TIN_HOC_BA",
    "DIEM_TONG_KET",
    "part",
)


def xmlsec1(signed: bytes, folder: Path, *, signature: int = 1) -> bool:
    """Whether xmlsec1 accepts the n-th signature of the document: references, value, chain to the tests' root."""
    file, root = folder / "signed.xml", folder / "root.pem"
    file.write_bytes(signed)
    root.write_bytes(pki.root().pem)
    ids = [argument for name in _WITH_IDS for argument in ("--id-attr:Id", name)]
    node = f"(//*[local-name()='Signature'])[{signature}]"
    done = subprocess.run(
        ["xmlsec1", "--verify", "--trusted-pem", str(root), *ids, "--node-xpath", node, str(file)],
        capture_output=True,
        check=False,
        text=True,
    )
    return done.returncode == 0 and "OK" in done.stderr.splitlines()


def signxml(signed: bytes, folder: Path, *, xades: bool = False) -> None:
    """signxml accepts the document's first signature with two references, or raises its reason.

    lxml writes `xmlns=""` where it should not when it canonicalises under a default namespace; signxml has a switch that takes it out
    again, and without it accepts no signature in the form that .NET writes.
    """
    root = folder / "root.pem"
    root.write_bytes(pki.root().pem)
    verifier = XAdESVerifier() if xades else XMLVerifier()
    verifier.excise_empty_xmlns_declarations = True
    configuration = SignatureConfiguration(
        signature_methods=frozenset(SignatureMethod), digest_algorithms=frozenset(DigestAlgorithm), expect_references=2
    )
    verifier.verify(signed, ca_pem_file=str(root), expect_config=configuration, id_attribute="Id")
