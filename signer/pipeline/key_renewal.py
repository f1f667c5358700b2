"""Which credentials are to be renewed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from signer.journal import CredentialFilter
from signer.model import Credential, CredentialState
from signer.pipeline.key_life import KeyLife

_ROWS_AT_ONCE = 1000


async def ending_before(life: KeyLife, schools: Sequence[str] | None, moment: datetime) -> list[Credential]:
    """The active ones whose certificate ends before then and that are not renewed yet, by id."""
    wanted = CredentialFilter(schools, state=CredentialState.ACTIVE, ends_before=moment)
    found: list[Credential] = []
    while rows := await life.kept.store.page(wanted, _ROWS_AT_ONCE):
        found += [await life.now(row.id) for row in rows if not row.renewed_by]
        wanted = replace(wanted, after=rows[-1].id)
    return found
