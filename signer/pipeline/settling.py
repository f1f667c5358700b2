"""Outcomes of a lot, where several daemons share the journal: one that another daemon took over must not hold back its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

from signer.errors import SignatureOutcomeUnknown, SignatureSettled
from signer.journal.model import Outcome
from signer.pipeline.doors import Ledger


async def settle_each(ledger: Ledger, outcomes: Sequence[Outcome]) -> list[SignatureOutcomeUnknown | None]:
    """Settles them, all at once where it can be; why one must be withheld, or None, for each.

    A daemon that was parted from the database for a while finds attempts given up, or completed by another: those signatures are withheld.

    Raises:
        JournalUnavailable: nothing of what was left was written.
    """
    try:
        await ledger.settle(outcomes)
    except SignatureSettled:
        return [await _settle(ledger, outcome) for outcome in outcomes]
    return [None] * len(outcomes)


async def _settle(ledger: Ledger, outcome: Outcome) -> SignatureOutcomeUnknown | None:
    try:
        await ledger.settle([outcome])
    except SignatureSettled:
        return SignatureOutcomeUnknown("the database was out of reach, and this attempt was given up meanwhile; repeat with the same ids")
    return None
