"""What a style says when a request gives no lines (Decree 30/2020, annex I: signatures on annexes, and on copies)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from signer.model import AppearanceStyle

_COPY: Final = "SAO Y"


def own_wording(style: AppearanceStyle, signer: str, moment: datetime) -> tuple[str, ...]:
    """Annex: who and when. Certified copy: form of the copy, who copies, and when. Images stand for themselves.

    signer: as the certificate names it. moment: aware, in the zone that is to be shown; the same on every document of a batch.
    """
    offset = moment.strftime("%z")
    when = f"Thời gian ký: {moment:%d/%m/%Y %H:%M:%S} {offset[:3]}:{offset[3:5]}"
    match style:
        case AppearanceStyle.CERTIFIED_COPY:
            return (_COPY, signer, when)
        case AppearanceStyle.ANNEX:
            return (signer, when)
        case AppearanceStyle.PERSON | AppearanceStyle.ORGANISATION:
            return ()
