"""What daemons on one PostgreSQL hear of one another, and which of them does what only one should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from signer.errors import JournalUnavailable
from signer.journal import Journal, NoteKind
from signer.journal.feed import Feed, Heard
from signer.journal.leading import ElectedLeading, Task
from tests.support.postgres import Cluster, cluster

IMAGES = {NoteKind.IMAGE_SET, NoteKind.IMAGE_DELETED}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@asynccontextmanager
async def journals(postgres: Cluster) -> AsyncIterator[tuple[Journal, Journal]]:
    """Of two daemons."""
    url = postgres.database().url
    async with AsyncExitStack() as stack:
        one, other = Journal(url), Journal(url)
        for journal in (one, other):
            await journal.start()
            stack.push_async_callback(journal.stop)
        yield one, other


async def feed_of(journal: Journal, heard: list[str]) -> Feed:
    async def hear(notes: Sequence[Heard]) -> None:
        heard.extend(f"{note.kind.value} {note.subject} {note.detail.get('school', '')}".strip() for note in notes)

    feed = Feed(journal)
    feed.follow(IMAGES, hear)
    await feed.begin()
    return feed


def test_a_daemon_hears_what_others_note_from_now_on_in_order_and_never_its_own(postgres: Cluster) -> None:
    async def run() -> None:
        async with journals(postgres) as (one, other):
            await other.note(NoteKind.IMAGE_SET, "before")
            heard: list[str] = []
            feed = await feed_of(one, heard)
            await one.note(NoteKind.IMAGE_SET, "own")
            await other.note(NoteKind.IMAGE_SET, "seal", {"school": "79000001"})
            await other.note(NoteKind.CLIENT_SET, "vnedu")
            await other.note(NoteKind.IMAGE_DELETED, "seal", {"school": "79000001"})
            await feed.look()
            assert heard == ["image-set seal 79000001", "image-deleted seal 79000001"]
            await feed.look()
            assert len(heard) == 2

    asyncio.run(run())


@pytest.mark.parametrize(("failure", "told"), [(JournalUnavailable("away"), "away"), (KeyError("school"), "by a bug: KeyError")])
def test_what_a_follower_could_not_take_in_is_told_again(postgres: Cluster, failure: Exception, told: str) -> None:
    async def run() -> None:
        async with journals(postgres) as (one, other):
            heard: list[str] = []
            failures = [failure]

            async def hear(notes: Sequence[Heard]) -> None:
                if failures:
                    raise failures.pop()
                heard.extend(note.subject for note in notes)

            feed = await feed_of(one, [])
            feed.follow({NoteKind.CLIENT_SET}, hear)
            await other.note(NoteKind.CLIENT_SET, "vnedu")
            await feed.catch_up()
            assert told in feed.problem
            await other.note(NoteKind.CLIENT_SET, "smas")
            await feed.catch_up()
            assert (heard, feed.problem) == (["vnedu", "smas"], "")

    asyncio.run(run())


def test_one_daemon_at_a_time_leads_in_a_task_and_another_when_it_is_gone(postgres: Cluster) -> None:
    async def run() -> None:
        url = postgres.database().url
        one, other = ElectedLeading(url), ElectedLeading(url)
        assert await one.leads(Task.CHECKPOINTS)
        assert not await other.leads(Task.CHECKPOINTS)
        assert await other.leads(Task.COMPLETION), "tasks are led one by one"
        await one.close()
        assert await other.leads(Task.CHECKPOINTS)
        postgres.restart()
        assert not await other.leads(Task.CHECKPOINTS), "its session, and so its lock, went with the server"
        assert await one.leads(Task.CHECKPOINTS)
        assert not await other.leads(Task.CHECKPOINTS)
        for each in (one, other):
            await each.close()

    asyncio.run(run())
