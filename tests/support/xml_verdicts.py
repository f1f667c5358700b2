"""Others' judgement of signed XML: xmlsec1 as a program of its own, and signxml."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidInput, SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
_ID_NODES = ("DU_LIEU_HOC_BA", "THONG_TIN_HOC_BA", "DIEM_TONG_KET", "dong", "part")
_SIGNATURE_IDS = ("SignatureProperties", "SignatureProperty", "SignedProperties", "Object", "Signature", "Reference")


def xmlsec1(document: bytes, cas: Sequence[Path], folder: Path, number: int = 0, content: tuple[str, bytes] | None = None) -> bool:
    """Whether `xmlsec1 --verify` accepts the n-th signature and its key's chain.

    cas: the root, then what stands between. content: name and bytes of what a detached one signs.
    """
    file = folder / "signed.xml"
    file.write_bytes(document)
    if content is not None:
        (folder / content[0]).write_bytes(content[1])
    ids = [f"--id-attr:Id {name}" for name in _ID_NODES]
    ids += [f"--id-attr:Id http://www.w3.org/2000/09/xmldsig#:{name}" for name in _SIGNATURE_IDS]
    ids += ["--id-attr:Id http://uri.etsi.org/01903/v1.3.2#:SignedProperties"]
    flags = [word for option in ids for word in option.split(" ")]
    xpath = f"(//*[local-name()='Signature' and namespace-uri()='http://www.w3.org/2000/09/xmldsig#'])[{number + 1}]"
    root, *between = cas
    trust = ["--trusted-pem", str(root), *(word for ca in between for word in ("--untrusted-pem", str(ca)))]
    command = ["xmlsec1", "--verify", "--enabled-key-data", "x509", *trust, *flags, "--node-xpath", xpath, str(file)]
    return subprocess.run(command, capture_output=True, check=False, cwd=folder).returncode == 0


def signxml(
    document: bytes, cas: Sequence[Path], folder: Path, number: int = 0, *, kind: type[XMLVerifier] = XMLVerifier
) -> list[VerifyResult] | None:
    """What signxml says each reference of the n-th signature covers, when it stands for these CAs; None when it refuses."""
    trusted = folder / "cas.pem"
    trusted.write_bytes(b"".join(ca.read_bytes() for ca in cas))
    tree = etree.fromstring(document)
    signature = list(tree.iter(f"{DS}Signature"))[number]
    references = len(signature.findall(f"{DS}SignedInfo/{DS}Reference"))
    parent = signature.getparent()
    expected = SignatureConfiguration(
        location="./" if parent is None else f"./{tree.getroottree().getelementpath(parent)}/",
        expect_references=references,
        signature_methods=frozenset(SignatureMethod),
        digest_algorithms=frozenset(DigestAlgorithm),
    )
    verifier = kind()
    # Under a default namespace lxml's C14N writes xmlns="" where none belongs; this is signxml's own switch against it (its issue 193).
    verifier.excise_empty_xmlns_declarations = True
    try:
        found = verifier.verify(tree, ca_pem_file=str(trusted), expect_config=expected)
    except (SignXMLException, InvalidInput):
        return None
    return found if isinstance(found, list) else [found]
