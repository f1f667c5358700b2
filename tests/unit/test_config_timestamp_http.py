from __future__ import annotations

from pathlib import Path

import pytest

from signer.config import advise, load
from signer.errors import ConfigError

SERVER = '[server]\ntls_certificate = "f.pem"\ntls_private_key = "f.pem"\ntls_client_ca = "f.pem"\n'
TOKEN = '[[tokens]]\nname = "main"\nmodule = "f.pem"\npin = "env:PIN"\nlabel = "x"\n'
CREDENTIAL = '[[credentials]]\nid = "tsa"\ntoken = "main"\nkey_label = "tsa"\n'
TIMESTAMP = '[timestamp]\ncredential = "tsa"\npolicy_oid = "1.2.3"\nclock = { guard = "unguarded" }\n'
TLS = 'tls_certificate = "f.pem"\ntls_private_key = "f.pem"'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "f.pem").touch(0o600)
    return tmp_path / "signer.toml"


def written(file: Path, more: str, listen: str = "0.0.0.0:3161") -> Path:
    file.write_text(f'{SERVER}{TOKEN}{CREDENTIAL}{TIMESTAMP}[timestamp.http]\nlisten = "{listen}"\n{more}\n', encoding="utf-8")
    return file


def test_nobody_is_served_over_http_unless_the_file_says_so(file: Path) -> None:
    file.write_text(SERVER + TOKEN + CREDENTIAL + TIMESTAMP, encoding="utf-8")
    timestamp = load(file).timestamp
    assert timestamp is not None
    assert timestamp.http is None


def test_paths_are_made_absolute_and_secrets_stay_references(file: Path) -> None:
    timestamp = load(written(file, f'{TLS}\nbasic_user = "school"\nbasic_password = "file:secret"')).timestamp
    assert timestamp is not None
    assert timestamp.http is not None
    assert timestamp.http.tls_certificate == file.parent / "f.pem"
    assert str(timestamp.http.basic_password) == f"file:{file.parent / 'secret'}"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('path = "tsa"', "timestamp.http.path"),
        ('path = "/t s a"', "timestamp.http.path"),
        ("request_bytes_max = 1", "timestamp.http.request_bytes_max: must be 256 to 65536"),
        ("idle_s = 0", "timestamp.http.idle_s"),
        ('tls_certificate = "f.pem"', "give tls_certificate and tls_private_key together"),
        (TLS.replace("f.pem", "g.pem"), "timestamp.http.tls_certificate: no such file"),
        ('tls_client_ca = "f.pem"', "timestamp.http.tls_client_ca: needs tls_certificate"),
        (f'{TLS}\nbasic_user = "school"', "give basic_user and basic_password together"),
        (f'{TLS}\nbasic_user = "a:b"\nbasic_password = "env:P"', "timestamp.http.basic_user"),
        ('bearer_token = "env:P"', "timestamp.http: needs tls_certificate"),
        ('bearer_token = "Xk29-hidden"', "timestamp.http.bearer_token"),
    ],
)
def test_what_would_not_work_is_refused_with_its_place(file: Path, more: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(written(file, more))
    assert said in refusal.value.message
    assert "Xk29-hidden" not in refusal.value.message


@pytest.mark.parametrize("listen", ["127.0.0.1:3161", "[::1]:3161", "localhost:3161"])
def test_a_secret_needs_no_tls_where_it_crosses_no_network(file: Path, listen: str) -> None:
    assert load(written(file, 'bearer_token = "env:P"', listen)).timestamp is not None


def test_a_private_key_that_others_may_read_is_told(file: Path) -> None:
    (file.parent / "open.pem").touch(0o644)
    config = load(written(file, 'tls_certificate = "f.pem"\ntls_private_key = "open.pem"'))
    assert [problem for problem in map(str, advise(config)) if problem.startswith("timestamp.http.tls_private_key: others may read")]


@pytest.mark.parametrize(
    ("more", "listen", "is_advised"),
    [
        ("", "0.0.0.0:3161", True),
        ("", "127.0.0.1:3161", False),
        ("address_per_second_max = 5.0", "0.0.0.0:3161", False),
        (f'{TLS}\nbearer_token = "env:P"', "0.0.0.0:3161", False),
        (TLS, "0.0.0.0:3161", True),
    ],
)
def test_a_door_open_to_everybody_without_a_limit_is_told(file: Path, more: str, listen: str, is_advised: bool) -> None:
    told = [problem for problem in map(str, advise(load(written(file, more, listen)))) if "whoever reaches it" in problem]
    assert bool(told) is is_advised
