"""The journal as an auditor sees it: proven by checkpoints and RFC 9162 proofs, with the real daemon, its real database and openssl."""

from __future__ import annotations

import gzip
import json
import secrets
import sqlite3
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from signer.cli import main
from signer.client import SignerClient
from signer.client.audit import AuditClient, JournalCheckpoint, JournalEntry, JournalFilter
from signer.errors import EntryArchived, InvalidArgument, JournalDamaged, MethodNotAllowed, RoleRefused, VerificationFailed
from signer.formats.checkpoint import Checkpoint, SignedCheckpoint, read_note, read_notes
from signer.formats.merkle import leaf_hash, require_included, root_of
from tests.support.calls import operations_call, sign_digests
from tests.support.daemon import SCHOOL, Running, World, running_daemon
from tests.support.waiting import until
from tests.support.worlds import copy_of

ORIGIN = "signer.test/journal"
JOURNAL_KEY = {"id": "journal", "token": "school-token", "key_label": "ec", "school": ""}


@dataclass(frozen=True)
class Desk:
    """An auditor's."""

    world: World
    running: Running
    notes: Path
    client: SignerClient

    @property
    def audit(self) -> AuditClient:
        return self.client.audit

    @property
    def archive(self) -> Path:
        return self.world.folder / "archive"

    def sign(self, request_id: str, count: int = 3) -> None:
        with self.world.channel(self.running.port) as channel:
            digests = {f"pupil-{number}": secrets.token_bytes(32) for number in range(count)}
            sign_digests(channel, digests, request_id=request_id, credential_id="cbql")


def client(world: World, running: Running, name: str) -> SignerClient:
    certificate, key = world.pki / f"{name}.crt", world.pki / f"{name}.key"
    return SignerClient(f"localhost:{running.port}", ca=world.pki / "tls-ca.crt", certificate=certificate, key=key)


