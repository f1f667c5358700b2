"""AdminService: people enrolled in bulk, each with a key and its certificate request. For operators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from signer.errors import InvalidArgument, PersonNotFound, RoleRefused, SignerError
from signer.formats.certificate_request import Subject, encode_name
from signer.model import CredentialState, KeptCredential
from signer.people.person import Person
from signer.pipeline.key_life import KeyLife, KeyMade, Outcome, WantedKey
from signer.server import convert_keys
from signer.server.door import current_operator
from signer.server.people import PeopleRooms
from signer.v1 import admin_keys_pb2, admin_pb2_grpc

_GONE: Final = frozenset({CredentialState.DISABLED, CredentialState.REPLACED, CredentialState.DESTROYED})
_Result = Callable[[str, Outcome], admin_keys_pb2.KeyResult]


class EnrolmentMethods(admin_pb2_grpc.AdminServiceServicer):
    """Who there is comes from `control.people`, keys from `pipeline.key_life`."""

    def __init__(self, rooms: PeopleRooms, life: KeyLife, result: _Result) -> None:
        self._enrolment = rooms
        self._key_life = life
        self._enrolled = result

    async def EnrolPeople(  # noqa: N802
        self,
        request: admin_keys_pb2.EnrolPeopleRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[admin_keys_pb2.EnrolPeopleResponse]:
        """A result for each, as soon as it is durable."""
        client_id = current_operator("enrol people")
        wanted = convert_keys.wanted_keys([each.key for each in request.enrolments])
        _require_people(wanted)
        done = 0
        async for one, outcome in self._enrol(client_id, wanted):
            done += 1
            yield admin_keys_pb2.EnrolPeopleResponse(
                person_id=one.person_id, result=self._enrolled(one.credential_id, outcome), done=done, total=len(wanted)
            )

    async def _enrol(self, client_id: str, wanted: Sequence[WantedKey]) -> AsyncIterator[tuple[WantedKey, Outcome]]:
        person_ids = [one.person_id for one in wanted]
        people = await self._enrolment.people.store.find_all(person_ids)
        there = await self._enrolment.credentials.of_people(person_ids)
        fresh: list[WantedKey] = []
        for one in wanted:
            person = people.get(one.person_id)
            has = _of_kind(there.get(one.person_id, []), one)
            if person is None or person.disabled:
                yield one, _refusal(one.person_id, person)
            elif has is not None:
                yield one, await self._again(has)
            else:
                fresh.append(_named_after(one, person))
        async for made in self._key_life.generate(client_id, fresh):
            yield made

    async def _again(self, kept: KeptCredential) -> Outcome:
        """The credential that the person has, with its request while it waits for a certificate."""
        credential = await self._key_life.now(kept.id)
        if kept.certificate:
            return KeyMade(credential, b"", replayed=True)
        [(_credential, asked)] = [each async for each in self._key_life.requests([credential])]
        return asked if isinstance(asked, SignerError) else KeyMade(credential, asked, replayed=True)


def _require_people(wanted: Sequence[WantedKey]) -> None:
    seen: set[str] = set()
    for index, one in enumerate(wanted):
        field = f"enrolments[{index}].key.person_id"
        if not one.person_id:
            raise InvalidArgument(f"{field} is required: who is enrolled", field=field)
        if one.person_id in seen:
            raise InvalidArgument(f"{field}: person {one.person_id!r} comes twice", field=field)
        seen.add(one.person_id)


def _refusal(person_id: str, person: Person | None) -> SignerError:
    if person is None:
        return PersonNotFound(f"no person {person_id!r}; add or import them first", person=person_id)
    return RoleRefused(f"person {person_id} is disabled", person=person_id)


def _of_kind(there: Sequence[KeptCredential], wanted: WantedKey) -> KeptCredential | None:
    """The person's credential of this kind and school that is in use, or on its way."""
    fitting = (each for each in there if (each.key.school_id, each.key.kind) == (wanted.school_id, wanted.kind))
    return next((each for each in fitting if each.state not in _GONE and not each.renewed_by), None)


def _named_after(wanted: WantedKey, person: Person) -> WantedKey:
    """With the person's name, where the request has none of its own."""
    return replace(
        wanted,
        subject=wanted.subject or encode_name(Subject(common_name=person.display_name)),
        display_name=wanted.display_name or person.display_name,
    )
