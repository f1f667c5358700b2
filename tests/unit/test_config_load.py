import shutil
from dataclasses import FrozenInstanceError
from pathlib import Path
from urllib.parse import quote

import pytest

from signer.algorithms import DigestAlgorithm
from signer.config import Config, advise, load
from signer.errors import ConfigError
from signer.secrets import PinReference
from signer.telemetry.settings import LogLevel
from tests.support import pki

ROOT = Path(__file__).resolve().parents[2]
FINGERPRINT_WANTED = "expected 64 hex digits (colons allowed), as `openssl x509 -noout -fingerprint -sha256` prints"
PIN = "1f6b-hunter2-9c"

SERVER = """
[server]
tls_certificate = "tls/server.pem"
tls_private_key = "tls/server.key"
tls_client_ca = "tls/clients-ca.pem"
"""
TOKEN = """
[[tokens]]
name = "school-1"
module = "module.so"
label = "school 1"
pin = "file:pin"
"""
CREDENTIAL = """
[[credentials]]
id = "seal"
token = "school-1"
key_id = "01:AF"
school = "79000123"
"""
CLIENT = """
[[clients]]
id = "vnedu"
common_name = "vnedu.example"
schools = ["79000123"]
"""
TIMESTAMP = """
[timestamp]
credential = "seal"
policy_oid = "1.3.6.1.4.1.99999.1"
clock = { guard = "unguarded" }
"""
TRUST = """
[trust]
ca_files = ["trust/g2.pem"]
"""
WHOLE = SERVER + TRUST + TOKEN + CREDENTIAL + CLIENT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration folder with the files that configurations here name."""
    (tmp_path / "tls").mkdir()
    (tmp_path / "trust").mkdir()
    for name in ("tls/server.pem", "tls/server.key", "tls/clients-ca.pem", "module.so"):
        (tmp_path / name).touch(0o600)
    (tmp_path / "trust/g2.pem").write_bytes(pki.root().pem)
    return tmp_path


def loaded(folder: Path, text: str) -> Config:
    file = folder / "signer.toml"
    file.write_text(text)
    return load(file)


def refused(folder: Path, text: str) -> list[str]:
    """The lines of the refusal, each checked to begin with the file's name, which is cut off."""
    with pytest.raises(ConfigError) as refusal:
        loaded(folder, text)
    lines = refusal.value.message.splitlines()
    head = f"{folder / 'signer.toml'}:"
    assert all(line.startswith(head) for line in lines)
    return [line.removeprefix(head).strip() for line in lines]


def test_a_minimal_file_gives_every_default_and_absolute_paths(folder: Path) -> None:
    config = loaded(folder, WHOLE)
    assert config.server.listen == "127.0.0.1:8443"
    assert config.server.tls_certificate == folder / "tls/server.pem"
    assert config.server.limits.document_bytes_max == 20 * 1024 * 1024
    assert config.metrics.listen == "127.0.0.1:9464"
    assert config.log.level is LogLevel.INFO
    assert config.tokens[0].module == folder / "module.so"
    assert config.tokens[0].pin == PinReference.parse(f"file:{folder}/pin")
    assert config.credentials[0].key_id == "01af"
    assert config.timestamp is None
    assert advise(config) == []


def test_relative_paths_do_not_depend_on_the_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "signer.toml").write_text(WHOLE + '[journal]\nurl = "sqlite:///journal.db"\n')
    monkeypatch.chdir(folder)
    config = load("signer.toml")
    assert config.server.tls_private_key == folder / "tls/server.key"
    assert config.journal.url == f"sqlite:///{folder}/journal.db"


