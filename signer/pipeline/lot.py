"""What a lot of documents shares while it takes its steps together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from signer.model import FieldPlacement
from signer.people.authorization import ListProof
from signer.pipeline.doors import KeyDoor
from signer.pipeline.engine import Engine
from signer.pipeline.forms.form import Form
from signer.pipeline.forms.table import FORMS, AnyPrepared
from signer.pipeline.plan import ReadyPlan
from signer.pipeline.request import Allowance, Request


@dataclass(frozen=True, slots=True)
class IncomingDocument:
    """One document as it came.

    placement: the plan's, or this document's own. file_name: as its sender calls it; empty if nothing was said. proof: that its key's
    holder allows it, where the list's entries did not come along.
    """

    document_id: str
    content: bytes
    placement: FieldPlacement
    file_name: str = ""
    proof: ListProof | None = None

    @property
    def name(self) -> str:
        """How a signature that is a file of its own names it."""
        return self.file_name or self.document_id


@dataclass(frozen=True, slots=True)
class Lot:
    """What the items of one call to `sign_documents` share. signing_time: claimed in the signatures. allowance: of the quotas."""

    engine: Engine
    request: Request
    plan: ReadyPlan
    signing_time: datetime
    allowance: Allowance

    @property
    def door(self) -> KeyDoor:
        """The token of the plan's credential."""
        return self.engine.keys[self.plan.credential.token_name]

    @property
    def shared(self) -> tuple[bytes, ...]:
        """What the material of all of them has in common."""
        return () if self.plan.artwork is None else self.plan.artwork.streams

    @property
    def form(self) -> Form[AnyPrepared]:
        """Of the plan's profile."""
        return FORMS[self.plan.profile]
