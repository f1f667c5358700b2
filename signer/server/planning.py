"""A message's plan, checked: what can be carried out, and what its key's holder allows."""

from __future__ import annotations

from signer.model import Profile
from signer.pipeline.digests import NO_FIELD
from signer.pipeline.engine import Engine
from signer.pipeline.plan import ReadyPlan, make_ready, with_artwork
from signer.pipeline.request import Request
from signer.server import convert, convert_forms, convert_pades, convert_time
from signer.server.activating import activated
from signer.v1 import plan_pb2, signature_pb2


async def ready_plan(engine: Engine, request: Request, plan: plan_pb2.SigningPlan, activation: signature_pb2.Activation) -> ReadyPlan:
    """The plan of a message, checked, with what its key's holder allows; raises what stops the whole request."""
    ready = await with_artwork(engine, request, await checked_plan(engine, request, plan))
    return await activated(engine, request, ready, activation)


async def checked_plan(engine: Engine, request: Request, plan: plan_pb2.SigningPlan) -> ReadyPlan:
    """The plan of a message, without what it shows and who allows it."""
    profile, level = convert.profile(plan.profile), convert.level(plan.level)
    return await make_ready(
        engine,
        request,
        profile=profile,
        level=level,
        credential_id=convert.identifier(plan.credential_id, "plan.credential_id"),
        algorithm=convert.algorithm(plan.algorithm),
        placement=convert_pades.placement(plan.pades) if profile is Profile.PADES else NO_FIELD,
        shortage=convert.shortage(plan.timestamp_shortage, level),
        evidence=convert_time.wanted_evidence(plan),
        options=convert_forms.form_options(plan, profile),
        record=convert_forms.record_plan(plan, profile, engine.records),
    )
