"""One-time codes: one thing, once, for one person, in time; kept as a digest alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from signer.control.enrolment import OneTimeCodes
from signer.control.people import People
from signer.control.settings import EnrolmentSettings
from signer.errors import FactorsRefused, InvalidArgument, PersonNotFound
from signer.journal import Journal, PeopleStore
from signer.journal.enrolment_codes import EnrolmentCodeStore
from signer.journal.ledger import Ledger
from signer.people.person import Person
from signer.secrets import Secret
from signer.store import open_engine
from signer.store.tables import metadata
from tests.support.stores import Store

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Wall:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
async def people(store: Store) -> AsyncIterator[People]:
    journal = Journal(store.url)
    await journal.start()
    made = People(PeopleStore(journal), asyncio.get_running_loop().time)
    await made.add("operator", Person("lan", "Lan"))
    await made.add("operator", Person("hoa", "Hoa"))
    yield made
    await journal.stop()


@pytest.fixture
def codes(people: People, wall: Wall) -> OneTimeCodes:
    return OneTimeCodes(EnrolmentCodeStore(people.store._journal), people, EnrolmentSettings(), wall)


def nothing(_connection: Connection, _ledger: Ledger) -> None:
    return


async def test_a_code_opens_once_whichever_way_it_is_typed(codes: OneTimeCodes) -> None:
    made = await codes.create("operator", "lan")
    typed = Secret(f"  {made.code.reveal().lower().replace('-', ' ').replace('1', 'l').replace('0', 'o')} ")
    assert (await codes.look("lan", typed)).id == "lan"
    assert (await codes.look("lan", typed)).id == "lan", "looking spends nothing"
    await codes.spend("lan", typed, nothing)
    for attempt in (codes.look("lan", typed), codes.spend("lan", typed, nothing)):
        with pytest.raises(FactorsRefused):
            await attempt


async def test_of_fifty_who_use_a_code_at_once_one_succeeds(codes: OneTimeCodes) -> None:
    made = await codes.create("operator", "lan")
    written: list[int] = []

    def also(_connection: Connection, _ledger: Ledger) -> None:
        written.append(1)

    ended = await asyncio.gather(*(codes.spend("lan", made.code, also) for _ in range(50)), return_exceptions=True)
    assert [each for each in ended if not isinstance(each, FactorsRefused)] == [None]
    assert len(written) == 1


async def test_what_a_code_is_for_fails_and_the_code_stays(codes: OneTimeCodes) -> None:
    made = await codes.create("operator", "lan")

    def also(_connection: Connection, _ledger: Ledger) -> None:
        raise InvalidArgument("the PIN is too short", field="pin")

    with pytest.raises(InvalidArgument):
        await codes.spend("lan", made.code, also)
    assert (await codes.look("lan", made.code)).id == "lan"


async def test_another_person_a_later_code_and_the_end_of_its_time_make_it_worthless_all_alike(
    codes: OneTimeCodes, people: People, wall: Wall
) -> None:
    first = await codes.create("operator", "lan")
    second = await codes.create("operator", "lan")
    assert second.expires == NOW + timedelta(hours=72)
    assert await codes.store.waiting(["lan", "hoa"], NOW) == {"lan"}
    said = []
    for person_id, code in (("lan", first.code), ("hoa", second.code), ("nobody", second.code), ("lan", Secret(""))):
        with pytest.raises(FactorsRefused) as refusal:
            await codes.look(person_id, code)
        said.append(refusal.value.message)
    wall.now = second.expires
    with pytest.raises(FactorsRefused) as refusal:
        await codes.look("lan", second.code)
    wall.now = NOW
    await people.change("operator", replace(await people.person("lan"), disabled=True))
    with pytest.raises(FactorsRefused) as disabled:
        await codes.spend("lan", second.code, nothing)
    assert {*said, refusal.value.message, disabled.value.message} == {said[0]}, "no oracle"
    with pytest.raises(PersonNotFound):
        await codes.create("operator", "nobody")


async def test_no_code_stands_in_the_database_or_in_a_text(codes: OneTimeCodes, store: Store) -> None:
    made = await codes.create("operator", "lan")
    bare = made.code.reveal().replace("-", "")
    assert bare not in repr(made)
    with open_engine(store.url).connect() as connection:
        dump = "\n".join(str(connection.execute(select(table)).all()) for table in metadata.sorted_tables)
    assert "lan" in dump
    assert bare not in dump
    assert made.code.reveal() not in dump
