"""A SAD is presented with a request: `people.doors.Activation`.

    1  it was made by this appliance, for this client, school and credential
    2  what it binds is what the request is about: the plan, the role, the kind of list
    3  the entries that came along are the list, all of it; else each item proves its place in it
    4  its row says that it is granted and not over, and is spent in that commit; or that it serves this very request already

Then each item is held against the list, once as one document. The row is asked again whenever a key is used (`journal.uses`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

from signer.access import sad as sads
from signer.access.appliance_keys import ApplianceKeys
from signer.control.targets import opened_target
from signer.errors import (
    AuthorizationExhausted,
    AuthorizationInvalid,
    AuthorizationRequired,
    DocumentNotAuthorized,
    SignerError,
    VerificationFailed,
)
from signer.formats.entry_list import is_of
from signer.formats.merkle import leaf_hash, require_included
from signer.journal.authorizations import AuthorizationRow, AuthorizationStore
from signer.people.authorization import AuthorizationTarget, ListBinding, ListProof, SignableList
from signer.telemetry.metrics import Metrics

_PATH_MAX: Final = 40


@dataclass(slots=True, weakref_slot=True)
class _Claims:
    """Which entry is signed as which document, under one authorisation, by all requests of this daemon that present it."""

    documents: dict[bytes, str]


@dataclass(frozen=True, slots=True)
class Held:
    """`people.doors.Presented`. entries: None where each item brings its proof."""

    authorization_id: str
    person_id: str
    listed: SignableList
    entries: frozenset[bytes] | None
    claims: _Claims = field(repr=False)
    metrics: Metrics = field(repr=False)

    def require(self, entry: bytes, document_id: str, proof: ListProof | None = None) -> None:
        """DocumentNotAuthorized unless the list covers the entry; AuthorizationExhausted when it was signed as another document."""
        try:
            self._require_listed(entry, proof)
            self._claim(entry, document_id)
        except SignerError as refused:
            self.metrics.sad_refusals.labels(reason=refused.reason.value).inc()
            raise

    def _require_listed(self, entry: bytes, proof: ListProof | None) -> None:
        if self.entries is not None:
            if entry not in self.entries:
                raise DocumentNotAuthorized("the document is not in the list that the key's holder allowed")
            return
        if self.listed.binding is not ListBinding.ROOT:
            raise DocumentNotAuthorized(
                "the holder allowed a list by its digest, and its entries did not come along: send activation.entries"
            )
        if proof is None:
            raise DocumentNotAuthorized("neither the list's entries nor a proof came along: send activation.entries, or each list_proof")
        try:
            require_included(leaf_hash(entry), proof.index, self.listed.count, proof.path[: _PATH_MAX + 1], self.listed.sha256)
        except VerificationFailed as error:
            raise DocumentNotAuthorized(f"the list that the key's holder allowed does not have the document: {error.message}") from error

    def _claim(self, entry: bytes, document_id: str) -> None:
        if self.claims.documents.setdefault(entry, document_id) != document_id:
            raise AuthorizationExhausted("this content is signed under another document_id; what the holder allowed allows it once")


class Activations:
    """All of it. Owned by the event loop."""

    def __init__(self, store: AuthorizationStore, keys: ApplianceKeys, metrics: Metrics) -> None:
        self._store = store
        self._keys = keys
        self._metrics = metrics
        self._claims: WeakValueDictionary[str, _Claims] = WeakValueDictionary()

    async def present(self, sad: bytes, entries: Sequence[bytes], target: AuthorizationTarget, client_id: str, request_id: str) -> Held:
        """`Activation.present`."""
        try:
            return await self._present(sad, entries, target, client_id, request_id)
        except SignerError as refused:
            self._metrics.sad_refusals.labels(reason=refused.reason.value).inc()
            raise

    async def _present(
        self, received: bytes, entries: Sequence[bytes], target: AuthorizationTarget, client_id: str, request_id: str
    ) -> Held:
        if not received:
            raise AuthorizationRequired("the holder of this key must allow what is signed: AuthorizationService gives a SAD for it")
        sad = sads.read(self._keys, received)  # 1
        if (sad.client_id, sad.school_id, sad.credential_id) != (client_id, target.school_id, target.credential_id):
            raise AuthorizationInvalid("this SAD is another client's, school's or credential's")
        row = await self._store.find(sad.authorization_id)
        if row is None:
            raise AuthorizationInvalid("this SAD's authorisation is not known here")
        signable = self._require_same(sad, row, target, request_id)  # 2
        listed = await self._listed(row, signable, entries)  # 3
        spent = await self._store.spend(row.id, request_id, {"client": client_id, "school": row.school_id})  # 4
        return Held(spent.id, spent.person_id, signable, listed, await self._claims_of(row.id), self._metrics)

    def _require_same(self, sad: sads.Sad, row: AuthorizationRow, target: AuthorizationTarget, request_id: str) -> SignableList:
        allowed = opened_target(self._keys, row.id, row.target)
        if sads.target_sha256(allowed, row.shown_sha256) != sad.target_sha256 or allowed.list.sha256 != sad.list_sha256:
            raise AuthorizationInvalid("this SAD and its row don't agree: the database was changed")
        if allowed.request_id not in ("", request_id):
            raise AuthorizationInvalid("this SAD is for another request_id")
        if _asked(allowed) != _asked(target):
            raise AuthorizationInvalid("this SAD is for another plan: what is asked for is not what the key's holder allowed")
        return allowed.list

    async def _listed(self, row: AuthorizationRow, signable: SignableList, entries: Sequence[bytes]) -> frozenset[bytes] | None:
        kept = entries or await self._store.entries(row.id)
        if not kept:
            return None
        if not await asyncio.to_thread(is_of, signable, kept):
            raise AuthorizationInvalid("activation.entries is not the list that the key's holder allowed, in its order")
        return frozenset(kept)

    async def _claims_of(self, authorization_id: str) -> _Claims:
        claims = self._claims.get(authorization_id)
        if claims is None:
            made = _Claims(await self._store.used(authorization_id))
            claims = self._claims.setdefault(authorization_id, made)
        return claims


def _asked(target: AuthorizationTarget) -> tuple[object, ...]:
    """What a request says again."""
    return (target.plan_sha256, target.role, target.delegation_id, target.algorithm, target.list.source_documents)
