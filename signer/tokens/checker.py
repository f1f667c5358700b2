"""The checker: a program that holds nothing, and verifies with public keys what a token worker's token has signed.

    python -m signer.tokens.checker FD

OpenSSL takes nearly three times as long to check a P-256 signature as to make one (RSA: a sixteenth). Checked where it is made, a token
that is fast waits for its check most of the time; checked beside it, on another core, the token goes on with what comes next. The worker
starts its checker when there is enough to check (`checking`), and speaks to it as the daemon does to a worker: READY, and for each CALL a
REPLY. It leaves when the worker has gone.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from signer.confinement.memory import keep_memory_private
from signer.confinement.syscalls import nothing_but_work, refuse
from signer.tokens.mechanisms import PublicKey
from signer.tokens.program import run_program
from signer.tokens.unchecked import Claim, check
from signer.workers.frames import Kind, WorkerChannel

_KEYS_KEPT = 1024
_decode = msgspec.msgpack.Decoder(list[Claim]).decode


def run(channel: WorkerChannel) -> int:
    """The program."""
    keep_memory_private()
    refuse(nothing_but_work())
    channel.send(Kind.READY, 0)
    while (frame := channel.receive()) is not None:
        channel.send(Kind.REPLY, frame.call_id, msgspec.msgpack.encode([_verdict(claim) for claim in _decode(frame.body)]))
    return 0


def _verdict(claim: Claim) -> bytes:
    """The signature as formats want it; empty when it does not verify."""
    try:
        return check(_key(claim.public_key), claim.algorithm, claim.raw, claim.digest)
    except (InvalidSignature, ValueError):
        return b""


@lru_cache(maxsize=_KEYS_KEPT)
def _key(public_key: bytes) -> PublicKey:
    key = load_der_public_key(public_key)
    if not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        raise ValueError("neither RSA nor EC")  # noqa: TRY004 - as every other claim that does not verify
    return key


if __name__ == "__main__":
    run_program(run)
