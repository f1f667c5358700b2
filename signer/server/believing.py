"""Whom the rooms believe: told to them when the daemon starts, and whenever a file or an operator's call changes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from signer.documents.wire import Trust
from signer.errors import ConfigError
from signer.pipeline.engine import Engine
from signer.telemetry.logs import get_logger
from signer.tokens.chains import Issuers
from signer.trust.anchor import TrustPurpose
from signer.trust.book import TrustBook

_log = get_logger(__name__)
_LOOK_S: Final = 5.0


class Believing:
    """Owned by the event loop. allow_sha1: whether answers about certificates may be signed with it."""

    def __init__(self, book: TrustBook, engine: Engine, *, allow_sha1: bool) -> None:
        self.book = book
        self._engine = engine
        self._allow_sha1 = allow_sha1

    def tell(self) -> None:
        """Tells every room."""
        engine, book = self._engine, self.book
        engine.archive = replace(engine.require_archive(), trust=self.archive_trust())
        if engine.signers is not None:
            engine.signers.forget()
        engine.credentials.complete_chains(Issuers(book.certificates))
        if engine.kept is not None:
            engine.kept.forget_all()

    def archive_trust(self) -> Trust:
        """For documents that are raised to a level: others', and those signed here."""
        return self.trust(TrustPurpose.VALIDATION, TrustPurpose.SIGNING)

    def trust(self, *purposes: TrustPurpose) -> Trust:
        """Whom signers are believed under for any of these purposes, and timestamps."""
        return Trust(
            signing=tuple(dict.fromkeys(root for purpose in purposes for root in self.book.roots(purpose))),
            timestamping=self.book.roots(TrustPurpose.TIMESTAMP),
            intermediates=self.book.intermediates,
            allow_sha1=self._allow_sha1,
        )

    def timestamp_roots(self) -> tuple[bytes, ...]:
        """DER of all CAs that kept timestamps are believed under."""
        return self.book.believed(TrustPurpose.TIMESTAMP)

    def refresh(self) -> None:
        """Takes in changed files; ones that can't be read are logged and leave everything as it was."""
        try:
            is_changed = self.book.refresh()
        except ConfigError as error:
            _log.error("CA files not read", message=error.message)
            return
        if is_changed:
            self.tell()
            _log.warning("CAs changed", anchors=[f"{each.anchor_id} {each.subject}" for each in self.book.anchors])

    async def run(self) -> None:
        """Looks after the files, every few seconds."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.refresh()
