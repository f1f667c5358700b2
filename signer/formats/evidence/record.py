"""EvidenceRecord, ArchiveTimeStampSequence, -Chain and ArchiveTimeStamp: values, written and strictly read (RFC 4998 §3.1, §4.1, §5.1).

The RFC's module has IMPLICIT TAGS. Read is DER alone, because renewals hash encodings. cryptoInfos, which nothing protects, are kept as
they came; encryptionInfo is refused: such a record is about documents as they were encrypted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentDamaged, DocumentUnsupported
from signer.formats import der, der_reader
from signer.formats.cms.identifiers import DIGEST_IDENTIFIERS, DIGESTS_BY_OID
from signer.formats.cms.reader import read_signed_data
from signer.formats.der_reader import DerError, Element, Reader
from signer.formats.evidence.hash_tree import HashTree, Reduced, root_of

_VERSION = 1
_CONTEXT_0, _CONTEXT_1, _CONTEXT_2 = 0xA0, 0xA1, 0xA2
_LISTS_MAX = 64
"""More levels than any tree has."""
_REMEMBERED = 64
"""Timestamps: the records of a class share theirs."""


@dataclass(frozen=True, slots=True)
class ArchiveTimeStamp:
    """A timestamp and the reduced hash tree that it covers (§4.1).

    encoded: DER, as it came. timestamp: a TimeStampToken, DER, unverified. imprint: what that says to have stamped, by `algorithm`.
    """

    encoded: bytes
    timestamp: bytes
    algorithm: DigestAlgorithm
    reduced: Reduced
    imprint: bytes

    @property
    def covered(self) -> tuple[bytes, ...]:
        """The hashes that it proves: its first list, or what was stamped."""
        return self.reduced[0] if self.reduced else (self.imprint,)

    @property
    def root(self) -> bytes:
        """What must have been stamped."""
        return root_of(self.reduced, self.algorithm) if self.reduced else self.imprint


Chain = tuple[ArchiveTimeStamp, ...]


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """chains: of ArchiveTimeStamps, oldest first; a new chain begins with a new hash tree. crypto_infos: DER, or empty."""

    chains: tuple[Chain, ...]
    crypto_infos: bytes = b""

    @property
    def algorithms(self) -> tuple[DigestAlgorithm, ...]:
        """By which the documents' digests are needed to verify: each chain's, without repetitions."""
        return tuple(dict.fromkeys(chain[0].algorithm for chain in self.chains))

    @property
    def last(self) -> ArchiveTimeStamp:
        """The one that must be valid now."""
        return self.chains[-1][-1]

    def encoded(self) -> bytes:
        """EvidenceRecord, DER."""
        algorithms = der.sequence(*(DIGEST_IDENTIFIERS[algorithm] for algorithm in self.algorithms))
        return der.sequence(der.integer(_VERSION), algorithms, self.crypto_infos, encoded_chains(self.chains))


def encoded_chains(chains: Sequence[Chain]) -> bytes:
    """ArchiveTimeStampSequence, DER."""
    return der.sequence(*(der.sequence(*(stamp.encoded for stamp in chain)) for chain in chains))


def archive_timestamp(timestamp: bytes, reduced: Reduced, algorithm: DigestAlgorithm) -> ArchiveTimeStamp:
    """ArchiveTimeStamp of a TimeStampToken, DER, over the root that `reduced` leads to. Raises DocumentDamaged for another timestamp."""
    lists = b"".join(map(_encoded_list, reduced))
    imprint = root_of(reduced, algorithm) if reduced else _imprint_of(timestamp, algorithm)
    _check_imprint(timestamp, imprint, algorithm)
    return ArchiveTimeStamp(_encoded_stamp(timestamp, lists, algorithm), timestamp, algorithm, reduced, imprint)


def _encoded_list(hashes: Sequence[bytes]) -> bytes:
    return der.sequence(*map(der.octet_string, hashes))


def _encoded_stamp(timestamp: bytes, lists: bytes, algorithm: DigestAlgorithm) -> bytes:
    return der.sequence(der.implicit(0, DIGEST_IDENTIFIERS[algorithm]), der.tlv(_CONTEXT_2, lists) if lists else b"", timestamp)


def _imprint_of(timestamp: bytes, algorithm: DigestAlgorithm) -> bytes:
    try:
        stamped, imprint = _stamped(timestamp)
    except DerError as malformed:
        raise DocumentDamaged(f"not a timestamp in DER: {malformed}") from malformed
    if stamped is not algorithm:
        raise DocumentDamaged(f"the timestamp is of a {stamped.value} digest")
    return imprint


def _check_imprint(timestamp: bytes, imprint: bytes, algorithm: DigestAlgorithm) -> None:
    if _imprint_of(timestamp, algorithm) != imprint:
        raise DocumentDamaged("the timestamp is of another hash tree")


def evidence_record(timestamp: bytes, reduced: Reduced, algorithm: DigestAlgorithm) -> EvidenceRecord:
    """A new record (§3.2). timestamp: TimeStampToken, DER, over the tree's root; to be verified before. reduced: see HashTree.reduced.

    Raises DocumentDamaged when the timestamp is not one of that root.
    """
    return EvidenceRecord(((archive_timestamp(timestamp, reduced, algorithm),),))


def evidence_records(timestamp: bytes, tree: HashTree) -> Iterator[bytes]:
    """The new record of every group of a tree, DER, in their order: what `evidence_record(…).encoded()` gives, a tenth of the work.

    Raises DocumentDamaged when the timestamp is not one of the tree's root.
    """
    _check_imprint(timestamp, tree.root, tree.algorithm)
    before = der.integer(_VERSION) + der.sequence(DIGEST_IDENTIFIERS[tree.algorithm])
    heads: dict[int, bytes] = {}  # what stands before the tree has lengths in it, and so differs by the tree's length alone
    for lists in encoded_trees(tree):
        head = heads.get(len(lists))
        if head is None:
            stamp = _encoded_stamp(timestamp, lists, tree.algorithm)
            whole = der.sequence(before, der.sequence(der.sequence(stamp)))
            head = heads[len(lists)] = whole[: len(whole) - len(lists) - len(timestamp)]
        yield b"".join((head, lists, timestamp))


def encoded_trees(tree: HashTree) -> Iterator[bytes]:
    """`tree.reduced(i)` of every group, encoded; what is common to several is encoded once, from the root down."""
    single = _encoded_list((bytes(tree.algorithm.size_bytes),))[: -tree.algorithm.size_bytes]
    tails = [b""]
    for level in reversed(tree.levels[1:-1]):
        hashes, parents, above = level.hashes, level.parents, tails
        tails = [_beside(hashes, number, single) + above[parents[number // 2]] for number in range(len(hashes))]
    leaves = tree.levels[0]
    for index, (group, number) in enumerate(zip(tree.groups, tree.leaves, strict=True)):
        tail = tails[leaves.parents[number // 2]] if leaves.parents else b""
        if len(group) > 1:
            yield _encoded_list(group) + _beside(leaves.hashes, number, single) + tail
        elif number ^ 1 < len(leaves.hashes):
            yield _encoded_list(sorted((group[0], leaves.hashes[number ^ 1]))) + tail
        else:  # the one that moved up without a sibling
            yield b"".join(map(_encoded_list, tree.reduced(index)))


def _beside(hashes: Sequence[bytes], number: int, single: bytes) -> bytes:
    """The list of a node's sibling, empty without one. single: what comes before the hash in a list of one."""
    return single + hashes[number ^ 1] if number ^ 1 < len(hashes) else b""


