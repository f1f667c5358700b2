"""The rules: which intents and outcomes are accepted, and what rows they become. No SQL here.

| standing of the ids              | intend                             | settle of the last attempt             |
|----------------------------------|------------------------------------|----------------------------------------|
| unknown to the journal           | attempt 1                          | a bug of ours                          |
| INTENDED, an attempt under way   | refused: SignatureInProgress       | accepted                               |
| INTENDED, outcome unknown        | the next attempt                   | refused: SignatureSettled              |
| FAILED                           | the next attempt                   | refused: SignatureSettled              |
| PARKED                           | refused: SignatureSettled          | RELEASED accepted, others refused      |
| RELEASED                         | refused: SignatureSettled          | refused: SignatureSettled              |

Whatever the standing, other content under the same ids is refused: RequestIdReused. A call with several items is accepted or refused as
a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from signer.errors import InternalError, InvalidArgument, RequestIdReused, SignatureInProgress, SignatureSettled
from signer.formats.merkle import GrowingRange, Range, leaf_hash
from signer.journal.entries import INTENT, NOTE, IntentEntry, NoteEntry, OutcomeEntry, chain_hash, encode
from signer.journal.log_nodes import STEP, Node, kept
from signer.journal.model import Intent, NoteKind, Outcome, OutcomeKind, SignatureState
from signer.journal.shared import pack_shared
from signer.model import RecordSlot, SignatureKey
from signer.records.register import SignedSlot
from signer.store.times import microseconds

Ids = tuple[str, str, str]
"""A SignatureKey as the first columns of a row: school, request, document."""

_INTENDED, _RELEASED, _PARKED = SignatureState.INTENDED.value, SignatureState.RELEASED.value, SignatureState.PARKED.value
_AFTER = {
    OutcomeKind.RELEASED: (OutcomeKind.RELEASED.value, _RELEASED),
    OutcomeKind.PARKED: (OutcomeKind.PARKED.value, _PARKED),
    OutcomeKind.FAILED: (OutcomeKind.FAILED.value, SignatureState.FAILED.value),
    OutcomeKind.UNKNOWN: (OutcomeKind.UNKNOWN.value, _INTENDED),
}
"""What an outcome's entry calls it, and the state that it brings."""
_SIGNED_STATES = {_RELEASED, _PARKED}
_SHA256_BYTES = 32


class Standing(NamedTuple):
    """A row of `signature`, its columns in the table's order."""

    school_id: str
    request_id: str
    document_id: str
    fingerprint: bytes
    state: str
    attempts: int
    open_intent: int | None
    outcome: int | None
    material_sha256: bytes | None
    daemon: int | None


class FilledSlot(NamedTuple):
    """A record's slot whose signature is released; intent, outcome: its entries."""

    school_id: str
    slot: SignedSlot
    intent: int | None
    outcome: int

    @property
    def completes_replacement(self) -> bool:
        """Whether it seals a record that replaces another."""
        return bool(self.slot.replaces) and self.slot.slot is RecordSlot.SEAL


@dataclass(frozen=True, slots=True)
class Head:
    """Where the journal ends: its entries as a Merkle log, and the chain hash after the last."""

    log: Range
    chain_hash: bytes

    @property
    def next_index(self) -> int:
        """Of the entry to come."""
        return self.log.size


def ids_of(key: SignatureKey) -> Ids:
    """The key as columns."""
    return (key.school_id, key.request_id, key.document_id)


