"""RFC 4998 read a second time, straight from its text, sharing nothing with signer: what a stranger's verifier does with our records.

Structures are asn1crypto's, from the RFC's ASN.1 module (IMPLICIT TAGS). Step 3 of §4.3 is taken literally: each list is sorted,
concatenated and hashed, also one of a single hash.
"""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asn1crypto import algos, cms, core, tsp


class PartialHashtree(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.OctetString


class ReducedHashtree(core.SequenceOf):  # type: ignore[misc]
    _child_spec = PartialHashtree


class ArchiveTimeStamp(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012 - asn1crypto's way
        ("digest_algorithm", algos.DigestAlgorithm, {"implicit": 0, "optional": True}),
        ("attributes", cms.CMSAttributes, {"implicit": 1, "optional": True}),
        ("reduced_hashtree", ReducedHashtree, {"implicit": 2, "optional": True}),
        ("time_stamp", cms.ContentInfo),
    ]


class ArchiveTimeStampChain(core.SequenceOf):  # type: ignore[misc]
    _child_spec = ArchiveTimeStamp


class ArchiveTimeStampSequence(core.SequenceOf):  # type: ignore[misc]
    _child_spec = ArchiveTimeStampChain


class DigestAlgorithmList(core.SequenceOf):  # type: ignore[misc]
    _child_spec = algos.DigestAlgorithm


class EvidenceRecord(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012 - asn1crypto's way
        ("version", core.Integer),
        ("digest_algorithms", DigestAlgorithmList),
        ("crypto_infos", cms.CMSAttributes, {"implicit": 0, "optional": True}),
        ("encryption_info", core.Sequence, {"implicit": 1, "optional": True}),
        ("archive_time_stamp_sequence", ArchiveTimeStampSequence),
    ]


@dataclass(frozen=True)
class Stamp:
    """A timestamp that the record needs: DER, what it must be of, and when it says it was made."""

    timestamp: bytes
    root: bytes
    digest: str
    gen_time: datetime


class NotProved(AssertionError):
    pass


def stamps_that_prove(encoded: bytes, documents: list[bytes]) -> list[Stamp]:
    """§5.3 for documents, all of which must be covered. What is left to do is to verify the timestamps, each over its root."""
    record = EvidenceRecord.load(encoded, strict=True)
    require(record["version"].native == 1, "version")
    declared = {found["algorithm"].native for found in record["digest_algorithms"]}
    found: list[Stamp] = []
    chains = record["archive_time_stamp_sequence"]
    for number, chain in enumerate(chains):
        for place, stamp in enumerate(chain):
            digest = stamp["digest_algorithm"]["algorithm"].native
            require(digest in declared and digest == chain[0]["digest_algorithm"]["algorithm"].native, "algorithm")
            if place:
                wanted = {hashlib.new(digest, chain[place - 1]["time_stamp"].dump()).digest()}
            elif number:
                before = ArchiveTimeStampSequence([chains[earlier] for earlier in range(number)]).dump()
                ha = hashlib.new(digest, before).digest()
                wanted = {hashlib.new(digest, hashlib.new(digest, document).digest() + ha).digest() for document in documents}
            else:
                wanted = {hashlib.new(digest, document).digest() for document in documents}
            found.append(check(stamp, digest, wanted))
    require(found == sorted(found, key=lambda one: one.gen_time), "order")
    return found


def check(stamp: ArchiveTimeStamp, digest: str, wanted: set[bytes]) -> Stamp:
    """§4.3."""
    tree = stamp["reduced_hashtree"].native
    if tree:
        require(wanted <= set(tree[0]), "the first list does not hold the hash")
        above: list[bytes] = []
        for hashes in tree:
            above = [hashlib.new(digest, b"".join(sorted([*hashes, *above]))).digest()]
    else:
        above = list(wanted)
        require(len(above) == 1, "several documents without a tree")
    info = stamp["time_stamp"]["content"]["encap_content_info"]["content"].parsed
    require(isinstance(info, tsp.TSTInfo), "no TSTInfo")
    imprint = info["message_imprint"]
    require(imprint["hash_algorithm"]["algorithm"].native == digest, "the timestamp has another algorithm")
    require(imprint["hashed_message"].native == above[0], "the timestamp is of another root")
    return Stamp(stamp["time_stamp"].dump(), above[0], digest, info["gen_time"].native)


def require(holds: bool, what: str) -> None:
    if not holds:
        raise NotProved(what)


def openssl_accepts(stamp: Stamp, root_pem: bytes, folder: Path) -> bool:
    """openssl's word on a timestamp, as of its own time, given nothing but the digest that it must be of."""
    (folder / "timestamp.der").write_bytes(stamp.timestamp)
    (folder / "root.pem").write_bytes(root_pem)
    command = ["openssl", "ts", "-verify", "-digest", stamp.root.hex(), f"-{stamp.digest}", "-token_in", "-in", "timestamp.der"]
    moment = ["-attime", str(int(stamp.gen_time.timestamp()))]
    ran = subprocess.run([*command, "-CAfile", "root.pem", *moment], cwd=folder, capture_output=True, check=False, text=True)
    return "Verification: OK" in ran.stdout