def read_evidence_record(encoded: bytes) -> EvidenceRecord:
    """Read an EvidenceRecord; nothing of it is believed yet.

    Raises DocumentDamaged for what is none in DER, and DocumentUnsupported for digests and features that are not known here.
    """
    try:
        return _read(der_reader.read(encoded, der.SEQUENCE).children())
    except DerError as malformed:
        raise DocumentDamaged(f"not an evidence record in DER: {malformed}") from malformed


def _read(fields: Reader) -> EvidenceRecord:
    version = der_reader.integer(fields.take(der.INTEGER))
    if version != _VERSION:
        raise DocumentUnsupported(f"evidence records of version {version} are not known")
    declared = {_algorithm(element.children()) for element in _some(fields.take(der.SEQUENCE))}
    crypto_infos = fields.take_if(_CONTEXT_0)
    if fields.take_if(_CONTEXT_1) is not None:
        raise DocumentUnsupported("evidence of encrypted documents is not supported")
    chains = tuple(tuple(map(_read_stamp, _some(chain))) for chain in _some(fields.take(der.SEQUENCE)))
    fields.end()
    record = EvidenceRecord(chains, crypto_infos.encoded if crypto_infos else b"")
    if any(stamp.algorithm not in declared for chain in chains for stamp in chain):
        raise DerError("a digest algorithm is used that digestAlgorithms does not name")
    return record