def rfc3339(at: datetime) -> str:
    """UTC with microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Ledger:
    """What one commit adds: built up by the calls of a group, then written by `writer`.

    before: the rows the group's keys have in the database. stranded: keys whose attempt ended without its outcome reaching the journal.
    daemon: whose attempts it begins.
    Each method either accepts all it is given or raises and leaves everything as it was.
    """

    def __init__(self, head: Head, before: dict[Ids, Standing], stranded: AbstractSet[Ids], now: datetime, daemon: int = 0) -> None:
        self._log = GrowingRange(head.log)
        self._chain = head.chain_hash
        self._before = before
        self._stranded = stranded
        self._daemon = daemon
        self._at = rfc3339(now)
        self.now_us = microseconds(now)
        self.entries: list[tuple[int, str, bytes, bytes, bytes]] = []
        self.nodes: list[Node] = []
        self.changed: dict[Ids, Standing] = {}
        self.materials: list[tuple[int, int, int, bytes]] = []
        self.runs: dict[bytes, bytes] = {}
        self.superseded: list[int] = []
        self.slots: list[FilledSlot] = []

    @property
    def head(self) -> Head:
        """Where the journal will end."""
        return Head(self._log.range, self._chain)

    def standing(self, ids: Ids) -> Standing | None:
        """The row of a key as this group leaves it so far."""
        return self.changed.get(ids) or self._before.get(ids)

    def intend(self, intents: Sequence[Intent]) -> list[int]:
        """The attempt number of each intent.

        Raises:
            RequestIdReused: other content stands under these ids.
            SignatureInProgress: another attempt is under way.
            SignatureSettled: the signature is released or parked.
        """
        all_ids = [ids_of(intent.key) for intent in intents]
        if len(set(all_ids)) < len(all_ids):
            raise SignatureInProgress("the same ids come twice in one call")
        standings = [self.standing(ids) for ids in all_ids]
        for ids, intent, standing in zip(all_ids, intents, standings, strict=True):
            if standing is not None:
                self._check_intent(standing, intent, ids)
        return [self._intend(*each) for each in zip(all_ids, intents, standings, strict=True)]

    def _check_intent(self, standing: Standing, intent: Intent, ids: Ids) -> None:
        if standing.fingerprint != intent.fingerprint:
            raise RequestIdReused("these ids came before with other content: use a new request_id", requestId=ids[1], documentId=ids[2])
        if standing.state in _SIGNED_STATES:
            raise SignatureSettled(f"the signature is {standing.state} already: look it up", requestId=ids[1], documentId=ids[2])
        if standing.open_intent is not None and ids not in self._stranded:
            raise SignatureInProgress("another attempt at these ids is under way", requestId=ids[1], documentId=ids[2])

    def _intend(self, ids: Ids, intent: Intent, standing: Standing | None) -> int:
        if standing is not None and standing.open_intent is not None:
            standing = self._settle(standing, OutcomeKind.UNKNOWN, b"", b"", "its outcome could not be written")
        attempt = 1 if standing is None else standing.attempts + 1
        record = intent.record
        index = self._append(
            INTENT,
            IntentEntry(
                acting_for=_clean(intent.acting_for),
                algorithm=intent.algorithm.value if intent.algorithm else "",
                at=self._at,
                attempt=attempt,
                authorization=intent.authorization_id,
                certificate=_clean(intent.certificate_serial),
                client=_clean(intent.client_id),
                credential=_clean(intent.credential_id),
                delegation=_clean(record.delegation_id) if record else "",
                digest=intent.digest.hex(),
                document=ids[2],
                fingerprint=intent.fingerprint.hex(),
                index=self._log.size,
                kind=INTENT,
                plan=_clean(intent.plan),
                record=_clean(intent.record_uuid),
                request=ids[1],
                role=record.role.value if record else "",
                school=ids[0],
                subject=_clean(record.subject_id) if record else "",
            ),
        )
        outcome = None if standing is None else standing.outcome
        self.changed[ids] = Standing(*ids, intent.fingerprint, _INTENDED, attempt, index, outcome, None, self._daemon)
        return attempt

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Write down how attempts ended.

        Raises:
            SignatureSettled: an attempt has its outcome already, or was given up for a later one.
            InvalidArgument: a signature without its hash, or material without a signature.
            InternalError: there was no such attempt.
        """
        standings: list[Standing] = []
        seen: set[Ids] = set()
        for outcome in outcomes:
            ids = ids_of(outcome.key)
            standings.append(_check_outcome(self.standing(ids), outcome, repeated=ids in seen))
            seen.add(ids)
        for standing, outcome in zip(standings, outcomes, strict=True):
            settled = self._settle(
                standing, outcome.kind, outcome.material, outcome.signature_sha256, outcome.detail, shared=outcome.shared
            )
            if outcome.slot is not None and outcome.kind is OutcomeKind.RELEASED:
                self.slots.append(FilledSlot(standing.school_id, outcome.slot, standing.open_intent, settled.outcome or 0))

    def give_up(self, attempts: Iterable[tuple[Ids, int]], kind: OutcomeKind, detail: str) -> int:
        """Settle those of `attempts` that are still open; returns how many were."""
        count = 0
        for ids, attempt in attempts:
            standing = self.standing(ids)
            if standing is not None and standing.open_intent is not None and standing.attempts == attempt:
                self._settle(standing, kind, b"", b"", detail)
                count += 1
        return count

    def _settle(
        self,
        standing: Standing,
        kind: OutcomeKind,
        material: bytes,
        signature_sha256: bytes,
        detail: str,
        *,
        shared: Sequence[bytes] = (),
    ) -> Standing:
        follows = standing.open_intent if standing.open_intent is not None else standing.outcome
        material_sha256 = sha256(material).digest() if material else None
        name, state = _AFTER[kind]
        index = self._append(
            name,
            OutcomeEntry(
                at=self._at,
                attempt=standing.attempts,
                detail=_clean(detail),
                document=standing.document_id,
                follows=follows or 0,
                index=self._log.size,
                kind=name,
                material=material_sha256.hex() if material_sha256 else "",
                request=standing.request_id,
                school=standing.school_id,
                signature=signature_sha256.hex(),
            ),
        )
        if standing.material_sha256 is not None and standing.outcome is not None:
            self.superseded.append(standing.outcome)
        if material:
            encoding, packed, runs = pack_shared(material, shared)
            self.materials.append((index, self.now_us, encoding, packed))
            self.runs |= runs
        settled = Standing(*standing[:4], state, standing.attempts, None, index, material_sha256, None)
        self.changed[settled[:3]] = settled
        return settled

    def note(self, kind: NoteKind, subject: str, detail: dict[str, str | int]) -> int:
        """Add a note; its index."""
        cleaned = {_clean(name): _clean(value) if isinstance(value, str) else value for name, value in sorted(detail.items())}
        return self._append(
            NOTE,
            NoteEntry(at=self._at, detail=cleaned, index=self._log.size, kind=NOTE, note=kind.value, subject=_clean(subject)),
        )

    def _append(self, kind: str, entry: IntentEntry | OutcomeEntry | NoteEntry) -> int:
        body = encode(entry)
        leaf = leaf_hash(body)
        index = self._log.size
        self._chain = chain_hash(self._chain, leaf)
        self.entries.append((index, kind, body, leaf, self._chain))
        complete = self._log.append(leaf)
        if len(complete) >= STEP:
            self.nodes += kept(self._log.size, complete)
        return index


def _check_outcome(standing: Standing | None, outcome: Outcome, *, repeated: bool) -> Standing:
    if standing is None or outcome.attempt > standing.attempts:
        raise InternalError(f"outcome of attempt {outcome.attempt}, which was never intended")
    late = standing.open_intent is None and not (standing.state == _PARKED and outcome.kind is OutcomeKind.RELEASED)
    if repeated or late or outcome.attempt < standing.attempts:
        raise SignatureSettled(
            f"attempt {outcome.attempt} has its outcome already", requestId=standing.request_id, documentId=standing.document_id
        )
    is_signed = outcome.kind is OutcomeKind.RELEASED or outcome.kind is OutcomeKind.PARKED
    if is_signed and len(outcome.signature_sha256) != _SHA256_BYTES:
        raise InvalidArgument("a released or parked signature needs its SHA-256, 32 bytes", field="signature_sha256")
    if outcome.material and not is_signed:
        raise InvalidArgument(f"an attempt that is {outcome.kind.value} has no material to keep", field="material")
    return standing


def _clean(text: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate (from a file name, say) must not keep an entry from being written."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
