"""The seal: văn thư applies it in person, over what the principal has signed (which `records` sees to), never school software alone.

Whichever key seals a record, an authorisation of somebody who has the clerk's role must come with it, unless `[records] seal_in_person` is
switched off; how many one authorisation may cover is asked when it is given (`control.authorizing`).
"""

from __future__ import annotations

from dataclasses import replace

from signer.errors import AuthorizationRequired
from signer.model import RecordSlot
from signer.pipeline.allowing import Refusal
from signer.pipeline.engine import Engine
from signer.pipeline.plan import ReadyPlan
from signer.records.plan_rules import OWN_SLOTS


def in_person(engine: Engine, plan: ReadyPlan) -> ReadyPlan:
    """The plan; of a record's seal that nobody allowed, one that refuses each item with AuthorizationRequired before a key is used."""
    if plan.record is None or OWN_SLOTS.get(plan.record.role) is not RecordSlot.SEAL or plan.presented is not None:
        return plan
    if engine.records is None or not engine.records.seal_in_person:
        return plan
    error = AuthorizationRequired(
        "a record is sealed in person: văn thư authorises it (`signer authorize`, or on the page for people); no key was used",
        credential=plan.credential.id,
    )
    return replace(plan, presented=Refusal(error))
