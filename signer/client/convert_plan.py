"""A plan as it is sent."""

from __future__ import annotations

from signer.client.convert import ALGORITHM_NUMBERS, LEVEL_NUMBERS
from signer.client.records import record_plan
from signer.client.values import Plan
from signer.errors import InvalidArgument
from signer.model import Appearance, CadesOptions, DocMdp, FieldLock, FieldPlacement, Packaging, Profile, XadesOptions
from signer.v1 import common_pb2, plan_pb2

_PROFILE_NUMBERS = {profile: common_pb2.Profile.Value(f"PROFILE_{profile.name}") for profile in Profile if not profile.is_of_digest}
_PACKAGING_NUMBERS = {packaging: common_pb2.Packaging.Value(f"PACKAGING_{packaging.name}") for packaging in Packaging}


def signing_plan(plan: Plan) -> plan_pb2.SigningPlan:
    """The plan as it is sent; InvalidArgument for a profile that documents don't have."""
    if plan.profile not in _PROFILE_NUMBERS:
        raise InvalidArgument("documents have no such profile; digests are signed by sign_digests", field="plan.profile")
    message = plan_pb2.SigningPlan(
        credential_id=plan.credential_id,
        profile=_PROFILE_NUMBERS[plan.profile],
        level=LEVEL_NUMBERS[plan.level],
        algorithm=ALGORITHM_NUMBERS[plan.algorithm] if plan.algorithm else common_pb2.SIGNATURE_ALGORITHM_UNSPECIFIED,
    )
    if plan.evidence is not None:
        digest = common_pb2.DigestAlgorithm.Value(f"DIGEST_ALGORITHM_{plan.evidence.name}")
        message.evidence.CopyFrom(plan_pb2.EvidencePlan(create=True, digest_algorithm=digest))
    if plan.park_without_timestamp:
        message.timestamp_shortage = plan_pb2.TIMESTAMP_SHORTAGE_PARK
    if plan.record is not None:
        message.record.CopyFrom(record_plan(plan.record))
    match plan.options:
        case CadesOptions() as cades:
            message.cades.CopyFrom(_cades(cades))
        case XadesOptions() as xades:
            message.xades.CopyFrom(_xades(xades))
        case None if plan.profile is Profile.PADES:
            message.pades.CopyFrom(_pades(plan.placement))
        case None:
            pass
    return message


def _pades(placement: FieldPlacement) -> plan_pb2.PadesOptions:
    return plan_pb2.PadesOptions(
        field_name=placement.field_name,
        name=placement.name,
        reason=placement.reason,
        location=placement.location,
        appearance=None if placement.appearance is None else _appearance(placement.appearance),
        doc_mdp=_doc_mdp(placement.doc_mdp),
        field_lock=_field_lock(placement.field_lock),
        locked_fields=placement.field_lock.fields if placement.field_lock else (),
    )


def _cades(options: CadesOptions) -> plan_pb2.CadesOptions:
    return plan_pb2.CadesOptions(packaging=_PACKAGING_NUMBERS[options.packaging], content_type=options.content_type)


def _xades(options: XadesOptions) -> plan_pb2.XadesOptions:
    return plan_pb2.XadesOptions(
        packaging=_PACKAGING_NUMBERS[options.packaging],
        reference_id=options.reference_id,
        placement_xpath=options.placement_xpath,
        canonicalization=options.canonicalization,
    )


def _doc_mdp(wanted: DocMdp | None) -> plan_pb2.DocMdp.ValueType:
    return plan_pb2.DocMdp.Value(f"DOC_MDP_{wanted.name if wanted else 'UNSPECIFIED'}")


def _field_lock(wanted: FieldLock | None) -> plan_pb2.FieldLock.ValueType:
    return plan_pb2.FieldLock.Value(f"FIELD_LOCK_{wanted.action.name if wanted else 'UNSPECIFIED'}")


def _appearance(wanted: Appearance) -> plan_pb2.Appearance:
    """InvalidArgument for two places, of which the message can carry one."""
    place, anchor = wanted.rectangle, wanted.anchor
    if place is not None and anchor is not None:
        raise InvalidArgument("a visible signature has one place: give a rectangle or an anchor", field="plan.pades.appearance.anchor")
    return plan_pb2.Appearance(
        style=plan_pb2.AppearanceStyle.Value(f"APPEARANCE_STYLE_{wanted.style.name}"),
        image_id=wanted.image_id,
        lines=wanted.lines,
        rectangle=None
        if place is None
        else plan_pb2.PageRectangle(page=place.page, x=place.x, y=place.y, width=place.width, height=place.height),
        anchor=None
        if anchor is None
        else plan_pb2.TextAnchor(
            text=anchor.text, occurrence=anchor.occurrence, dx=anchor.dx, dy=anchor.dy, width=anchor.width, height=anchor.height
        ),
    )
