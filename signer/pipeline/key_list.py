"""Credentials of the configuration and of the store, as one list by id; the store is read a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import replace

from signer.journal import CredentialFilter
from signer.model import Credential
from signer.pipeline.engine import Engine
from signer.tokens.kept_credentials import credential_of

_ROWS_AT_ONCE = 250


async def list_credentials(
    engine: Engine, schools: Collection[str] | None, *, after: str = "", person_id: str = ""
) -> AsyncIterator[Credential]:
    """Those of `schools` (None: every one's, the appliance's own included) whose id comes after `after`, by id."""
    table = engine.credentials
    configured = [] if person_id else table.list_all() if schools is None else table.list_for(schools)
    waiting = [credential for credential in configured if credential.id > after]
    async for kept in _kept(engine, CredentialFilter(schools, after=after, person_id=person_id)):
        while waiting and waiting[0].id < kept.id:
            yield waiting.pop(0)
        yield kept
    for credential in waiting:
        yield credential


async def _kept(engine: Engine, wanted: CredentialFilter) -> AsyncIterator[Credential]:
    if engine.kept is None:
        return
    while rows := await engine.kept.store.page(wanted, _ROWS_AT_ONCE):
        for row in rows:
            yield credential_of(row, engine.credentials.issuers)
        if len(rows) < _ROWS_AT_ONCE:
            return
        wanted = replace(wanted, after=rows[-1].id)
