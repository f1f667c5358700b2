"""The authorisation matrix of people: held role × claimed role × how it is held × slot × school × class × year × subject × record state.

Each cell goes through the path's own rules in their order: the plan (`require_plan`), the holder's right (`require_role` over `rights_at`),
what is known of the record (`known_finding`), the right for this record (`role_finding`). What is expected is written here once more, from
the regulations; every cell is allowed or refused, and they are counted.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import SimpleNamespace
from typing import Any

from signer.access.roles import rights_at
from signer.errors import RoleRefused
from signer.model import Profile, RecordPlan, RecordSlot, Role
from signer.people.client import ALWAYS, Window
from signer.people.person import Assignment, Delegation, Holdings, Person, Right, Scope
from signer.pipeline.record_slots import role_finding
from signer.pipeline.role_check import Acting, require_role
from signer.records.plan_rules import require_plan
from signer.records.reading import Identity
from signer.records.register import KeptRecord, known_finding
from signer.records.states import RecordState

NOW = datetime(2026, 5, 29, tzinfo=UTC)
PAST = Window(None, NOW - timedelta(days=1))
OURS, THEIRS = "79000001", "79000002"
UUID = "b1c7c7e4-3f0c-4b57-9d5c-000000000001"


class Standing(Enum):
    """How the holder of the key has the role; the value is what the request names as its delegation."""

    OWN = ("in their own name", "")
    LENT = ("under a delegation of somebody who left", "d")
    UNNAMED = ("lent, but the request does not say so", "")
    ENDED = ("until yesterday", "")
    LAPSED = ("lent until yesterday", "d")
    DISABLED = ("in their own name, but they are disabled", "")
    NOBODY = ("not at all: no such person", "")
    FOREIGN = ("under a delegation that is another's", "e")


SIGNS = {
    RecordSlot.SUBJECT_TEACHER: {Role.SUBJECT_TEACHER},
    RecordSlot.HOMEROOM_TEACHER: {Role.HOMEROOM_TEACHER},
    RecordSlot.PRINCIPAL: {Role.PRINCIPAL, Role.VICE_PRINCIPAL},
    RecordSlot.SEAL: {Role.CLERK},
}
"""The regulations' roles: nobody else signs, an administrator or the Department least of all."""
OPEN_TO = {None: set(RecordSlot), RecordState.SIGNING: set(RecordSlot), RecordState.RELEASED: {RecordSlot.SEAL}}
"""Which slots are signed of a record in a state; none of any other. None: of a record that was never met."""
BY_CLASS = {Role.SUBJECT_TEACHER, Role.HOMEROOM_TEACHER}
"""Roles that are given for a class; the others hold for the whole school."""


@dataclass(frozen=True)
class Cell:
    """Held: the role, in OURS, 2025, of class 5A and subject TOAN where it goes by them. The rest is claimed."""

    held: Role
    standing: Standing
    claimed: Role
    slot: RecordSlot | None
    school_id: str
    class_id: str
    year: int
    subject_id: str

    @property
    def plan(self) -> RecordPlan:
        subject_id = self.subject_id if self.claimed is Role.SUBJECT_TEACHER else ""
        return RecordPlan(self.claimed, slot=self.slot, subject_id=subject_id, delegation_id=self.standing.value[1])


class Rights:
    """`people.doors.Rights` over values."""

    def __init__(self, holdings: Holdings | None) -> None:
        self._holdings = holdings

    async def find(self, _person_id: str) -> Person | None:
        return self._holdings.person if self._holdings else None

    async def held(self, _person_id: str, at: datetime) -> Sequence[Right]:
        return rights_at(self._holdings, at)


