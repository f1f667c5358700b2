from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from signer.formats.cms.template import CmsTemplate
from signer.formats.xml.template import XmlProfile, XmlTemplate
from signer.pipeline.forms.form import Signer

_K = TypeVar("_K")
_T = TypeVar("_T")
_KEPT_MAX = 1024
"""Callers choose hints."""


class Templates:
    """What is the same for all signatures of a signer, encoded once. Owned by the event loop."""

    def __init__(self) -> None:
        self._pades: dict[Signer, CmsTemplate] = {}
        self._cades: dict[tuple[Signer, str], CmsTemplate] = {}
        self._xml: dict[tuple[Signer, XmlProfile], XmlTemplate] = {}

    def pades(self, signer: Signer) -> CmsTemplate:
        """The CMS in a PDF: without a signing time, which the PDF keeps (EN 319 142-1 6.3)."""
        return _once(self._pades, signer, lambda: CmsTemplate.build(signer.certificate, signer.chain, signer.algorithm))

    def cades(self, signer: Signer, hint: str = "") -> CmsTemplate:
        """A CMS of its own: with a signing time (EN 319 122-1 6.3). hint: for content-hints; empty for none."""

        def build() -> CmsTemplate:
            return CmsTemplate.build(signer.certificate, signer.chain, signer.algorithm, signing_time=True, hint=hint)

        return _once(self._cades, (signer, hint), build)

    def xml(self, signer: Signer, profile: XmlProfile) -> XmlTemplate:
        """A ds:Signature. The Ministry's holds the signer's certificate alone."""
        chain = () if profile is XmlProfile.MINISTRY else signer.chain
        return _once(self._xml, (signer, profile), lambda: XmlTemplate.build(signer.certificate, chain, signer.algorithm, profile))


def _once(made: dict[_K, _T], key: _K, make: Callable[[], _T]) -> _T:
    found = made.get(key)
    if found is None:
        if len(made) >= _KEPT_MAX:
            made.clear()
        found = made[key] = make()
    return found
