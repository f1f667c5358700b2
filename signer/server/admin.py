"""AdminService, put together from what its files serve."""

from __future__ import annotations

from signer.server.keys import KeyMethods
from signer.server.rooms import Rooms
from signer.server.tokens import TokenMethods


class AdminService(TokenMethods, KeyMethods):
    """What this release serves of AdminService."""

    def __init__(self, rooms: Rooms) -> None:
        TokenMethods.__init__(self, rooms.engine, rooms.pools, rooms.journal)
        KeyMethods.__init__(self, rooms.engine, rooms.pools, rooms.keys)