def holdings(role: Role, standing: Standing) -> Holdings | None:
    """What the appliance keeps of the key's holder `p`."""
    class_id = "5A" if role in BY_CLASS else ""
    subject_id = "TOAN" if role is Role.SUBJECT_TEACHER else ""
    scope = Scope(OURS, 2025, class_id, subject_id)
    person = Person("p", "Cô P", disabled=standing is Standing.DISABLED)
    own = Assignment("a", "p", role, scope, PAST if standing is Standing.ENDED else ALWAYS)
    absent = Assignment("b", "absent", role, scope, PAST)
    until = PAST if standing is Standing.LAPSED else Window(None, NOW + timedelta(days=1))
    lending = Delegation("d", "absent", "p", role, OURS, valid=until)
    if standing is Standing.NOBODY:
        return None
    if standing in {Standing.LENT, Standing.UNNAMED, Standing.LAPSED}:
        return Holdings(person, (), (lending,), (absent,))
    return Holdings(person, (own,), (), ())


def cells() -> Iterator[Cell]:
    for values in itertools.product(Role, Standing, Role, (None, *RecordSlot), (OURS, THEIRS), ("5A", "5B"), (2025, 2024), ("TOAN", "VAN")):
        yield Cell(*values)


def expected(cell: Cell) -> RecordSlot | None:
    """The slot that the cell's holder may sign, as far as it depends on people; None: nothing."""
    slot = next((slot for slot, roles in SIGNS.items() if cell.claimed in roles), None)
    is_theirs = (
        cell.claimed is cell.held
        and cell.standing in {Standing.OWN, Standing.LENT}
        and (cell.school_id, cell.year) == (OURS, 2025)
        and (cell.class_id == "5A" or cell.claimed not in BY_CLASS)
        and (cell.subject_id == "TOAN" or cell.claimed is not Role.SUBJECT_TEACHER)
    )
    return slot if is_theirs and cell.slot in {None, slot} else None


async def found(cell: Cell, engine: Any, credential: Any) -> RecordSlot | None:
    """The same by the path's rules."""
    try:
        slot = require_plan(cell.plan, ())
        acting: Acting | None = await require_role(engine, credential, cell.school_id, Profile.MINISTRY_XML, cell.plan)
    except RoleRefused:
        return None
    assert acting is not None, "a person's key is bound to their role"
    finding = role_finding(acting, Scope(cell.school_id, cell.year, cell.class_id, cell.plan.subject_id))
    return slot if finding is None else None


def signable(state: RecordState | None, slot: RecordSlot) -> bool:
    """Whether the path would sign a record's slot, as far as it depends on the record."""
    identity = Identity(record_uuid=UUID, school_year=2025)
    kept = None if state is None else KeptRecord(OURS, UUID, school_year=2025, state=state)
    return known_finding(kept, identity, slot, None, NOW) is None


async def _each_role() -> list[tuple[Cell, RecordSlot | None]]:
    credential = SimpleNamespace(id="c", kept=SimpleNamespace(key=SimpleNamespace(person_id="p")))
    engines = {
        (role, standing): SimpleNamespace(rights=Rights(holdings(role, standing)), utc_now=lambda: NOW)
        for role in Role
        for standing in Standing
    }
    return [(cell, await found(cell, engines[cell.held, cell.standing], credential)) for cell in cells()]


def test_each_cell_is_allowed_or_refused_as_the_regulations_say() -> None:
    counts: Counter[str] = Counter()
    for cell, slot in asyncio.run(_each_role()):
        assert slot is expected(cell), cell
        for state in (None, *RecordState):
            may = slot is not None and state in OPEN_TO and slot in OPEN_TO[state]
            assert (slot is not None and signable(state, slot)) == may, (cell, state)
            counts["allowed" if may else "refused"] += 1
    by_hand = {"subject-teacher": 1 * 1 * 2, "homeroom-teacher": 1 * 2 * 2, "principal": 2 * 2 * 2, "vice": 2 * 2 * 2, "clerk": 2 * 2 * 3}
    ways = 2 * 2  # in their own name and lent; with the slot named and without
    assert counts == {"allowed": ways * sum(by_hand.values()), "refused": 576_000 - ways * sum(by_hand.values())}, (
        "classes × subjects × states"
    )
