from __future__ import annotations

from pathlib import Path

import pytest

from signer.config import load
from signer.errors import ConfigError

SERVER = '[server]\ntls_certificate = "f.pem"\ntls_private_key = "f.pem"\ntls_client_ca = "f.pem"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "f.pem").touch(0o600)
    return tmp_path / "signer.toml"


def tsa(name: str = "near", url: str = "http://tsa.example/", more: str = "") -> str:
    return f'[[stamping.servers]]\nname = "{name}"\nurl = "{url}"\nca_files = ["f.pem"]\n{more}\n'


def problems(file: Path, text: str) -> str:
    file.write_text(SERVER + text)
    with pytest.raises(ConfigError) as refusal:
        load(file)
    return refusal.value.message


def test_authorities_are_read_in_the_order_of_the_file_with_absolute_paths(file: Path) -> None:
    secrets = 'basic_user = "school"\nbasic_password = "file:secret"'
    file.write_text(SERVER + "[stamping]\npatience_s = 5\n" + tsa() + tsa("far", "https://tsa.example:8443/x?y=z", secrets))
    stamping = load(file).stamping
    assert [server.name for server in stamping.servers] == ["near", "far"]
    assert stamping.servers[0].ca_files == (file.parent / "f.pem",)
    assert str(stamping.servers[1].basic_password) == f"file:{file.parent / 'secret'}"
    assert stamping.patience_s == 5


def test_without_a_section_nobody_outside_is_asked(file: Path) -> None:
    file.write_text(SERVER)
    assert load(file).stamping.servers == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (tsa() * 2, "stamping.servers[near].name: is given 2 times"),
        (tsa(url="ftp://tsa.example/"), "stamping.servers[near].url: expected http://host"),
        (tsa(url="http:///path"), "expected http://host"),
        (tsa(url="http://tsa.example:port/"), "expected http://host"),
        (tsa().replace('["f.pem"]', "[]"), "stamping.servers[near].ca_files"),
        (tsa().replace("f.pem", "g.pem"), "stamping.servers[near].ca_files[0]: no such file"),
        (tsa(more='policy_oids = ["not an oid"]'), "stamping.servers[near].policy_oids"),
        (tsa(more='request_policy_oid = "x"'), "stamping.servers[near].request_policy_oid"),
        (tsa(more='basic_user = "school"'), "give basic_user and basic_password together"),
        (tsa(more='basic_password = "env:P"'), "give basic_user and basic_password together"),
        (tsa(more='bearer_token = "env:P"'), "url: must be https"),
        (
            tsa(url="https://tsa.example/", more='basic_user = "school"\nbasic_password = "env:P"\nbearer_token = "env:Q"'),
            "give basic_user or bearer_token, not both",
        ),
        (tsa(more='tls_client_key = "f.pem"'), "give tls_client_certificate and tls_client_key together"),
        (tsa(more="timeout_s = 0"), "stamping.servers[near].timeout_s: must be above 0"),
    ],
)
def test_what_would_not_work_is_refused_with_its_place(file: Path, text: str, said: str) -> None:
    assert said in problems(file, text)


@pytest.mark.parametrize(
    "text",
    [
        tsa(url="https://school:Xk29-hidden@tsa.example/"),
        tsa(url="https://tsa.example/", more='bearer_token = "Xk29-hidden"'),
        tsa(url="https://tsa.example/", more='basic_user = "school"\nbasic_password = "Xk29-hidden"'),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(file: Path, text: str) -> None:
    assert "Xk29-hidden" not in problems(file, text)
