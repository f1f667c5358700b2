"""Steps 8 and 9 of a signature, parked before or not: signature and timestamp into what is added, the outcome into the journal.

None of it needs the document: only the digest of the whole signed file does, which is left out and computed when the document is there.
"""

from __future__ import annotations

import hashlib

from signer.errors import InternalError, SignatureSettled, TimestampUnavailable
from signer.journal.model import Outcome, OutcomeKind, Stored
from signer.model import SignatureKey
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.material import Finished, Parked, Stamped, decode, encode


def assemble(engine: Engine, parked: Parked, stamp: Stamp | None) -> Finished:
    """The finished signature, without the digest of the whole; InternalError when it does not fit the room kept for it."""
    return Finished(
        additions=parked.prepared.additions(engine.templates, parked.signer, parked.signature, stamp.timestamp if stamp else None),
        signing_time=parked.signing_time,
        timestamp_time=stamp.gen_time if stamp else None,
        certificate_serial=parked.certificate_serial,
        algorithm=parked.signer.algorithm,
        signed_sha256=b"",
    )


def outcome(
    key: SignatureKey,
    attempt: int,
    kind: OutcomeKind,
    material: Finished | Parked | Stamped,
    signature: bytes,
    *,
    shared: tuple[bytes, ...] = (),
) -> Outcome:
    """RELEASED or PARKED, with what a repeat needs. shared: what other signatures' material holds as well."""
    return Outcome(key, attempt, kind, encode(material), hashlib.sha256(signature).digest(), shared=shared)


async def complete(engine: Engine, key: SignatureKey, stored: Stored, parked: Parked, stamp: Stamp) -> Finished:
    """Gives a parked signature its timestamp and settles it, without a second key use; what another replica did first stands.

    stored: as the journal holds it; parked: its material.

    Raises TimestampUnavailable when the timestamp does not fit: the room was kept for another authority's.
    """
    try:
        finished = assemble(engine, parked, stamp)
    except InternalError as error:
        raise TimestampUnavailable(
            f"a timestamp of {len(stamp.timestamp)} bytes does not fit the room kept when this was signed: another authority is needed"
        ) from error
    try:
        made = outcome(key, stored.attempts, OutcomeKind.RELEASED, finished, parked.signature, shared=stored.shared)
        await engine.ledger.settle([made])
    except SignatureSettled:
        other = (await engine.ledger.look_up([key])).get(key)
        settled = decode(other.material) if other is not None and other.material else None
        if not isinstance(settled, Finished):
            raise
        return settled
    return finished
