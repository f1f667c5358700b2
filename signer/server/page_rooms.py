"""What the page for people stands on, out of the rooms of the appliance."""

from __future__ import annotations

from signer.control.clients import Clients
from signer.control.people import People
from signer.server.pages import PageRooms
from signer.server.rooms import Rooms


class KnownNames:
    """`pages.doors.Names`: as operators named them, not as school software says."""

    def __init__(self, clients: Clients, people: People) -> None:
        self._clients = clients
        self._people = people

    async def client(self, client_id: str) -> str:
        """Its display name, else its id."""
        return next((client.display_name for client in self._clients.clients() if client.id == client_id), "") or client_id

    async def school(self, school_id: str) -> str:
        """Its display name, else empty: a caller's word for it may then be shown."""
        return next((school.display_name for school in self._clients.schools() if school.id == school_id), "")

    async def person(self, person_id: str) -> str:
        """Their name, else their id."""
        person = await self._people.find(person_id)
        return person.display_name if person else person_id


def page_rooms(rooms: Rooms) -> PageRooms:
    """The page's."""
    people, activation = rooms.people.people, rooms.activation
    return PageRooms(
        people,
        activation.first_factors,
        activation.factors,
        activation.authorizing,
        rooms.governing.approvals,
        KnownNames(rooms.calling.clients, people),
    )
