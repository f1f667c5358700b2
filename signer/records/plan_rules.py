"""What a plan may ask for, before any record is read: the role signs, signs its own slot only, and in a layout that is known."""

from __future__ import annotations

from collections.abc import Iterable

from signer.errors import InvalidArgument, LayoutNotFound, RoleRefused
from signer.model import RecordPlan, RecordSlot, Role
from signer.records.layout import Layout
from signer.records.layout_checks import SIGNING_ROLES

OWN_SLOTS: dict[Role, RecordSlot] = {role: slot for slot, roles in SIGNING_ROLES.items() for role in roles}
"""The one slot that a role signs; roles that are not here sign nothing."""


def require_plan(plan: RecordPlan, layouts: Iterable[Layout]) -> RecordSlot:
    """The slot that this plan signs.

    Raises:
        RoleRefused: the role signs nothing, or another slot than the one asked for.
        InvalidArgument: GVBM without a subject, or another role with one.
        LayoutNotFound: no such layout.
    """
    slot = OWN_SLOTS.get(plan.role)
    if slot is None:
        raise RoleRefused(f"the role '{plan.role.value}' signs no records", role=plan.role.value)
    if plan.slot is not None and plan.slot is not slot:
        raise RoleRefused(
            f"the role '{plan.role.value}' signs {slot.value}, not {plan.slot.value}; leave the slot out",
            role=plan.role.value,
            slot=plan.slot.value,
        )
    if (slot is RecordSlot.SUBJECT_TEACHER) != bool(plan.subject_id):
        wanted = "is required for GVBM: whose marks are signed" if not plan.subject_id else f"is for GVBM only, and {slot.value} is signed"
        raise InvalidArgument(f"record.subject_id {wanted}", field="record.subject_id")
    known = {layout.id for layout in layouts}
    if plan.layout_id and plan.layout_id not in known:
        raise LayoutNotFound(f"no layout {plan.layout_id!r}; known: {', '.join(sorted(known))}", layoutId=plan.layout_id[:128])
    return slot
