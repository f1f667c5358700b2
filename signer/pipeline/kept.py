"""Credentials of the store, looked up when they are asked for."""

from __future__ import annotations

from collections import OrderedDict

from signer.journal import CredentialStore
from signer.model import Credential
from signer.tokens.credentials import CredentialTable
from signer.tokens.kept_credentials import credential_of

_REMEMBERED = 4096


class KeptCredentials:
    """Remembers those used lately, until it is told of a change (`forget`), whoever made it. Owned by the event loop."""

    def __init__(self, store: CredentialStore, table: CredentialTable) -> None:
        self.store = store
        self._table = table
        self._recent: OrderedDict[str, Credential] = OrderedDict()

    async def find(self, credential_id: str) -> Credential | None:
        """The credential of this id, with its chain; None when there is none. JournalUnavailable when the store can't be read."""
        found = self._recent.get(credential_id)
        if found is None:
            kept = await self.store.find(credential_id)
            if kept is None:
                return None
            found = self._recent[credential_id] = credential_of(kept, self._table.issuers)
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
        self._recent.move_to_end(credential_id)
        return found

    def forget(self, credential_id: str) -> None:
        """It was changed."""
        self._recent.pop(credential_id, None)

    def forget_all(self) -> None:
        """Other CAs are configured from now on."""
        self._recent.clear()
