"""Measures what a signature costs in bytes, entries and CPU, on the real daemon and a real PostgreSQL: `python -m tests.scale.measure`.

CPU is compared within the run: seconds of a busy machine are longer than others, their ratio is not.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click
import grpc

from signer.algorithms import SignatureAlgorithm
from signer.journal import Intent, Journal, Outcome, OutcomeKind
from signer.model import SignatureKey
from signer.v1 import common_pb2, plan_pb2, signing_pb2_grpc
from tests.bench.documents import plain_documents, records
from tests.bench.usage import cpu_s, daemon_groups
from tests.support import postgres
from tests.support.calls import Request, fresh_id, header, lot, metric, plan
from tests.support.daemon import Running, World, build_world, running_daemon

_DOCUMENTS = 140
_LOT = 16
_ROUNDS = 3
_B_B, _ROLE = common_pb2.LEVEL_B_B, plan_pb2.RecordPlan(role=common_pb2.ROLE_HOMEROOM_TEACHER)
_PLANS = {
    "pades-b-b": plan("gvcn"),
    "pades-b-t": plan("gvcn", common_pb2.LEVEL_B_T),
    "cades-b-b": plan_pb2.SigningPlan(credential_id="gvcn", profile=common_pb2.PROFILE_CADES, level=_B_B),
    "xades-b-b": plan_pb2.SigningPlan(credential_id="gvcn", profile=common_pb2.PROFILE_XADES, level=_B_B),
    "ministry-xml": plan_pb2.SigningPlan(credential_id="gvcn", profile=common_pb2.PROFILE_MINISTRY_XML, level=_B_B, record=_ROLE),
}
_PG_SIGNATURES, _PG_CALL = 6_400, 64


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one document. cpu_us: by group of processes."""

    document_bytes: float
    network_bytes: float
    entries: float
    material_bytes: float
    commits: float
    cpu_us: Mapping[str, float]