@pytest.mark.parametrize(
    ("journal", "key"),
    [
        ('url = "postgresql://signer:s3cret@db/signer"', "journal.url"),
        ('url = "postgresql://signer@db/signer?password=s3cret"', "journal.url"),
        ('url = "mysql://db/signer"', "journal.url"),
        ('url = "sqlite:///journal.db"\npassword_file = "s3cret"', "journal.password_file"),
    ],
)
def test_a_database_that_can_not_be_used_is_told_without_its_password(folder: Path, journal: str, key: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(folder, f"{WHOLE}[journal]\n{journal}\n")
    assert key in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_the_file_of_a_databases_password_is_found_from_the_configurations_folder(folder: Path) -> None:
    journal = loaded(folder, f'{WHOLE}[journal]\nurl = "postgresql://signer@db/signer?sslmode=verify-full"\npassword_file = "pg"\n').journal
    assert journal.url == f"postgresql://signer@db/signer?password_file={quote(str(folder / 'pg'), safe='')}&sslmode=verify-full"


@pytest.mark.parametrize("url", ["sqlite:////var/lib/journal.db", "sqlite:///:memory:", "postgresql+psycopg://db.example/signer"])
def test_journal_addresses_without_a_relative_path_stay_as_they_are(folder: Path, url: str) -> None:
    assert loaded(folder, f'{WHOLE}[journal]\nurl = "{url}"\n').journal.url == url


def test_a_loaded_configuration_can_not_be_changed(folder: Path) -> None:
    config = loaded(folder, WHOLE)
    with pytest.raises(FrozenInstanceError):
        config.server.listen = "0.0.0.0:1"  # type: ignore[misc]


def test_the_timestamp_section_reads_algorithms_by_their_names(folder: Path) -> None:
    config = loaded(folder, f'{WHOLE}{TIMESTAMP}digest_algorithms = ["sha512"]\n')
    assert config.timestamp is not None
    assert config.timestamp.digest_algorithms == (DigestAlgorithm.SHA512,)


def test_the_example_file_loads_as_it_stands(folder: Path) -> None:
    shutil.copy(ROOT / "deploy/signer.example.toml", folder / "signer.toml")
    config = load(folder / "signer.toml")
    assert [token.name for token in config.tokens] == ["softhsm"]
    assert advise(config) == []


def test_the_stanza_for_softhsm_can_be_pasted(folder: Path) -> None:
    stanza = (ROOT / "hsm-config/softhsm/token.toml").read_text().replace("/var/lib/signer/softhsm/tokens", str(folder))
    config = loaded(folder, SERVER + stanza)
    assert config.tokens[0].processes == 0
    assert config.tokens[0].softhsm_copy is not None


def test_every_problem_of_a_file_is_told_at_once(folder: Path) -> None:
    lines = refused(
        folder,
        f"""
        [sever]
        [server]
        tls_certificate = "tls/absent.pem"
        drain = 3
        deadline_s_max = "1h"
        [log]
        level = "loud"
        {TOKEN}processes = 1.5
        {CLIENT}
        [trust]
        ca_files = ["absent.pem"]
        """,
    )
    assert [line.split(": ")[0] for line in lines] == [
        "sever",
        "server.tls_private_key",
        "server.tls_client_ca",
        "server.deadline_s_max",
        "server.drain",
        "log.level",
        "tokens[school-1].processes",
        "trust.ca_files[0]",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[sever]", "sever: unknown section — did you mean 'server'?"),
        (WHOLE.replace("tls_client_ca", "drain = 3\ntls_client_ca"), "server.drain: unknown key — did you mean 'drain_s'?"),
        (
            WHOLE + "colour = 1",
            "clients[vnedu].colour: unknown key; known: id, common_name, certificate_sha256, schools, operator, kind, may_sign_digests",
        ),
        (WHOLE + "[documents]\ndocument_bytes_max = 1", "documents.document_bytes_max: unknown key here; it belongs to [server.limits]"),
        (WHOLE + "[documents]\nkey_label = 'x'", "documents.key_label: unknown key here; it belongs to [[credentials]]"),
        (WHOLE + "[log]\nlevel = 'loud'", 'log.level: expected one of "debug", "info", "warning", "error"; got \'loud\''),
        (
            WHOLE + "[metrics]\nlisten = '9464'",
            "metrics.listen: expected 'host:port' or '[IPv6]:port' with a port of 0 to 65535; got '9464'",
        ),
        (
            WHOLE + "[documents]\ndocument_s_max = '20s'",
            "documents.document_s_max: expected a number of seconds, as in document_s_max = 20.0; got '20s'",
        ),
        (WHOLE + "[documents]\nmemory_mib_max = 1", "documents.memory_mib_max: must be 128 to 65536 MiB; got 1"),
        (WHOLE + "[documents]\ndocument_s_max = nan", "documents.document_s_max: must be above 0, at most 600 seconds; got nan"),
        (WHOLE + "[documents]\nprocesses = true", "documents.processes: expected an integer; got true"),
        (WHOLE + "[documents]\nprocesses = 2026-05-30", "documents.processes: expected an integer"),
        (WHOLE.replace('label = "school 1"', "label = 2026-05-30"), "tokens[school-1].label: expected a string"),
        (SERVER + "[tokens]\nname = 'x'", "tokens: expected an array of tables: write [[tokens]]"),
        ("log = 3" + WHOLE, "log: expected a table: write [log]"),
        (
            WHOLE.replace('"vnedu"', '"vn edu"'),
            "clients[vn edu].id: expected 1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit; got 'vn edu'",
        ),
        (
            WHOLE.replace('"01:AF"', '"xyz"'),
            "credentials[seal].key_id: expected CKA_ID in hex digits, as `pkcs11-tool -O` prints; got 'xyz'",
        ),
        (
            WHOLE + 'certificate_sha256 = ["ab"]',
            f"clients[vnedu].certificate_sha256[0]: {FINGERPRINT_WANTED}; got 'ab'",
        ),
        (
            WHOLE + TIMESTAMP + 'digest_algorithms = ["sha1"]',
            'timestamp.digest_algorithms[0]: expected one of "sha256", "sha384", "sha512"; got \'sha1\'',
        ),
    ],
)
def test_each_mistake_is_named_with_its_place_and_a_way_out(folder: Path, text: str, line: str) -> None:
    assert line in refused(folder, text)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("[log]\nlevel = \n", "2:9:"),
        ("[log]\nlevel = ", "2:9:"),
        ("[log]\n[log]\n", "2:5:"),
        ("[server", "1:8:"),
        ('x = "', "1:6:"),
    ],
)
def test_a_syntax_error_is_placed_by_line_and_column(folder: Path, text: str, start: str) -> None:
    (line,) = refused(folder, text)
    assert line.startswith(start)


