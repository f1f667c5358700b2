from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from signer.formats.cms.template import CmsTemplate
from signer.pipeline.forms.form import Signer

_T = TypeVar("_T")


class Templates:
    """What is the same for all signatures of a signer, encoded once. Owned by the event loop."""

    def __init__(self) -> None:
        self._cms: dict[Signer, CmsTemplate] = {}

    def pades(self, signer: Signer) -> CmsTemplate:
        """The CMS in a PDF: without a signing time, which the PDF keeps (EN 319 142-1 6.3)."""
        return _once(self._cms, signer, lambda: CmsTemplate.build(signer.certificate, signer.chain, signer.algorithm))


def _once(made: dict[Signer, _T], signer: Signer, make: Callable[[], _T]) -> _T:
    found = made.get(signer)
    if found is None:
        found = made[signer] = make()
    return found
