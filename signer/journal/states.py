"""What became of a request's signatures: read from their rows and from the entries that brought them there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection, select

from signer.journal.entries import INTENT
from signer.journal.model import OutcomeKind, SignatureState
from signer.journal.portions import read_members
from signer.store.tables import material, signature
from signer.store.times import moment

_IDS_AT_ONCE = 500


class Becoming(Enum):
    """The contract's SignatureState has the same names."""

    IN_PROGRESS = "in-progress"
    SIGNED = "signed"
    TIMESTAMP_PENDING = "timestamp-pending"
    FAILED = "failed"
    OUTCOME_UNKNOWN = "outcome-unknown"


_BY_STATE = {
    SignatureState.RELEASED.value: Becoming.SIGNED,
    SignatureState.PARKED.value: Becoming.TIMESTAMP_PENDING,
    SignatureState.FAILED.value: Becoming.FAILED,
}


@dataclass(frozen=True, slots=True)
class KeptState:
    """One signature. intent: members of its last attempt's entry; of an archived one, those that stay (`portions`).

    reason: why it failed. changed: when its state last did. stored: when its material was; None once that is forgotten, or never was.
    """

    document_id: str
    becoming: Becoming
    intent: Mapping[str, Any]
    reason: str
    changed: datetime
    stored: datetime | None

    @property
    def accepted(self) -> datetime:
        """When its last attempt was."""
        return datetime.fromisoformat(self.intent["at"])


def read_states(
    connection: Connection, school_id: str, request_id: str, document_ids: Sequence[str] | None, *, after: str, limit: int
) -> list[KeptState]:
    """Those of these ids that there are, or up to `limit` of the request's by id, after `after`."""
    columns = signature.c
    query = select(columns.document_id, columns.state, columns.open_intent, columns.outcome)
    query = query.where(columns.school_id == school_id, columns.request_id == request_id)
    if document_ids is None:
        rows = connection.execute(query.where(columns.document_id > after).order_by(columns.document_id).limit(limit)).all()
    else:
        parts = [document_ids[at : at + _IDS_AT_ONCE] for at in range(0, len(document_ids), _IDS_AT_ONCE)]
        rows = [row for part in parts for row in connection.execute(query.where(columns.document_id.in_(part)))]
    return _with_entries(connection, rows)


def _with_entries(connection: Connection, rows: Sequence[Any]) -> list[KeptState]:
    last = {row.document_id: row.open_intent if row.open_intent is not None else row.outcome for row in rows}
    entries = read_members(connection, set(last.values()))
    stored = _stored(connection, set(last.values()))
    above = read_members(connection, {entry["follows"] for entry in entries.values() if "follows" in entry})
    # A completed signature's outcome follows its parked one, which follows the intent.
    above |= read_members(connection, {entry["follows"] for entry in above.values() if "follows" in entry})
    return [_state(row, last[row.document_id], entries, above, stored) for row in rows if last[row.document_id] in entries]


def _state(
    row: Any, last: int, entries: Mapping[int, Mapping[str, Any]], above: Mapping[int, Mapping[str, Any]], stored: Mapping[int, datetime]
) -> KeptState:
    entry = entries[last]
    intent = entry
    while intent["kind"] != INTENT:
        intent = above[intent["follows"]]
    becoming = _BY_STATE.get(row.state) or (Becoming.IN_PROGRESS if row.open_intent is not None else Becoming.OUTCOME_UNKNOWN)
    is_failure = entry["kind"] in {OutcomeKind.FAILED.value, OutcomeKind.UNKNOWN.value}
    reason = str(entry.get("detail", "")) if is_failure else ""
    return KeptState(row.document_id, becoming, intent, reason, datetime.fromisoformat(entry["at"]), stored.get(last))


def _stored(connection: Connection, outcomes: Collection[int]) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    for part in _parts(outcomes):
        query = select(material.c.outcome, material.c.stored_at_us).where(material.c.outcome.in_(part))
        found |= {outcome: moment(stored_at_us) for outcome, stored_at_us in connection.execute(query)}
    return found


def _parts(values: Collection[int]) -> list[list[int]]:
    ordered = sorted(values)
    return [ordered[at : at + _IDS_AT_ONCE] for at in range(0, len(ordered), _IDS_AT_ONCE)]
