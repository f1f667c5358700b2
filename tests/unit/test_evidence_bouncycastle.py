"""BouncyCastle (1.70 and later) reads what we write. Needs Java and Debian's libbcpkix-java; skipped without."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from signer.formats.evidence import EvidenceRecord
from tests.unit.test_evidence_renewal import DOCUMENTS, FIRST, YEAR, by_hash_tree, by_timestamp, fresh

JUDGE = Path(__file__).parents[1] / "support" / "BouncyCastleErs.java"
JARS = [Path("/usr/share/java") / f"{name}.jar" for name in ("bcpkix", "bcprov", "bcutil")]
pytestmark = pytest.mark.skipif(
    shutil.which("javac") is None or not all(jar.exists() for jar in JARS), reason="needs a JDK and libbcpkix-java"
)


def verdicts(folder: Path, questions: list[tuple[EvidenceRecord, list[bytes]]]) -> list[str]:
    lines = []
    for number, (record, documents) in enumerate(questions):
        files = [folder / f"{number}.er", *(folder / f"{number}-{place}" for place in range(len(documents)))]
        for file, content in zip(files, [record.encoded(), *documents], strict=True):
            file.write_bytes(content)
        lines.append("\t".join(map(str, files)))
    (folder / "questions").write_text("\n".join(lines))
    command = ["java", "-cp", ":".join(map(str, JARS)), str(JUDGE), str(folder / "questions")]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()


def test_bouncycastle_accepts_fresh_and_renewed_records_and_refuses_other_documents(tmp_path: Path) -> None:
    histories = [fresh()]
    for renew in (by_timestamp, by_timestamp, by_hash_tree, by_timestamp, by_timestamp, by_hash_tree):
        histories.append(renew(histories[-1], FIRST + len(histories) * (YEAR - timedelta(days=1))))
    subjects = [*([document] for document in DOCUMENTS), DOCUMENTS]
    good = [(record, documents) for records in histories for record, documents in zip(records, subjects, strict=True)]
    bad = [(records[0], [DOCUMENTS[4]]) for records in histories if len(records[0].chains[-1]) == 1]
    found = verdicts(tmp_path, good + bad)
    assert found[: len(good)] == ["OK"] * len(good)
    assert len(found) == len(good) + len(bad) >= 44
    assert all("object hash not found" in verdict for verdict in found[len(good) :])
