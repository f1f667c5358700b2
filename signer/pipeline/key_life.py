"""The life of a key: generated, certified, renewed, suspended, disabled, destroyed. Each step is journalled with who asked for it.

    generate     journal "keys are wanted" → token → row and note in one commit
    import       checked against key and CAs → row and note in one commit; from then on it signs, without a restart (`key_import`)
    renew        a new key beside the old one; both sign from the import of the new certificate until the overlap ends
    destroy      row and note first, so that nothing signs with it any more → token

Whatever dies in between, a repeat finishes it: the id of a key in the token follows from the credential's, so what was made is found again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509

from signer.algorithms import KeyFamily, KeyKind
from signer.errors import AlgorithmUnsupported, IdTaken, InternalError, SignerError, StateRefused, TokenNotFound
from signer.journal import CredentialChange, CredentialFilter, NoteKind
from signer.model import ActivationMode, Credential, CredentialState, KeptCredential, KeptKey, KeyStorage
from signer.people.approval import ApprovalKind
from signer.people.four_eyes import GuardedAct, spend_approval
from signer.pipeline.engine import Engine
from signer.pipeline.kept import KeptCredentials
from signer.tokens.certificates import key_kind_of, public_key_of
from signer.tokens.key_wire import DestroyKey, KeyAnswer, MakeKey, RequestCertificate
from signer.tokens.workshop import KeyWorkshop

_AT_ONCE = {KeyFamily.EC: 32, KeyFamily.RSA: 2}
"""Keys of one order and one commit: an RSA key takes a second or more, and its caller wants to see it."""
_REQUESTS_AT_ONCE = 64
_KEY_ID_BYTES = 16
_RENEWED = re.compile(r"(.+)\.r(\d+)")
_SETTABLE = {
    CredentialState.ACTIVE: {CredentialState.SUSPENDED},
    CredentialState.SUSPENDED: {CredentialState.ACTIVE, CredentialState.AWAITING_CERTIFICATE},
    CredentialState.DISABLED: {CredentialState.ACTIVE, CredentialState.SUSPENDED, CredentialState.AWAITING_CERTIFICATE},
    CredentialState.AWAITING_CERTIFICATE: {CredentialState.SUSPENDED},
}
"""From which states each may be set; setting the present one changes nothing."""


@dataclass(frozen=True, slots=True)
class WantedKey:
    """A key to generate.

    subject: Name for its certificate request, DER; empty: no request. renews: the credential it is to replace, at `overlap_end` (None: when
    that one's certificate ends).
    """

    credential_id: str
    school_id: str
    person_id: str
    token_name: str
    kind: KeyKind
    storage: KeyStorage
    subject: bytes
    display_name: str = ""
    renews: str = ""
    overlap_end: datetime | None = None
    activation: ActivationMode = ActivationMode.NONE


@dataclass(frozen=True, slots=True)
class KeyMade:
    """A credential with its certificate request (PKCS#10, DER; empty for none). replayed: it was there already."""

    credential: Credential
    request: bytes
    replayed: bool = False


Outcome = KeyMade | SignerError


class KeyLife:
    """All of it. Owned by the event loop; calls may overlap, orders to one token wait for one another."""

    def __init__(self, engine: Engine, kept: KeptCredentials, workshops: Mapping[str, KeyWorkshop]) -> None:
        self.kept = kept
        self._engine = engine
        self._workshops = workshops

    async def generate(self, client_id: str, wanted: Sequence[WantedKey]) -> AsyncIterator[tuple[WantedKey, Outcome]]:
        """Makes keys, each with its outcome as soon as it is durable.

        Of a key: IdTaken (the id has another key, or stands in the configuration), TokenNotFound, AlgorithmUnsupported, or what the token
        fails with, or JournalUnavailable: what was made in a token by then is found by a repeat.
        """
        for portion in _portions(wanted):
            there = await self.kept.store.find_all([one.credential_id for one in portion])
            for one in portion:
                if one.credential_id in there:
                    yield one, await self._again(one, there[one.credential_id])
            for one, outcome in await self._make(client_id, [one for one in portion if one.credential_id not in there]):
                yield one, outcome

    async def requests(self, credentials: Sequence[Credential]) -> AsyncIterator[tuple[Credential, bytes | SignerError]]:
        """A certificate request for each, signed by its key as it is now: kept ones with their subject, others with their certificate's."""
        for start in range(0, len(credentials), _REQUESTS_AT_ONCE):
            some = credentials[start : start + _REQUESTS_AT_ONCE]
            by_token: dict[str, list[Credential]] = {}
            for credential in some:
                by_token.setdefault(credential.token_name, []).append(credential)
            found = {
                credential.id: outcome for name, those in by_token.items() for credential, outcome in await self._requests(name, those)
            }
            for credential in some:
                yield credential, found[credential.id]

    async def renew(self, client_id: str, old: Credential, overlap_end: datetime | None) -> tuple[str, Outcome]:
        """A new key of the same kind, place and subject beside the old one's; the new credential's id, and what became of it.

        A renewal under way is returned. StateRefused when the old one is renewed already, disabled or gone.
        """
        wanted = self._successor(old, overlap_end)
        if isinstance(wanted, SignerError):
            return "", wanted
        outcomes = [outcome async for _one, outcome in self.generate(client_id, [wanted])]
        return wanted.credential_id, outcomes[0]

    async def set_state(self, client_id: str, credential: Credential, state: CredentialState, reason: str) -> Credential:
        """Suspends, resumes or disables. StateRefused from where there is no way there, or for one of the configuration."""
        kept = require_kept(credential)
        target = state
        if state is CredentialState.ACTIVE and not kept.certificate:
            target = CredentialState.AWAITING_CERTIFICATE
        if kept.state is target:
            return credential
        if kept.state not in _SETTABLE.get(target, set()):
            raise StateRefused(
                f"credential {kept.id} is {kept.state.value} and can't become {state.value}", credential=kept.id, state=kept.state.value
            )
        return await self.change(client_id, NoteKind.CREDENTIAL_STATE_SET, kept, replace(kept, state=target), reason=reason)

    async def destroy(self, client_id: str, credential: Credential, approval_id: str) -> Credential:
        """Destroys the key for good: no signature is begun with it any more once this has changed the row.

        A wrapped key is gone with its row's content; what a worker still has unwrapped goes with the worker, and is not asked for. (A copy
        of the database from before still has it, and is of use with the token alone.) Of one in the token the objects are destroyed next;
        if that fails, its error is raised, and a repeat goes on there. ApprovalRequired, ApprovalEnded: several people must allow it first.
        """
        kept = require_kept(credential)
        changed = credential
        if kept.state is not CredentialState.DESTROYED:
            act = GuardedAct(ApprovalKind.KEY_DESTRUCTION, kept.key.school_id, kept.id, client_id)
            approval_id = await spend_approval(self._engine.four_eyes, act, approval_id)
            gone = replace(kept, state=CredentialState.DESTROYED, key=replace(kept.key, wrapped=b"", seal=b""))
            changed = await self.change(client_id, NoteKind.KEY_DESTROYED, kept, gone, approval=approval_id)
        if kept.key.storage is KeyStorage.TOKEN:
            [answer] = await self._workshop(kept.token_name).carry_out([DestroyKey(kept.key)])
            if isinstance(answer, SignerError):
                raise answer
        return changed

    async def change(self, client_id: str, kind: NoteKind, before: KeptCredential, after: KeptCredential, **detail: str) -> Credential:
        """Replaces a row; the credential as it is then."""
        await self.revise(client_id, [CredentialChange(kind, before, after, detail)])
        return await self.now(after.id)

    async def revise(self, client_id: str, changes: Sequence[CredentialChange]) -> None:
        """Replaces rows, all or none."""
        try:
            await self.kept.store.revise(client_id, changes=changes)
        finally:
            for change in changes:
                self.kept.forget(change.after.id)

    async def now(self, credential_id: str) -> Credential:
        """A credential that is in the store."""
        found = await self.kept.find(credential_id)
        if found is None:
            raise InternalError(f"credential {credential_id} has left the store")
        return found

    async def awaiting(self, schools: Sequence[str] | None, after: str, limit: int) -> list[Credential]:
        """A page of those that wait for their certificate, by id."""
        wanted = CredentialFilter(schools, after=after, state=CredentialState.AWAITING_CERTIFICATE)
        return [await self.now(kept.id) for kept in await self.kept.store.page(wanted, limit)]

    async def _make(self, client_id: str, wanted: Sequence[WantedKey]) -> list[tuple[WantedKey, Outcome]]:
        """A portion of one token, kind and storage, whose ids are free."""
        taken = [one for one in wanted if self._engine.credentials.is_configured(one.credential_id)]
        outcomes: list[tuple[WantedKey, Outcome]] = [(one, _taken(one.credential_id)) for one in taken]
        free = [one for one in wanted if one not in taken]
        if not free:
            return outcomes
        try:
            workshop = self._workshop(free[0].token_name)
            await self.kept.store.want(client_id, workshop.token_name, [one.credential_id for one in free])
            answers = await workshop.carry_out([_order(one) for one in free])
            made = [(one, answer) for one, answer in zip(free, answers, strict=True) if isinstance(answer, KeyAnswer)]
            await self.kept.store.revise(client_id, added=[_row(one, answer) for one, answer in made])
        except SignerError as error:
            return [*outcomes, *((one, error.copy()) for one in free)]
        outcomes += [(one, KeyMade(await self.now(one.credential_id), answer.request)) for one, answer in made]
        return outcomes + [(one, answer) for one, answer in zip(free, answers, strict=True) if isinstance(answer, SignerError)]

    async def _again(self, wanted: WantedKey, kept: KeptCredential) -> Outcome:
        """The key that was made by an earlier call for the same."""
        key = kept.key
        asked = (wanted.school_id, wanted.person_id, wanted.token_name, wanted.kind, wanted.storage)
        if asked != (key.school_id, key.person_id, kept.token_name, key.kind, key.storage) or kept.state is CredentialState.DESTROYED:
            return _taken(kept.id)
        credential = await self.now(kept.id)
        if not wanted.subject:
            return KeyMade(credential, b"", replayed=True)
        [(_credential, outcome)] = await self._requests(kept.token_name, [credential], wanted.subject)
        return outcome if isinstance(outcome, SignerError) else KeyMade(credential, outcome, replayed=True)

    async def _requests(
        self, token_name: str, credentials: Sequence[Credential], subject: bytes = b""
    ) -> list[tuple[Credential, bytes | SignerError]]:
        found: list[tuple[Credential, bytes | SignerError]] = []
        orders: list[tuple[Credential, RequestCertificate]] = []
        for credential in credentials:
            try:
                kept = as_kept(credential)
                if kept.state in {CredentialState.DISABLED, CredentialState.DESTROYED}:
                    raise StateRefused(f"credential {kept.id} is {kept.state.value}", credential=kept.id)
                orders.append((credential, RequestCertificate(kept.key, subject or kept.subject)))
            except SignerError as error:
                found.append((credential, error))
        try:
            answers = await self._workshop(token_name).carry_out([order for _credential, order in orders]) if orders else []
        except SignerError as error:
            return [*found, *((credential, error.copy()) for credential, _order in orders)]
        for (credential, _order), answer in zip(orders, answers, strict=True):
            found.append((credential, answer.request if isinstance(answer, KeyAnswer) else answer))
        return found

    def _successor(self, old: Credential, overlap_end: datetime | None) -> WantedKey | SignerError:
        try:
            kept = as_kept(old)
        except SignerError as error:
            return error
        if kept.state not in {CredentialState.ACTIVE, CredentialState.SUSPENDED} or kept.renewed_by:
            why = f"was renewed by {kept.renewed_by}" if kept.renewed_by else f"is {kept.state.value}"
            return StateRefused(f"credential {kept.id} {why} and can't be renewed", credential=kept.id)
        key = kept.key
        return WantedKey(
            next_id(kept.id),
            key.school_id,
            key.person_id,
            kept.token_name,
            key.kind,
            key.storage,
            kept.subject,
            kept.display_name,
            renews=kept.id,
            overlap_end=overlap_end,
            activation=kept.activation,
        )

    def _workshop(self, token_name: str) -> KeyWorkshop:
        workshop = self._workshops.get(token_name)
        if workshop is None:
            raise TokenNotFound(f"the configuration names no token {token_name!r}; `signer tokens` lists those there are", token=token_name)
        return workshop


def require_kept(credential: Credential) -> KeptCredential:
    """The credential's row; StateRefused for one of the configuration, whose life is not ours."""
    if credential.kept is None:
        raise StateRefused(
            f"credential {credential.id} stands in the configuration: change it there, and its key with the token's own tools",
            credential=credential.id,
        )
    return credential.kept


def as_kept(credential: Credential) -> KeptCredential:
    """The credential's row, or one made up for a credential of the configuration, its subject being its certificate's."""
    if credential.kept is not None:
        return credential.kept
    kind = key_kind_of(credential.certificate) if credential.certificate else None
    if kind is None:
        raise AlgorithmUnsupported(
            f"credential {credential.id} has no certificate whose subject could be asked for again, or a key of another kind",
            credential=credential.id,
        )
    certificate = x509.load_der_x509_certificate(credential.certificate)
    key = KeptKey(credential.id, credential.school_id, "", KeyStorage.TOKEN, kind, credential.key_id, public_key_of(certificate))
    subject = certificate.subject.public_bytes()
    return KeptCredential(key, credential.token_name, CredentialState.ACTIVE, subject=subject, certificate=credential.certificate)


def next_id(credential_id: str) -> str:
    """What a credential's renewal is called: `seal`, `seal.r2`, `seal.r3`."""
    again = _RENEWED.fullmatch(credential_id)
    return f"{again[1]}.r{int(again[2]) + 1}" if again else f"{credential_id}.r2"


def key_id_of(credential_id: str) -> bytes:
    """CKA_ID of a credential's key: an interrupted generation finds by it what it made."""
    return hashlib.sha256(b"signer key\0" + credential_id.encode()).digest()[:_KEY_ID_BYTES]


def _portions(wanted: Sequence[WantedKey]) -> Iterator[list[WantedKey]]:
    """In order; keys of one portion share token, kind and storage."""
    portion: list[WantedKey] = []
    for one in wanted:
        is_alike = portion and (one.token_name, one.kind, one.storage) == (portion[0].token_name, portion[0].kind, portion[0].storage)
        if portion and (not is_alike or len(portion) >= _AT_ONCE[one.kind.family]):
            yield portion
            portion = []
        portion.append(one)
    if portion:
        yield portion


def _order(wanted: WantedKey) -> MakeKey:
    key_id = key_id_of(wanted.credential_id)
    return MakeKey(wanted.credential_id, wanted.school_id, wanted.person_id, wanted.storage, wanted.kind, key_id, wanted.subject)


def _row(wanted: WantedKey, answer: KeyAnswer) -> KeptCredential:
    if answer.kept is None:
        raise InternalError("a key worker made a key and did not say which")
    return KeptCredential(
        answer.kept,
        wanted.token_name,
        CredentialState.AWAITING_CERTIFICATE,
        display_name=wanted.display_name,
        subject=wanted.subject,
        renews=wanted.renews,
        usable_until=wanted.overlap_end,
        activation=wanted.activation,
    )


def _taken(credential_id: str) -> IdTaken:
    return IdTaken(f"the id {credential_id!r} has another key already, or stands in the configuration", credential=credential_id)
