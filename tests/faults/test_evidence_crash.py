"""The daemon killed with SIGKILL around an evidence record's timestamp and commit: what was answered is kept, what was not is made anew."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from signer.errors import SignerError
from signer.v1 import plan_pb2
from tests.support import pki, rfc4998
from tests.support.calls import plan, sign_batch
from tests.support.daemon import Running
from tests.support.rig import FULL, Record, Rig, wait_until
from tests.support.time_calls import call, create, proofs
from tests.support.tsa import TsaProcess, write_identity

KILLS = 30 if FULL else 2
DOCUMENTS = {f"d{number}": b"signed %d" % number for number in range(35)}


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[TsaProcess]:
    write_identity(tmp_path / "tsa", pki.tsa())
    made = TsaProcess(tmp_path / "tsa", ("20",))
    made.start()
    yield made
    made.kill()


def settings(tsa: TsaProcess) -> dict[str, Any]:
    """One outside authority, and no more processes than it takes."""
    (tsa.folder / "root.pem").write_bytes(pki.root().pem)
    server = {"name": "only", "url": tsa.url, "ca_files": [str(tsa.folder / "root.pem")], "timeout_s": 20.0}
    return {"tsas": [server], "token": {"processes": 1}, "documents": {"processes": 1}}


def killed_after(daemon: Running, tsa: TsaProcess, pause_s: float) -> threading.Thread:
    """Kills the daemon so long after the authority has answered the next request."""
    before = tsa.requests

    def wait() -> None:
        wait_until(lambda: tsa.requests > before, "the authority answered")
        time.sleep(pause_s)
        daemon.process.kill()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def answered(channel: grpc.Channel, request_id: str) -> str:
    """The id of the record that was answered; empty when the daemon died first."""
    try:
        return create(channel, DOCUMENTS, request_id=request_id).evidence_record_id
    except SignerError:
        return ""


def test_a_daemon_killed_around_the_commit_keeps_what_it_answered_and_makes_anew_what_it_did_not(
    rig: Rig, tsa: TsaProcess, record: Record
) -> None:
    dice = random.Random(4998)  # noqa: S311 (moments to kill, not keys)
    promised: dict[str, str] = {}
    for number in range(KILLS):
        daemon = rig.start(**settings(tsa))
        with rig.channel() as channel:
            killer = killed_after(daemon, tsa, dice.uniform(0, 0.06))
            promised[f"killed-{number}"] = answered(channel, f"killed-{number}")
            killer.join()
        daemon.process.wait()
    with rig.daemon(**settings(tsa)), rig.channel() as channel:
        asked = tsa.requests
        again = {request_id: answered(channel, request_id) for request_id in promised}
        made_anew = tsa.requests - asked
        listed = call(channel, "ListEvidenceRecords").evidence_records
        given = proofs(channel, again["killed-0"], DOCUMENTS)
    lost = sum(before not in {"", again[request_id]} for request_id, before in promised.items())
    record(
        "daemon killed around an evidence record's commit",
        client_saw=f"{sum(map(bool, promised.values()))} of {KILLS} answered",
        lost=lost,
        extra_key_uses=0,
        made_anew=made_anew,
    )
    assert lost == 0
    assert sorted(again.values()) == sorted(one.evidence_record_id for one in listed), "one record a request"
    for name, content in DOCUMENTS.items():
        rfc4998.stamps_that_prove(given[name], [content])


def test_a_daemon_killed_before_a_batchs_evidence_was_kept_makes_it_over_all_files_when_the_batch_comes_again(
    rig: Rig, tsa: TsaProcess, cards: dict[str, bytes], record: Record
) -> None:
    ids: dict[str, Any] = {"request_id": "batch", "plan": plan("cbql", evidence=plan_pb2.EvidencePlan(create=True))}
    daemon = rig.start(**settings(tsa))
    with rig.channel() as channel:
        killer = killed_after(daemon, tsa, 0)
        try:
            first = sign_batch(channel, cards, **ids)
        except SignerError:
            first = None
        killer.join()
    daemon.process.wait()
    with rig.daemon(**settings(tsa)), rig.channel() as channel:
        uses = len(rig.shim.key_uses())
        again = sign_batch(channel, cards, **ids)
        assert again.summary is not None
        assert again.summary.replayed == len(cards)
        given = proofs(channel, again.summary.evidence_record_id, again.signed())
    for name, content in again.signed().items():
        rfc4998.stamps_that_prove(given[name], [content])
    record(
        "daemon killed before a batch's evidence",
        client_saw="answered" if first else "broken off",
        lost=len(cards) - len(again.signed()),
        extra_key_uses=len(rig.shim.key_uses()) - uses,
    )
    assert len(rig.shim.key_uses()) == uses == len(cards)
