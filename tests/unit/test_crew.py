"""What a worker signed is checked in one go: what is good leaves, what is not is withheld, each in its own place, and a call ends once."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signer.algorithms import SignatureAlgorithm
from signer.errors import Reason
from signer.tokens.crew import Crew
from signer.tokens.discovery import HeldKey
from signer.tokens.session_signer import SessionSigner, Signed
from signer.tokens.unchecked import sign
from signer.tokens.wire import SignAnswer, SignCall, SignItem, SignReply
from signer.workers.frames import Frame, FrameBuffer, Kind, WorkerChannel, head

ALGORITHM = SignatureAlgorithm.ECDSA_SHA256
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
SPOILT = hashlib.sha256(b"7").digest()


class Token:
    """Signs, and spoils one digest's signature."""

    def sign(self, digest: bytes, **_mechanism: Any) -> bytes:
        numbers = decode_dss_signature(KEY.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        raw = b"".join(number.to_bytes(32) for number in numbers)
        return bytes(64) if digest == SPOILT else raw


HELD = HeldKey(Token(), KEY.public_key(), always_authenticate=False, found=cast("Any", SimpleNamespace(public_key=PUBLIC)))


class Signer:
    """As SessionSigner, on no session."""

    def sign(self, item: SignItem, _kept: object = None) -> Signed:
        return Signed(item.job_id, sign(HELD, item.algorithm, item.digest, pin=cast("Any", None), token_name="t"), 0.001)


def answers(signers: int, sizes: Sequence[int]) -> list[list[Frame]]:
    """The frames that end each call of so many digests, numbered through."""
    ours, theirs = socket.socketpair()
    login = SimpleNamespace(start=SimpleNamespace(keep_alive_s=0.0, name="t"))
    crew = Crew(WorkerChannel(theirs), cast("Any", login), [cast("SessionSigner", Signer()) for _ in range(signers)])
    working = threading.Thread(target=crew.serve)
    working.start()
    first = 0
    for call_id, size in enumerate(sizes, 1):
        items = [SignItem(job_id, b"k", ALGORITHM, hashlib.sha256(b"%d" % job_id).digest()) for job_id in range(first, first + size)]
        body = msgspec.msgpack.encode(SignCall(items))
        ours.sendall(head(Kind.CALL, call_id, len(body)) + body)
        first += size
    frames, buffer = list[Frame](), FrameBuffer()
    while sum(frame.kind is Kind.DONE for frame in frames) < len(sizes):
        frames += buffer.feed(ours.recv(1 << 16))
    ours.close()
    working.join()
    assert not crew._broken
    return [[frame for frame in frames if frame.call_id == call_id] for call_id in range(1, len(sizes) + 1)]


@pytest.mark.parametrize("signers", [1, 4])
def test_each_digest_is_answered_once_before_its_call_ends(signers: int) -> None:
    sizes = [1, 13, 64, 200]
    first = 0
    for size, frames in zip(sizes, answers(signers, sizes), strict=True):
        assert [frame.kind for frame in frames][-1] is Kind.DONE
        replies = [msgspec.msgpack.decode(frame.body, type=SignReply) for frame in frames[:-1]]
        told: dict[int, SignAnswer] = {answer.job_id: answer for reply in replies for answer in reply.answers}
        assert sorted(told) == list(range(first, first + size))
        assert sum(len(reply.answers) for reply in replies) == size
        wrong = {job_id: (answer.reason, answer.signature) for job_id, answer in told.items() if answer.reason}
        assert wrong == ({7: (Reason.TOKEN_SIGNATURE_WRONG.value, b"")} if first <= 7 < first + size else {})
        for job_id, answer in told.items():
            if not answer.reason:
                KEY.public_key().verify(answer.signature, hashlib.sha256(b"%d" % job_id).digest(), ec.ECDSA(Prehashed(hashes.SHA256())))
        first += size