@pytest.fixture(scope="module")
def desk(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    world = copy_of(pristine_world, tmp_path_factory.mktemp("audit") / "it")
    notes = world.folder / "notes.txt"
    checkpoints = {"credential": "journal", "origin": ORIGIN, "interval_s": 1, "file": "notes.txt"}
    (world.folder / "archive").mkdir()
    archive = {"directory": "archive", "keep_days": 0, "segment_entries": 256}
    config = world.config(
        journal={"url": "sqlite:///journal.db", "checkpoints": checkpoints, "archive": archive},
        credentials=[JOURNAL_KEY],
        clients=[{"id": "auditor", "common_name": "unlisted", "kind": "auditor"}],
    )
    with running_daemon(config) as running, client(world, running, "unlisted") as auditor:
        yield Desk(world, running, notes, auditor)


def test_every_entry_is_in_the_root_that_a_checkpoint_signs(desk: Desk) -> None:
    desk.sign("everything")
    made = desk.audit.checkpoint(make=True)
    *entries, covering = list(desk.audit.export())
    assert isinstance(covering, JournalCheckpoint | JournalEntry)
    leaves = [leaf_hash(entry.canonical) for entry in [*entries, covering] if isinstance(entry, JournalEntry)]
    assert root_of(leaves[: made.checkpoint.size]) == made.checkpoint.root
    assert made.checkpoint.origin == ORIGIN


def test_an_operator_is_told_the_age_of_the_last_checkpoint(desk: Desk) -> None:
    desk.audit.checkpoint(make=True)
    with desk.world.channel(desk.running.port, "operator") as operator:
        told = operations_call(operator, "GetStatus")
    assert told.HasField("checkpoint_age")
    assert told.checkpoint_age.ToTimedelta() >= timedelta(0)


def test_openssl_accepts_a_checkpoint_and_refuses_one_whose_root_was_changed(desk: Desk, tmp_path: Path) -> None:
    kept = read_note(desk.audit.checkpoint(make=True).note)
    (tmp_path / "cms").write_bytes(kept.cms)

    def judged(checkpoint: Checkpoint) -> int:
        (tmp_path / "text").write_text(checkpoint.text, encoding="utf-8")
        files = ["-in", "cms", "-content", "text", "-CAfile", str(desk.world.root_file)]
        command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", *files, "-purpose", "any", "-out", "/dev/null"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode

    assert judged(kept.checkpoint) == 0
    assert judged(Checkpoint(ORIGIN, kept.checkpoint.size, bytes(32))) != 0


def test_checkpoints_are_made_as_the_log_grows_and_not_for_their_own_entries(desk: Desk) -> None:
    desk.sign("growth")
    size = max(entry.index for entry in desk.audit.entries(JournalFilter(request_id="growth"))) + 1
    until(lambda: desk.audit.checkpoint().checkpoint.size >= size, "a checkpoint that covers them")
    told = desk.audit.watch()
    latest = next(told)
    desk.sign("more-growth")
    following = next(told)
    assert following.checkpoint.size > latest.checkpoint.size
    written = read_notes(desk.notes.read_text(encoding="utf-8"))
    assert {each.checkpoint.size for each in written} >= {latest.checkpoint.size, following.checkpoint.size}
    assert len({each.checkpoint.size for each in written}) == len(written)


def test_an_entry_is_proven_to_stand_where_it_says(desk: Desk) -> None:
    desk.sign("proven")
    wanted = JournalFilter(request_id="proven", kinds=("SIGNED",))
    (first, *_rest) = list(desk.audit.entries(wanted))
    proof = desk.audit.prove(first.index)
    assert proof.entry == first
    assert (first.school_id, first.kind) == (SCHOOL, "SIGNED")
    assert proof.covered_by.checkpoint.size > first.index


def test_a_checkpoint_kept_elsewhere_holds_as_the_log_grows_and_another_past_is_found_out(desk: Desk) -> None:
    kept = desk.audit.checkpoint(make=True)
    desk.sign("later")
    desk.audit.checkpoint(make=True)
    assert desk.audit.require_consistent(kept.note).checkpoint.size > kept.checkpoint.size
    signed = read_note(kept.note)
    forged = SignedCheckpoint(Checkpoint(ORIGIN, kept.checkpoint.size, bytes(32)), signed.key_id, signed.cms)
    with pytest.raises(VerificationFailed):
        desk.audit.require_consistent(forged.note)
    with pytest.raises(JournalDamaged):
        list(desk.audit.verify(forged.note))
    (*_progress, read) = list(desk.audit.verify(kept.note))
    assert read.checked == read.total > kept.checkpoint.size
    longer = SignedCheckpoint(Checkpoint(ORIGIN, kept.checkpoint.size + 10**6, kept.checkpoint.root), signed.key_id, signed.cms)
    with pytest.raises(VerificationFailed, match="was cut"):
        desk.audit.require_consistent(longer.note)


def test_every_key_use_is_accounted_for(desk: Desk) -> None:
    desk.sign("accounted", count=5)
    everything, *each = desk.audit.account(JournalFilter(request_id="accounted"))
    assert (everything.intents, everything.signed, everything.failed, everything.unknown, everything.open) == (5, 5, 0, 0, 0)
    assert [one.credential_id for one in each] == ["cbql"]
    of_all, *_ = desk.audit.account()
    assert of_all.intents == of_all.signed + of_all.failed + of_all.unknown + of_all.open > 5


def test_entries_are_found_by_what_they_say_in_either_direction(desk: Desk) -> None:
    desk.sign("found", count=4)
    forth = list(desk.audit.entries(JournalFilter(request_id="found")))
    assert [entry.kind for entry in forth] == ["INTENT"] * 4 + ["SIGNED"] * 4
    assert list(desk.audit.entries(JournalFilter(request_id="found"), newest_first=True)) == forth[::-1]
    assert {entry.credential_id for entry in desk.audit.entries(JournalFilter(credential_id="journal"))} == {"journal"}
    assert {entry.kind for entry in desk.audit.entries(JournalFilter(kinds=("DAEMON",)))} == {"DAEMON"}
    assert not list(desk.audit.entries(JournalFilter(school_id="79999999")))


def signer(desk: Desk, *arguments: str, client: str = "unlisted") -> Result:
    pki = desk.world.pki
    given = ["--server", f"localhost:{desk.running.port}", "--ca", f"{pki}/tls-ca.crt", "--cert", f"{pki}/{client}.crt"]
    return CliRunner().invoke(main, ["audit", *arguments, *given, "--key", f"{pki}/{client}.key", "--lang", "en"])


def test_an_auditor_keeps_checkpoints_and_proves_the_journal_on_the_command_line(desk: Desk, tmp_path: Path) -> None:
    desk.sign("by-hand", count=2)
    notes, trust = tmp_path / "kept.note", str(desk.world.root_file)
    assert signer(desk, "checkpoint", "--make", "--save", str(notes)).exit_code == 0
    desk.sign("by-hand-later", count=2)
    verified = signer(desk, "verify", "--witness", str(notes), "--trust", trust)
    assert (verified.exit_code, "the journal holds" in verified.stdout) == (0, True), verified.stderr
    assert "signed by" in verified.stderr
    stranger = signer(desk, "verify", "--witness", str(notes), "--trust", str(desk.world.pki / "tls-ca.crt"))
    assert (stranger.exit_code, "does not hold" in stranger.stderr) == (1, True), stranger.stderr
    assert signer(desk, "checkpoint", "--make").exit_code == 0
    assert signer(desk, "watch", str(notes), "--once").exit_code == 0
    assert len({each.checkpoint.size for each in read_notes(notes.read_text(encoding="utf-8"))}) > 1
    listed = json.loads(signer(desk, "list", "--request", "by-hand", "--kind", "signed", "--json").stdout)["entries"]
    assert [entry["kind"] for entry in listed] == ["SIGNED"] * 2
    proof = tmp_path / "proof.json"
    assert signer(desk, "prove", str(listed[0]["index"]), "--save", str(proof), "--trust", trust).exit_code == 0
    told = json.loads(proof.read_text(encoding="utf-8"))
    root = read_note(told["checkpoint"]).checkpoint.root
    path = [b64decode(each) for each in told["path"]]
    require_included(leaf_hash(told["entry"].encode()), told["index"], told["tree_size"], path, root)
    exported = tmp_path / "journal.jsonl"
    assert signer(desk, "export", str(exported)).exit_code == 0
    leaves = [leaf_hash(line) for line in exported.read_bytes().splitlines()]
    covering = read_note((tmp_path / "journal.jsonl.note").read_text(encoding="utf-8")).checkpoint
    assert root_of(leaves[: covering.size]) == covering.root
    assert "cbql" in signer(desk, "account").stdout
    assert signer(desk, "list", client="school").exit_code == 4


def test_only_who_may_audit_reads_the_journal(desk: Desk) -> None:
    with client(desk.world, desk.running, "school") as school, pytest.raises(MethodNotAllowed):
        list(school.audit.entries())
    with pytest.raises(InvalidArgument):
        desk.audit.require_consistent("no note")


def test_old_entries_are_moved_into_files_and_everything_is_answered_as_before(desk: Desk) -> None:
    desk.sign("archived", count=150)
    kept = desk.audit.checkpoint(make=True)
    before, account = (
        list(desk.audit.entries(JournalFilter(request_id="archived"))),
        desk.audit.account(JournalFilter(request_id="archived")),
    )
    assert signer(desk, "archive").exit_code == 4
    with pytest.raises(RoleRefused):
        list(desk.audit.archive())
    done = json.loads(signer(desk, "archive", "--json", client="operator").stdout)["archived"]
    assert [each["first"] for each in done] == list(range(0, len(done) * 256, 256))
    assert len(done) > 0
    with sqlite3.connect(desk.world.folder / "journal.db") as database:
        assert database.execute("SELECT min(entry_index) FROM journal_entry").fetchone() == (len(done) * 256,)
    assert list(desk.audit.entries(JournalFilter(request_id="archived"))) == before
    assert desk.audit.account(JournalFilter(request_id="archived")) == account
    assert desk.audit.prove(0).covered_by.checkpoint.size > 0
    assert {each.state for each in desk.client.signature_states(SCHOOL, "archived")} == {"SIGNED"}
    listed = {each["file"]: each for each in json.loads(signer(desk, "segments", "--json").stdout)["segments"] if each["file"]}
    assert list(listed) == sorted(path.name for path in desk.archive.iterdir())
    verified = json.loads(signer(desk, "verify", "--witness", str(desk.notes), "--json").stdout)
    assert (verified["archived"], verified["missing_files"]) == (len(done) * 256, [])
    assert desk.audit.require_consistent(kept.note).checkpoint.size >= kept.checkpoint.size


def findings(desk: Desk) -> list[dict[str, str]]:
    """What `signer doctor` has from the daemon."""
    pki, where = desk.world.pki, f"localhost:{desk.running.port}"
    files = ["--ca", str(pki / "tls-ca.crt"), "--cert", str(pki / "operator.crt"), "--key", str(pki / "operator.key")]
    ran = CliRunner().invoke(main, ["doctor", "--server", where, *files, "--json", "--lang", "en"])
    found: list[dict[str, str]] = json.loads(ran.stdout)["findings"]
    return found


def test_an_archive_file_is_read_without_a_daemon_and_one_that_is_away_or_changed_is_named(desk: Desk, tmp_path: Path) -> None:
    file = min(desk.archive.iterdir())
    read = CliRunner().invoke(main, ["audit", "read", str(file), "--lines", "--lang", "en"])
    assert [json.loads(line)["index"] for line in read.stdout.splitlines()] == list(range(256))
    away = tmp_path / file.name
    file.rename(away)
    told = signer(desk, "verify")
    assert (told.exit_code, file.name in told.stderr) == (1, True)
    [missing] = [each for each in findings(desk) if each["check"] == "archive" and each["severity"] == "warn"]
    assert file.name in missing["message"]
    assert "[journal.archive]" in missing["remedy"]
    with pytest.raises(EntryArchived) as refused:
        desk.audit.prove(3)
    assert refused.value.metadata["file"] == file.name
    lines = gzip.decompress(away.read_bytes())
    file.write_bytes(gzip.compress(lines.replace(b'"kind":"intent"', b'"kind":"failed"', 1)))
    assert CliRunner().invoke(main, ["audit", "read", str(file), "--lang", "en"]).exit_code == 6
    with pytest.raises(JournalDamaged) as damaged:
        list(desk.audit.verify())
    assert damaged.value.metadata["file"] == file.name
    away.replace(file)
    assert signer(desk, "verify").exit_code == 0


def test_a_journal_that_was_changed_behind_the_daemon_is_told_by_its_entry(desk: Desk) -> None:
    desk.sign("spoiled")
    (spoiled, *_rest) = [entry.index for entry in desk.audit.entries(JournalFilter(request_id="spoiled"))]
    with sqlite3.connect(desk.world.folder / "journal.db") as database:
        database.execute("DROP TRIGGER journal_entry_no_update")
        database.execute(
            "UPDATE journal_entry SET body = CAST(replace(body, 'spoiled', 'mended!') AS BLOB) WHERE entry_index = ?", (spoiled,)
        )
    with pytest.raises(JournalDamaged) as raised:
        list(desk.audit.verify())
    assert raised.value.metadata["index"] == str(spoiled)
    with pytest.raises(VerificationFailed):
        desk.audit.prove(spoiled)
