from __future__ import annotations

from pathlib import Path

import pytest

from signer.config import advise, load
from signer.errors import ConfigError

SERVER = '[server]\ntls_certificate = "f.pem"\ntls_private_key = "f.pem"\ntls_client_ca = "f.pem"\n'


def written(folder: Path, origin: str = "https://ky.example:8444", tls: str = "f.pem", more: str = "") -> Path:
    (folder / "f.pem").touch(0o600)
    file = folder / "signer.toml"
    page = f'[pages]\nlisten = "0.0.0.0:8444"\norigin = "{origin}"\ntls_certificate = "{tls}"\ntls_private_key = "{tls}"\n'
    file.write_text(SERVER + page + more, encoding="utf-8")
    return file


def test_there_is_no_page_unless_the_file_says_so(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.write_text(SERVER, encoding="utf-8")
    assert load(file).pages is None


def test_passkeys_are_of_the_origins_name(tmp_path: Path) -> None:
    pages = load(written(tmp_path)).pages
    assert pages is not None
    assert (pages.name, pages.tls_certificate) == ("ky.example", tmp_path / "f.pem")


@pytest.mark.parametrize(
    "origin",
    [
        "http://ky.example",
        "https://",
        "https://ky.example/",
        "https://Ky.example",
        "https://a@ky.example",
        "ky.example",
        "https://ky.example?x",
    ],
)
def test_an_origin_is_what_a_browser_shows_of_it(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(written(tmp_path, origin))
    assert "pages.origin" in str(refusal.value)


def test_files_that_are_not_there_and_sessions_without_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(written(tmp_path, tls="gone.pem", more="idle_minutes = 0\nsession_hours = 100\n"))
    for key in ("pages.idle_minutes", "pages.session_hours"):
        assert key in str(refusal.value)
    with pytest.raises(ConfigError) as refusal:
        load(written(tmp_path, tls="gone.pem"))
    assert "pages.tls_certificate: no such file" in str(refusal.value)


def test_a_private_key_that_others_may_read_is_told(tmp_path: Path) -> None:
    file = written(tmp_path)
    (tmp_path / "f.pem").chmod(0o644)
    assert "pages.tls_private_key" in [problem.key for problem in advise(load(file))]
