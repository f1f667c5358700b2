import os
import subprocess
from pathlib import Path

from prometheus_client import CollectorRegistry

from signer.server.vitals import Vitals, process_figures
from signer.telemetry.metrics import Metrics


def stat_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/stat").read_bytes()


def test_a_process_is_seen_with_what_it_used() -> None:
    figures = process_figures(stat_of(os.getpid()))
    assert figures is not None
    assert figures.cpu_s > 0
    assert 1_000_000 < figures.resident_bytes < 100_000_000_000


def test_a_name_with_spaces_and_brackets_does_not_shift_the_figures(tmp_path: Path) -> None:
    """proc(5): the command's name stands in brackets and may hold any character."""
    odd = tmp_path / "a) R 1 (b"
    odd.symlink_to("/bin/cat")
    with subprocess.Popen([odd], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        os.write(process.stdin.fileno(), b"up")
        os.read(process.stdout.fileno(), 2)  # so it has begun: between fork and exec it is still us, or nothing yet
        figures = process_figures(stat_of(process.pid))
        process.kill()
    assert figures is not None
    assert figures.cpu_s < 5
    assert 0 < figures.resident_bytes < 1_000_000_000


def test_a_process_that_has_gone_is_none() -> None:
    assert process_figures(b"") is None


def test_the_journal_and_its_disk_are_measured(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    (tmp_path / "journal.db").write_bytes(bytes(1000))
    (tmp_path / "journal.db-wal").write_bytes(bytes(500))
    Vitals(Metrics.on(registry), {}, tmp_path / "journal.db").look()
    assert registry.get_sample_value("signer_journal_size_bytes") == 1500
    free, total = (registry.get_sample_value(f"signer_journal_disk_{name}") for name in ("free_bytes", "bytes"))
    assert free is not None
    assert total is not None
    assert 0 < free <= total


def test_a_journal_that_is_not_there_stops_nothing(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Vitals(Metrics.on(registry), {}, tmp_path / "journal.db").look()
    assert registry.get_sample_value("signer_journal_size_bytes") == 0
