"""Options of the profiles that are no PDF's: what a message says, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from signer.errors import InvalidArgument, NotServedYet
from signer.formats.xml.names import CANONICALIZATIONS
from signer.model import CadesOptions, Packaging, Profile, RecordPlan, XadesOptions
from signer.pipeline.plan import FormOptions
from signer.pipeline.record_check import RecordRooms
from signer.records.plan_rules import require_plan
from signer.server import convert_records
from signer.v1 import common_pb2, plan_pb2

_MIME_TYPE: Final = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:; ?[\w!#$&^.+-]+=[\w!#$&^.+-]+)*", re.ASCII)
_MIME_TYPE_MAX: Final = 255
_XADES: Final = "plan.xades"
_XPATH_MAX: Final = 1024
_OF_RECORDS: Final = (Profile.MINISTRY_XML, Profile.PADES)
PACKAGINGS: dict[int, Packaging] = {common_pb2.Packaging.Value(f"PACKAGING_{each.name}"): each for each in Packaging}


def record_plan(plan: plan_pb2.SigningPlan, profile: Profile, rooms: RecordRooms | None) -> RecordPlan | None:
    """The rules that the documents must keep; None for what are no records. Raises what `require_plan` raises, and NotServedYet."""
    field = "plan.record"
    if not plan.HasField("record"):
        if profile is Profile.MINISTRY_XML:
            raise InvalidArgument(f"{field} is required for PROFILE_MINISTRY_XML: in which role the records are signed", field=field)
        return None
    if profile not in _OF_RECORDS or rooms is None:
        raise NotServedYet(f"{field} is served for PROFILE_MINISTRY_XML and PROFILE_PADES; leave it unset", field=field)
    wanted = convert_records.record_plan(plan.record, f"{field}.")
    require_plan(wanted, rooms.layouts)
    return wanted


def form_options(plan: plan_pb2.SigningPlan, profile: Profile) -> FormOptions | None:
    """The options of a plan; None where its profile has none beside a PDF's placement. InvalidArgument for another profile's."""
    given, wanted = plan.WhichOneof("options"), _OPTIONS_OF.get(profile)
    if given is not None and given != wanted:
        raise InvalidArgument(f"plan.{given} is not for profile {profile.value}; leave it unset", field=f"plan.{given}")
    read = _READERS.get(profile)
    return None if read is None else read(getattr(plan, wanted or ""))


def require_result_form(number: int, profile: Profile) -> None:
    """InvalidArgument for a form that a profile's results don't have."""
    if number == plan_pb2.RESULT_FORM_APPENDED_BYTES and profile is not Profile.PADES:
        raise InvalidArgument("RESULT_FORM_APPENDED_BYTES is for PROFILE_PADES: ask for the full document", field="result_form")


def cades_options(options: plan_pb2.CadesOptions) -> CadesOptions:
    """Detached unless asked otherwise."""
    field = "plan.cades.content_type"
    if options.content_type and (len(options.content_type) > _MIME_TYPE_MAX or not _MIME_TYPE.fullmatch(options.content_type)):
        raise InvalidArgument(f"{field} must be a MIME type such as application/xml, at most {_MIME_TYPE_MAX} characters", field=field)
    packaging = PACKAGINGS.get(options.packaging, Packaging.DETACHED)
    if packaging is Packaging.ENVELOPED:
        raise InvalidArgument("a CMS is DETACHED or ENVELOPING", field="plan.cades.packaging")
    return CadesOptions(packaging, options.content_type)


def xades_options(options: plan_pb2.XadesOptions) -> XadesOptions:
    """Enveloped in the document unless asked otherwise."""
    packaging = PACKAGINGS.get(options.packaging, Packaging.ENVELOPED)
    for name in ("reference_id", "placement_xpath"):
        field = f"{_XADES}.{name}"
        if getattr(options, name) and packaging is not Packaging.ENVELOPED:
            raise InvalidArgument(f"{field} is for ENVELOPED signatures; leave it unset", field=field)
        if len(getattr(options, name)) > _XPATH_MAX:
            raise InvalidArgument(f"{field} is longer than {_XPATH_MAX} characters", field=field)
    method = options.canonicalization or XadesOptions().canonicalization
    if method not in CANONICALIZATIONS:
        field = f"{_XADES}.canonicalization"
        raise InvalidArgument(f"unknown canonicalisation; known are {', '.join(CANONICALIZATIONS)}", field=field)
    return XadesOptions(packaging, options.reference_id, options.placement_xpath, method)


_OPTIONS_OF: Mapping[Profile, str] = {Profile.PADES: "pades", Profile.CADES: "cades", Profile.XADES: "xades"}
_READERS: Mapping[Profile, Callable[[Any], FormOptions]] = {Profile.CADES: cades_options, Profile.XADES: xades_options}
