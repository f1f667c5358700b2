"""CMS over any bytes: nothing is parsed, so no document worker is asked; attached, around the document, or detached, a file of its own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from signer.errors import InvalidArgument, SignerError
from signer.formats.insertions import Additions, Insertion
from signer.model import SOURCE_DIGEST, CadesOptions, Packaging
from signer.pipeline.forms.cms import CmsPrepared
from signer.pipeline.forms.form import Arrived, Preparation, Signer
from signer.pipeline.forms.templates import Templates

if TYPE_CHECKING:
    from signer.pipeline.lot import Lot

_LARGE_BYTES = 1024 * 1024
"""More than this is hashed beside the event loop."""
_DEFAULTS = CadesOptions()


class CadesPrepared(CmsPrepared, frozen=True, array_like=True, tag="cades"):
    """content_bytes: of the document that stands inside; None when detached."""

    content_bytes: int | None

    def additions(self, templates: Templates, signer: Signer, signature: bytes, timestamp: bytes | None) -> Additions:
        """The CMS, before and after the document or alone."""
        template = templates.cades(signer)
        before, after = template.around(self.signed_attributes, signature, timestamp=timestamp, content_bytes=self.content_bytes)
        if self.content_bytes is None:
            return Additions(before + after, is_alone=True)
        return Additions(after, (Insertion(0, before),))


class CadesForm:
    """`Form` of PROFILE_CADES."""

    async def prepare(self, lot: Lot, arrived: Sequence[Arrived]) -> list[Preparation[CadesPrepared] | SignerError]:
        """All done here."""
        options = lot.plan.options if isinstance(lot.plan.options, CadesOptions) else _DEFAULTS
        is_attached = options.packaging is Packaging.ENVELOPING
        template = lot.engine.templates.cades(lot.plan.signer, options.content_type)
        digests = await _digests(lot, arrived)
        return [
            Preparation(
                CadesPrepared(template.signed_attributes(digest, lot.signing_time), len(each.document.content) if is_attached else None)
            )
            for each, digest in zip(arrived, digests, strict=True)
        ]


class CadesDigestForm:
    """`Form` of digests whose documents stay with the caller: each comes as the content of its document."""

    async def prepare(self, lot: Lot, arrived: Sequence[Arrived]) -> list[Preparation[CadesPrepared] | SignerError]:
        """All done here; InvalidArgument for a digest of another length than the algorithm's."""
        return [_of_digest(lot, each.document.content) for each in arrived]


def _of_digest(lot: Lot, digest: bytes) -> Preparation[CadesPrepared] | SignerError:
    algorithm = lot.plan.algorithm
    if len(digest) != algorithm.digest.size_bytes:
        return InvalidArgument(
            f"a digest of {len(digest)} bytes does not fit {algorithm.value}, which signs {algorithm.digest.size_bytes} bytes",
            field="items.digest",
        )
    return Preparation(CadesPrepared(lot.engine.templates.cades(lot.plan.signer).signed_attributes(digest, lot.signing_time), None))


async def _digests(lot: Lot, arrived: Sequence[Arrived]) -> list[bytes]:
    """Of the documents, by the plan's algorithm."""
    algorithm = lot.plan.algorithm.digest
    if algorithm is SOURCE_DIGEST:
        return [each.source.digest() for each in arrived]

    def hash_all() -> list[bytes]:
        return [hashlib.new(algorithm.value, each.document.content).digest() for each in arrived]

    if sum(len(each.document.content) for each in arrived) > _LARGE_BYTES:
        return await asyncio.to_thread(hash_all)
    return hash_all()