def _some(element: Element, tag: int = der.SEQUENCE) -> list[Element]:
    """The elements of a SEQUENCE OF, at least one, each a SEQUENCE."""
    if element.tag != tag:
        raise DerError(f"tag {element.tag:#04x} instead of {tag:#04x}")
    found = element.children().rest()
    if not found or any(child.tag != der.SEQUENCE for child in found):
        raise DerError("a list is empty or holds something else")
    return found


def _read_stamp(element: Element) -> ArchiveTimeStamp:
    fields = element.children()
    named, attributes, tree = (fields.take_if(tag) for tag in (_CONTEXT_0, _CONTEXT_1, _CONTEXT_2))
    timestamp = fields.take(der.SEQUENCE).encoded
    fields.end()
    for attribute in [] if attributes is None else _some(attributes, _CONTEXT_1):  # how an archive works, not what is proved
        attribute.children().take(der.OBJECT_IDENTIFIER)
    stamped, imprint = _stamped(timestamp)
    algorithm = stamped if named is None else _algorithm(named.children())
    if algorithm is not stamped:
        raise DerError("digestAlgorithm is not the timestamp's")
    return ArchiveTimeStamp(element.encoded, timestamp, algorithm, () if tree is None else _read_tree(tree, algorithm), imprint)


def _read_tree(tree: Element, algorithm: DigestAlgorithm) -> Reduced:
    lists = tree.children().rest()
    if not 0 < len(lists) <= _LISTS_MAX:
        raise DerError(f"{len(lists)} lists of hashes")
    reduced = tuple(tuple(found.content for found in one.children().rest() if found.tag == der.OCTET_STRING) for one in lists)
    for one, hashes in zip(lists, reduced, strict=True):
        # By size: what is no OCTET STRING leaves a difference.
        exact = len(one.content) == len(hashes) * (algorithm.size_bytes + 2) and {len(found) for found in hashes} == {algorithm.size_bytes}
        if one.tag != der.SEQUENCE or not exact:
            raise DerError(f"a list of hashes is empty or holds anything but {algorithm.value} digests")
    return reduced


@lru_cache(maxsize=_REMEMBERED)
def _stamped(timestamp: bytes) -> tuple[DigestAlgorithm, bytes]:
    """The MessageImprint of a TimeStampToken (RFC 3161 §2.4.2). Raises DerError."""
    content = read_signed_data(timestamp).content
    fields = der_reader.read(content or b"", der.SEQUENCE).children()
    fields.take(der.INTEGER)
    fields.take(der.OBJECT_IDENTIFIER)
    imprint = fields.take(der.SEQUENCE).children()
    algorithm = _algorithm(imprint.take(der.SEQUENCE).children())
    return algorithm, imprint.take(der.OCTET_STRING).content


def _algorithm(identifier: Reader) -> DigestAlgorithm:
    dotted = der_reader.oid(identifier.take(der.OBJECT_IDENTIFIER))
    identifier.take_if(der.NULL_TAG)
    identifier.end()
    if dotted not in DIGESTS_BY_OID:
        raise DocumentUnsupported(f"the digest algorithm {dotted} is not known")
    return DIGESTS_BY_OID[dotted]
