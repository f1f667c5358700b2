from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.daemon import SCHOOL, Running, World
from tests.support.pdfs import VARIANTS

ROOT = Path(__file__).parents[2]


def test_the_call_of_the_readme_signs_a_class(
    world: World, daemon: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run as printed, but for the host's name, the credential's id and the files' places."""
    (sample,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("class-1A").mkdir()
    Path("signed").mkdir()
    for index, make in enumerate(list(VARIANTS.values())[:3]):
        Path("class-1A", f"{index}.pdf").write_bytes(make(index))
    Path("class-1A", "broken.pdf").write_bytes(b"no PDF at all")
    for name, source in (("ca.crt", "tls-ca.crt"), ("client.crt", "school.crt"), ("client.key", "school.key")):
        Path(name).write_bytes((world.pki / source).read_bytes())
    sample = sample.replace("signer.example:8443", f"localhost:{daemon.port}").replace("79000001", SCHOOL).replace('"principal"', '"cbql"')

    exec(compile(sample, "README.md", "exec"), {})  # noqa: S102 - the README is ours

    signed = {path.name: path.read_bytes() for path in Path("signed").iterdir()}
    assert set(signed) == {"0.pdf", "1.pdf", "2.pdf"}
    assert all(b"/ETSI.CAdES.detached" in content for content in signed.values())
    assert "broken.pdf DOCUMENT_NOT_PDF" in capsys.readouterr().out