def test_a_file_that_is_missing_or_not_utf8_is_refused_with_its_name(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: can't be read: No such file"):
        load(folder / "absent.toml")
    (folder / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(ConfigError, match=r"latin\.toml: byte 2: TOML is UTF-8"):
        load(folder / "latin.toml")


@pytest.mark.parametrize(
    "stanza",
    [
        f'pin = "{PIN}"',
        f'pin = "pin:{PIN}"',
        f'pin = {{ value = "{PIN}" }}',
        f'pin = ["{PIN}"]',
        f'pin = "env:TOKEN_PIN"\nuser_pin = "{PIN}"',
        f'pin = "env:TOKEN_PIN"\nenvironment = {{ TOKEN_PIN = "{PIN}" }}',
        f'pin = "env:TOKEN_PIN"\nenvironment = "{PIN}"',
        f'pin = "env:TOKEN_PIN"\nenvironment = {{ TOKEN_PIN = ["{PIN}"] }}',
        f'pin = "{PIN}',
        f'pin = {PIN}"',
    ],
)
def test_a_pin_in_the_file_is_refused_and_never_repeated(folder: Path, stanza: str) -> None:
    lines = refused(folder, WHOLE.replace('pin = "file:pin"', stanza))
    assert lines
    assert not any("hunter2" in line for line in lines)


def test_a_refusal_carries_no_chain_of_exceptions_that_could_hold_a_pin(folder: Path) -> None:
    (folder / "signer.toml").write_text(WHOLE.replace("file:pin", PIN))
    with pytest.raises(ConfigError) as refusal:
        load(folder / "signer.toml")
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None
