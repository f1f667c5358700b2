"""What a worker finds on a token that was used for years: odd objects are told, and harm no other key."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signer.algorithms import KeyFamily, SignatureAlgorithm
from signer.model import ProblemKind
from signer.tokens.chains import Issuers
from signer.tokens.credentials import CredentialTable
from signer.tokens.settings import CredentialSettings
from signer.tokens.wire import FoundKey, Ready, SignCall, SignItem, SignReply
from signer.workers.process import WorkerProcess
from tests.support.daemon import World
from tests.support.heard import Heard
from tests.support.odd_objects import add_odd_objects
from tests.support.token_worker import spec_of

K = ProblemKind


@pytest.fixture
async def odd(new_world: Callable[[], World]) -> tuple[World, Ready, dict[str, bytes]]:
    """A token with odd objects: what the worker found, and signatures by `seal` and `bare`."""
    world = new_world()
    add_odd_objects(world.token)
    worker = await WorkerProcess.start(spec_of(world))
    wanted = {
        number: SignItem(number, world.token.key(label).key_id, SignatureAlgorithm.RSA_PKCS1_SHA256, os.urandom(32))
        for number, label in enumerate(("seal", "bare"))
    }
    call = Heard(worker, msgspec.msgpack.encode(SignCall(list(wanted.values()))))
    outcomes: dict[str, bytes] = {}
    while (body := await call.next()) is not None:
        for answer in msgspec.msgpack.decode(body, type=SignReply).answers:
            outcomes[("seal", "bare")[answer.job_id]] = answer.signature
    await worker.close()
    return world, msgspec.msgpack.decode(worker.ready_body, type=Ready), outcomes


async def test_odd_objects_are_told_and_harm_no_other_key(odd: tuple[World, Ready, dict[str, bytes]]) -> None:
    world, ready, outcomes = odd
    keys: dict[str, FoundKey] = {key.label: key for key in ready.keys}
    assert keys.keys() == {key.label for key in world.token.keys} | {"twin", "wide", "decrypts"}
    assert {label: [problem.kind for problem in key.problems] for label, key in keys.items() if key.problems} == {
        "twin": [K.AMBIGUOUS],
        "decrypts": [K.KEY_UNSUPPORTED],
        "bare": [K.CERTIFICATE_MISSING],
    }
    assert len(ready.orphan_certificates) == 2
    assert (keys["wide"].family, keys["wide"].bits) == (KeyFamily.EC, 521)
    assert keys["seal"].public_key == world.token.key("seal").public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert keys["bare"].public_key == b""
    assert outcomes["seal"], "its public half comes from its certificate"
    assert not outcomes["bare"], "a signature that can't be checked is not released"
    entries = [CredentialSettings(label, "odd", key_label=label, school="1") for label in ("gvcn", "twin", "wide", "decrypts", "bare")]
    table = CredentialTable(entries, Issuers([]))
    table.refresh("odd", ready)
    found = {one.id: {problem.kind for problem in one.problems if not problem.kind.is_warning} for one in table.list_all()}
    assert found == {
        "gvcn": set(),
        "twin": {K.AMBIGUOUS, K.CERTIFICATE_MISSING},
        "wide": {K.KEY_UNSUPPORTED, K.CERTIFICATE_MISSING},
        "decrypts": {K.KEY_UNSUPPORTED, K.CERTIFICATE_MISSING},
        "bare": {K.CERTIFICATE_MISSING},
    }
