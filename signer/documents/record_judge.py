"""Whether a signature in a record's slot stands, for the rules of records: intact, of a trusted signer, over exactly what the slot signs.

Nothing is fetched, so whether its signer's certificate was revoked meanwhile is not known here; ValidationService tells.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Final

from signer.documents.anchors import anchors
from signer.documents.wire import Trust
from signer.formats.xml.search import Finder
from signer.model import SlotRequest
from signer.records.examination import SlotVerdict
from signer.records.order import Flaw
from signer.records.reading import Element
from signer.validation.report import Indication, SignatureReport
from signer.validation.xml_verifier import XmlVerifier

_FLAWS: Final = {
    "HASH_FAILURE": Flaw.ALTERED,
    "SIG_CRYPTO_FAILURE": Flaw.WRONG,
    "FORMAT_FAILURE": Flaw.MISPLACED,
    "SIGNED_DATA_NOT_FOUND": Flaw.MISPLACED,
    "SIG_CONSTRAINTS_FAILURE": Flaw.NOT_UNDERSTOOD,
    "CRYPTO_CONSTRAINTS_FAILURE": Flaw.OUTDATED,
}
"""By EN 319 102-1 sub-indication; all others are about the signer's certificate."""


class RecordJudge:
    """Judges the signatures of one record (`records.examination.SlotJudge`). now: ISO 8601."""

    def __init__(self, finder: Finder, trust: Trust, now: str) -> None:
        self._finder = finder
        self._trust = trust
        self._now = now

    def __call__(self, signature: Element, request: SlotRequest, /) -> SlotVerdict:
        """Valid only when everything about it is in order."""
        report = self._verifier.judge(signature, request)
        return SlotVerdict(flaw_of(report), report.signer)

    @cached_property
    def _verifier(self) -> XmlVerifier:
        """Made for the first signature: most records that are signed first have none."""
        return XmlVerifier(self._finder, anchors(self._trust), datetime.fromisoformat(self._now))


def flaw_of(report: SignatureReport) -> Flaw | None:
    """What is wrong with a signature, as records say it; None for one that passes."""
    return None if report.indication is Indication.TOTAL_PASSED else _FLAWS.get(report.sub_indication, Flaw.UNTRUSTED)
