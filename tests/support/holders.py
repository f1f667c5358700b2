"""People with factors and keys of their own, for tests of what holders allow."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from signer.access import totp
from signer.control.factors import pin_context, seed_context
from signer.control.pins import Pins
from signer.control.secret_files import read_keys
from signer.control.settings import ActivationSettings
from signer.journal import Journal, NoteKind, PeopleStore
from signer.journal.entries import decode
from signer.journal.factors import set_factors
from signer.journal.jobs import Change
from signer.people.factor import KeptFactors
from signer.people.person import Assignment, Person
from signer.people.revision import PeopleRevision, Revised
from signer.secrets import Secret
from signer.store import open_engine
from signer.v1 import authorization_pb2, authorization_pb2_grpc, common_pb2, credential_pb2, plan_pb2
from tests.support.bureau import Office, office, spec
from tests.support.calls import our_errors
from tests.support.daemon import SCHOOL, World
from tests.support.waiting import until

PIN = "canary-4271-pin"
SEED = b"canary totp seed 123"
_ON_THE_WAY_AT_MOST = timedelta(seconds=15)
"""A code that ends sooner is not given: who types takes their time, and so does a busy machine."""
SAD = credential_pb2.ACTIVATION_MODE_SAD


@dataclass(slots=True)
class App:
    """An authenticator app: each code once, the earliest that is still accepted when it arrives."""

    seed: bytes
    step: int = 0

    def code(self) -> str:
        self.step = max(self.step + 1, totp.step_at(datetime.now(UTC) + _ON_THE_WAY_AT_MOST) - 1)
        until(lambda: totp.step_at(datetime.now(UTC)) + 1 >= self.step, "a code that is accepted already", within_s=2 * totp.STEP_S)
        return totp.code_at(self.seed, self.step)


@dataclass(slots=True)
class Holder:
    """A person, their key, and the app that shows their codes."""

    person_id: str
    credential_id: str
    app: App = field(default_factory=lambda: App(SEED))

    def factors(self, pin: str = PIN) -> list[authorization_pb2.Factor]:
        """PIN and a code that was not given before."""
        return [authorization_pb2.Factor(pin=pin), authorization_pb2.Factor(totp=self.app.code())]


@dataclass(slots=True)
class Holders:
    """An office whose people each have a key that needs their word. `next` gives one that no other test uses."""

    office: Office
    _free: list[Holder] = field(default_factory=list)

    def next(self) -> Holder:
        return self._free.pop()

    @property
    def service(self) -> Any:
        return authorization_pb2_grpc.AuthorizationServiceStub(self.office.channel("school"))

    def authorize(self, holder: Holder, target: authorization_pb2.AuthorizationTarget, **changes: Any) -> Any:
        fields: dict[str, Any] = {"target": target, "person_id": holder.person_id, **changes}
        fields.setdefault("factors", None)
        fields["factors"] = fields["factors"] or holder.factors()
        with our_errors():
            return self.service.Authorize(authorization_pb2.AuthorizeRequest(**fields), timeout=60)


def digest(name: str) -> bytes:
    """A digest to sign."""
    return hashlib.sha256(name.encode()).digest()


def target(
    holder: Holder, entries: Sequence[bytes] = (), plan: plan_pb2.SigningPlan | None = None, **changes: Any
) -> authorization_pb2.AuthorizationTarget:
    """These digests, or documents where there is a plan."""
    listed = authorization_pb2.SignableList(entries=authorization_pb2.SignableEntries(entries=entries), source_documents=plan is not None)
    fields: dict[str, Any] = {
        "school_id": SCHOOL,
        "credential_id": holder.credential_id,
        "list": listed,
        "plan": plan,
        "presentation": authorization_pb2.Presentation(class_name="12A1", summary="canary-summary Nguyễn Văn A"),
    }
    return authorization_pb2.AuthorizationTarget(**(fields | changes))


@contextlib.contextmanager
def holders(world: World, count: int, assignments: Sequence[Assignment] = (), **changes: Any) -> Iterator[Holders]:
    """An office, its people enrolled before it opens. Roles, where some are given, are the first person's."""
    people = [f"person-{number}" for number in range(count)]
    journal = world.folder / "office.db"
    asyncio.run(enrol(journal, people, assignments))
    with office(world, **({"journal": {"url": f"sqlite:///{journal}"}} | changes)) as made:
        found = [Holder(person_id, f"key-of-{person_id}") for person_id in people]
        kinds: dict[str, Any] = {"activation": SAD, "key_kind": common_pb2.KEY_KIND_EC_P256}
        made.enrol(*(spec(holder.credential_id, person_id=holder.person_id, **kinds) for holder in found))
        yield Holders(made, found[::-1])


async def enrol(database: Path, people: Sequence[str], assignments: Sequence[Assignment] = ()) -> None:
    """Sets PIN and SEED for people who are new in a database that no daemon has open."""
    keys = read_keys(ActivationSettings(), database)
    pins = Pins(1)
    hashed = await pins.hash(Secret(PIN))
    pins.close()
    journal = Journal(f"sqlite:///{database}")
    await journal.start()
    try:
        revision = PeopleRevision(
            people=[Revised(Person(person_id, f"Giáo viên {person_id}", etag="1")) for person_id in people],
            assignments=[Revised(assignment) for assignment in assignments],
        )
        await PeopleStore(journal).revise("test", revision)
        for person_id in people:
            kept = KeptFactors(person_id, keys.seal(hashed, pin_context(person_id)), keys.seal(SEED, seed_context(person_id)), 0)
            await journal.run(_Also(kept))
    finally:
        await journal.stop()


class _Also(Change):
    """Factors in a commit of their own."""

    __slots__ = ("kept",)

    def __init__(self, kept: KeptFactors) -> None:
        super().__init__(asyncio.get_running_loop())
        self.kept = kept

    def apply(self, connection: Any, ledger: Any) -> None:
        set_factors(self.kept)(connection, ledger)


def notes(database: Path, kind: NoteKind) -> list[dict[str, Any]]:
    """The details of a kind's journal entries, oldest first."""
    with open_engine(f"sqlite:///{database}", must_exist=True).connect() as connection:
        rows = connection.exec_driver_sql("SELECT body FROM journal_entry WHERE kind = 'note' ORDER BY entry_index").all()
    entries = [decode(row[0]) for row in rows]
    return [entry["detail"] | {"subject": entry["subject"]} for entry in entries if entry["note"] == kind.value]
