"""AdminService, put together from what its files serve."""

from __future__ import annotations

from functools import partial

from signer.server.approvals import ApprovalMethods
from signer.server.clients import ClientMethods
from signer.server.convert_keys import key_result
from signer.server.department import DepartmentMethods
from signer.server.enrolment import EnrolmentMethods
from signer.server.images import ImageMethods
from signer.server.keys import KeyMethods
from signer.server.operations import OperationMethods, Operations
from signer.server.people import PeopleMethods
from signer.server.rooms import Rooms
from signer.server.tokens import TokenMethods
from signer.server.trust import TrustMethods
from signer.server.unlocking import UnlockMethods


class AdminService(
    TokenMethods,
    ApprovalMethods,
    KeyMethods,
    ImageMethods,
    ClientMethods,
    PeopleMethods,
    DepartmentMethods,
    EnrolmentMethods,
    OperationMethods,
    TrustMethods,
    UnlockMethods,
):
    """What this release serves of AdminService."""

    def __init__(self, rooms: Rooms, operations: Operations) -> None:
        TokenMethods.__init__(self, rooms.engine, rooms.pools, rooms.journal)
        KeyMethods.__init__(self, rooms.engine, rooms.pools, rooms.keys)
        ImageMethods.__init__(self, rooms.engine, rooms.images, rooms.configured_images)
        ClientMethods.__init__(self, rooms.calling)
        PeopleMethods.__init__(self, rooms.people)
        DepartmentMethods.__init__(self, rooms.people)
        EnrolmentMethods.__init__(self, rooms.people, rooms.keys, partial(key_result, rooms.engine, rooms.pools))
        ApprovalMethods.__init__(self, rooms.governing.approvals, rooms.governing.subjects)
        OperationMethods.__init__(self, operations)
        TrustMethods.__init__(self, rooms.believing, rooms.watch, rooms.governing.approvals)
        UnlockMethods.__init__(self, rooms.people, rooms.activation.factors, rooms.governing.approvals)
