from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from signer.model import Profile
from signer.pipeline.forms.cades import CadesDigestForm, CadesForm, CadesPrepared
from signer.pipeline.forms.form import Form
from signer.pipeline.forms.pades import PadesForm, PadesPrepared
from signer.pipeline.forms.xml import MinistryForm, XadesForm, XmlPrepared

AnyPrepared: TypeAlias = PadesPrepared | CadesPrepared | XmlPrepared
"""Of any form, as the journal keeps it: each has a tag of its own."""

FORMS: Mapping[Profile, Form[AnyPrepared]] = {
    Profile.PADES: PadesForm(),
    Profile.CADES: CadesForm(),
    Profile.CADES_DIGEST: CadesDigestForm(),
    Profile.XADES: XadesForm(),
    Profile.MINISTRY_XML: MinistryForm(),
}