@click.command()
def main() -> None:
    """Prints the figures as they stand in measured.toml."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        world = build_world(folder / "world")
        with running_daemon(world.config()) as daemon, world.channel(daemon.port) as channel:
            costs = {name: _cost(world, daemon, channel, _documents(folder, name), wanted) for name, wanted in _PLANS.items()}
            _print_costs(costs)
            _print_tables(world.folder / "journal.db")
    click.echo("[postgresql]")
    wal_bytes, commits = asyncio.run(_postgresql(round(costs["pades-b-b"].material_bytes)))
    click.echo(f"wal_bytes = {wal_bytes:.0f}\ncommits_of_64 = {commits:.3f}")


def _documents(folder: Path, profile: str) -> dict[str, bytes]:
    is_xml = profile in {"xades-b-b", "ministry-xml"}
    made = records(folder, _DOCUMENTS) if is_xml else plain_documents(folder, _DOCUMENTS)
    return {path.name: path.read_bytes() for path in sorted(made.iterdir())}


def _cost(world: World, daemon: Running, channel: grpc.Channel, documents: Mapping[str, bytes], wanted: plan_pb2.SigningPlan) -> Cost:
    _batch(channel, documents, wanted)  # once for whatever is made once
    before, commits = _figures(world), metric(daemon.metrics_port(), "signer_journal_commits_total")
    groups = daemon_groups(daemon.process.pid)
    spent = {name: cpu_s(pids) for name, pids in groups.items()}
    traffic = sum(_batch(channel, documents, wanted) for _ in range(_ROUNDS))
    cpu_us = {name: 1e6 * (cpu_s(pids) - spent[name]) / _DOCUMENTS / _ROUNDS for name, pids in groups.items()}
    after, made = _figures(world), _DOCUMENTS * _ROUNDS
    return Cost(
        document_bytes=sum(map(len, documents.values())) / _DOCUMENTS,
        network_bytes=traffic / made,
        entries=(after[0] - before[0]) / made,
        material_bytes=(after[1] - before[1]) / made,
        commits=(metric(daemon.metrics_port(), "signer_journal_commits_total") - commits) / made,
        cpu_us=cpu_us,
    )


def _batch(channel: grpc.Channel, documents: Mapping[str, bytes], wanted: plan_pb2.SigningPlan) -> int:
    """Signs them as one batch; bytes of all messages, without what TLS and HTTP/2 add."""
    names = list(documents)
    parts = [{name: documents[name] for name in names[at : at + _LOT]} for at in range(0, len(names), _LOT)]
    messages = [Request(header=header(request_id=fresh_id(), plan=wanted)), *(lot(part) for part in parts)]
    stub, sent = signing_pb2_grpc.SigningServiceStub(channel), sum(message.ByteSize() for message in messages)
    signed = 0
    for message in stub.BatchSignDocuments(iter(messages), timeout=300):
        sent += message.ByteSize()
        if message.HasField("summary"):
            signed = message.summary.signed
    if signed != len(documents):
        raise click.ClickException(f"{len(documents) - signed} documents were not signed")
    return sent


def _figures(world: World) -> tuple[int, int]:
    with _database(world.folder / "journal.db") as database:
        entries = database.execute("SELECT max(entry_index) + 1 FROM journal_entry").fetchone()[0]
        return entries, database.execute("SELECT coalesce(sum(length(content)), 0) FROM material").fetchone()[0]


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as database:
        yield database


def _print_costs(costs: Mapping[str, Cost]) -> None:
    base = costs["pades-b-b"].cpu_us
    for name, cost in costs.items():
        click.echo(f"[formats.{name}]")
        for key in ("document_bytes", "network_bytes", "entries", "material_bytes", "commits"):
            click.echo(f"{key} = {getattr(cost, key):.3g}" if key == "commits" else f"{key} = {getattr(cost, key):.1f}")
        for group, spent in cost.cpu_us.items():
            click.echo(f"{group}_cpu = {spent / base[group]:.2f}  # {spent:.0f} us here")


def _print_tables(path: Path) -> None:
    with _database(path) as database:
        click.echo("[sqlite]")
        for table, rows in (("journal_entry", "entry_index"), ("signature", "document_id")):
            count = database.execute(f"SELECT count({rows}) FROM {table}").fetchone()[0]  # noqa: S608  # names of this line
            used = database.execute("SELECT sum(pgsize) FROM dbstat WHERE name = ?", (table,)).fetchone()[0]
            click.echo(f"{table}_bytes = {used / count:.0f}")


async def _postgresql(material_bytes: int) -> tuple[float, float]:
    """Bytes of write-ahead log a signature, and commits for 64, intent and outcome apart."""
    commits = 0

    def count(_entries: int, _seconds: float) -> None:
        nonlocal commits
        commits += 1

    with postgres.cluster() as cluster:
        journal = Journal(cluster.database().url, on_commit=count)
        await journal.start()
        digest = sha256(b"x").digest()
        await _sign(journal, "warm", _PG_CALL, material_bytes, digest)
        before, commits = cluster.sql("SELECT pg_current_wal_lsn()"), 0
        for number in range(_PG_SIGNATURES // _PG_CALL):
            await _sign(journal, f"batch-{number}", _PG_CALL, material_bytes, digest)
        wal = float(cluster.sql(f"SELECT pg_current_wal_lsn() - '{before}'::pg_lsn"))
        await journal.stop()
    return wal / _PG_SIGNATURES, commits / (_PG_SIGNATURES / _PG_CALL)


async def _sign(journal: Journal, request: str, count: int, material_bytes: int, digest: bytes) -> None:
    keys = [SignatureKey("79000001", request, f"1A-{number:02d}.pdf") for number in range(count)]
    algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256
    await journal.intend([Intent(key, digest, "vnedu", "principal", "5a3b2c1d00998877", algorithm, digest, "pades/b-b") for key in keys])
    await journal.settle([Outcome(key, 1, OutcomeKind.RELEASED, secrets.token_bytes(material_bytes), digest) for key in keys])


if __name__ == "__main__":
    main()
