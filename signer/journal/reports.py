from __future__ import annotations

from sqlalchemy import Connection, func, select

from signer.journal.entries import INTENT
from signer.journal.model import Accounting, OutcomeKind, SignatureState
from signer.journal.portions import read_kinds
from signer.store.tables import journal_entry, signature


def accounting(connection: Connection) -> Accounting:
    """Count intents and outcomes. Entries and signature rows are counted apart, so a balance checks one against the other.

    Reads the whole journal: for audits and tests, not for a metric.
    """
    counts = read_kinds(connection)
    counts.update({row[0]: row[1] for row in connection.execute(select(journal_entry.c.kind, func.count()).group_by(journal_entry.c.kind))})
    parked = connection.execute(select(func.count()).where(signature.c.state == SignatureState.PARKED.value)).scalar_one()
    still_open = connection.execute(select(func.count()).where(signature.c.open_intent.is_not(None))).scalar_one()
    return Accounting(
        intents=counts.get(INTENT, 0),
        released=counts.get(OutcomeKind.RELEASED.value, 0),
        parked=parked,
        failed=counts.get(OutcomeKind.FAILED.value, 0),
        unknown=counts.get(OutcomeKind.UNKNOWN.value, 0),
        open=still_open,
    )
