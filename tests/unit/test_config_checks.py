from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signer.config import advise, load
from signer.errors import ConfigError
from tests.support import looks, pki

SERVER = """
[server]
tls_certificate = "server.pem"
tls_private_key = "server.key"
tls_client_ca = "ca.pem"
"""

UNGUARDED = 'clock = { guard = "unguarded" }\n'


def token(name: str, more: str = 'label = "x"', pin: str = "env:PIN") -> str:
    return f'[[tokens]]\nname = "{name}"\nmodule = "module.so"\npin = "{pin}"\n{more}\n'


def credential(name: str, more: str = 'key_label = "k"', of: str = "main") -> str:
    return f'[[credentials]]\nid = "{name}"\ntoken = "{of}"\n{more}\n'


def tsa(clock: str) -> str:
    return token("main") + credential("tsa") + f'[timestamp]\ncredential = "tsa"\npolicy_oid = "1.2.3"\n{clock}\n'


def image(name: str, more: str = "", style: str = "person", png: str = "image.png") -> str:
    return f'[[appearance.images]]\nid = "{name}"\nschools = ["1"]\nstyle = "{style}"\nwidth_pt = 100.0\nfile = "{png}"\n{more}\n'


def client(name: str, more: str) -> str:
    return f'[[clients]]\nid = "{name}"\n{more}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for name in ("server.pem", "server.key", "ca.pem", "module.so"):
        (tmp_path / name).touch(0o600)
    (tmp_path / "tokens").mkdir()
    (tmp_path / "image.png").write_bytes(looks.signature_png(64, 32))
    return tmp_path / "signer.toml"


def problems(file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        load(file)
    return refusal.value.message


def advice(file: Path, text: str) -> str:
    file.write_text(text)
    return "\n".join(str(each) for each in advise(load(file)))


FINGERPRINT = "ab" * 32


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (token("main") * 2, "tokens[main].name: is given 2 times"),
        (
            token("main") + '[journal.archive]\ndirectory = "archive"\nsegment_entries = 512\n',
            "journal.archive.segment_entries: must be one of 256, 65536",
        ),
        (token("main", ""), "tokens[main]: give exactly one of label, serial and uri"),
        (token("main", 'label = "x"\nserial = "y"'), "tokens[main]: give exactly one of label, serial and uri"),
        (token("main").replace("module.so", "other.so"), "other.so; install the package that ships it"),
        (token("main").replace("module.so", "tokens"), "tokens[main].module: not a file"),
        (token("main", 'label = "x"\nenvironment = { PIN = "1" }'), "tokens[main].environment.PIN: holds the PIN itself"),
        (token("main", 'label = "x"\nsofthsm_copy_directory = "copy"'), "needs softhsm_token_directory beside it"),
        (token("main", 'label = "x"\nsofthsm_token_directory = "nowhere"'), "nowhere; give directories.tokendir"),
        (
            token("main", 'label = "x"\nsofthsm_token_directory = "tokens"\nsofthsm_copy_directory = "tokens/copy"'),
            "softhsm_copy_directory: must lie outside",
        ),
        (image("a") * 2, "appearance.images[a@1].id: is given 2 times"),
        (image("a", 'credential = "b"'), "appearance.images[a].credential: no credential 'b'"),
        (
            token("main") + credential("b", 'key_label = "k"\nschool = "2"') + image("a", 'credential = "b"'),
            "appearance.images[a].credential: 'b' is of school '2'",
        ),
        (image("a", png="other.png"), "appearance.images[a].file: no such file"),
        (image("a", png="module.so"), "appearance.images[a].file: the image is no PNG"),
        (image("a", style="annex"), "expected 'person' or 'organisation'"),
        (
            token("main")
            + credential("b", 'key_label = "k"\nschool = "1"')
            + image("a", 'credential = "b"')
            + image("c", 'credential = "b"'),
            "appearance.images[b (person)].credential: is given 2 times",
        ),
        (token("main") + credential("a") * 2, "credentials[a].id: is given 2 times"),
        (token("main") + credential("a", of="mian"), "credentials[a].token: no token 'mian' — did you mean 'main'?"),
        (credential("a"), "credentials[a].token: no token 'main'"),
        (token("main") + credential("a", ""), "credentials[a]: give exactly one of key_label and key_id"),
        (token("main") + credential("a", 'key_label = "k"\nkey_id = "01"'), "give exactly one of key_label and key_id"),
        (token("main") + credential("a", 'key_id = "01"\ncertificate = "no.pem"'), "credentials[a].certificate: no such file"),
        (client("a", 'common_name = "x"') * 2, "clients[a].id: is given 2 times"),
        (client("a", ""), "clients[a]: give common_name or certificate_sha256"),
        (client("a", 'common_name = "x"') + client("b", 'common_name = "x"'), "several clients match common_name 'x' alone"),
        (
            client("a", f'certificate_sha256 = ["{FINGERPRINT}"]') + client("b", f'certificate_sha256 = ["{FINGERPRINT.upper()}"]'),
            "is given more than once",
        ),
        ('[trust]\nca_files = ["no.pem"]', "trust.ca_files[0]: no such file"),
        (
            token("main") + credential("tsa") + '[timestamp]\ncredential = "tsaa"\npolicy_oid = "1.2.3"\n' + UNGUARDED,
            "timestamp.credential: no credential 'tsaa' — did you mean 'tsa'?",
        ),
        (tsa(""), 'timestamp.clock: is required. Say who vouches for the clock: guard = "ntp" with servers'),
        (tsa("clock = {}"), "timestamp.clock.guard: is required"),
        (tsa('clock = { guard = "none" }'), 'timestamp.clock.guard: expected one of "ntp", "chrony", "unguarded"; got \'none\''),
        (tsa('clock = { guard = "ntp" }'), "timestamp.clock.servers: is required with guard"),
        (tsa('clock = { guard = "unguarded", servers = ["a"] }'), 'not asked with guard = "unguarded"'),
        (tsa('clock = { guard = "ntp", servers = ["a", "a"] }'), "'a' is given 2 times; each has one vote"),
        (tsa('clock = { guard = "ntp", servers = ["a:b"] }'), "timestamp.clock.servers[0]: expected host, host:port or [IPv6]:port"),
        (tsa('clock = { guard = "chrony", chronyc = "no" }'), "timestamp.clock.chronyc: no such file"),
        ("[server.limits]\nbatch_in_flight_bytes_max = 1024", "or the largest document never gets its turn"),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(file: Path, text: str, said: str) -> None:
    assert said in problems(file, SERVER + text)


def test_a_default_deadline_beyond_the_longest_one_is_refused(file: Path) -> None:
    assert "must not exceed deadline_s_max (100 seconds)" in problems(file, SERVER + "deadline_s_max = 100\ndeadline_s_default = 200")


@pytest.mark.parametrize("name", ["server.pem", "server.key", "ca.pem"])
def test_a_missing_tls_file_is_named_by_its_path(file: Path, name: str) -> None:
    (file.parent / name).unlink()
    assert f"no such file: {file.parent / name}" in problems(file, SERVER)


def test_one_bad_section_does_not_hide_contradictions_in_others(file: Path) -> None:
    said = problems(file, SERVER + "drain = 1\n" + token("main", "") + client("a", ""))
    assert "server.drain" in said
    assert "tokens[main]" in said
    assert "clients[a]" in said


def test_clients_of_one_name_may_be_told_apart_by_their_certificates(file: Path) -> None:
    one, other = ("aa" * 32, "bb" * 32)
    text = "".join(client(each, f'common_name = "x"\ncertificate_sha256 = ["{each[:2] * 32}"]') for each in (one[:2], other[:2]))
    file.write_text(SERVER + text)
    assert [each.certificate_sha256 for each in load(file).clients] == [(one,), (other,)]


def test_what_is_allowed_but_hardly_meant_is_advised(file: Path) -> None:
    (file.parent / "server.key").chmod(0o644)
    said = advice(
        file,
        SERVER
        + token("main")
        + credential("seal", 'key_label = "k"\nschool = "79000123"')
        + credential("tsa", 'key_label = "t"\nschool = "79000999"')
        + client("a", 'common_name = "x"\nschools = ["79000124"]')
        + client("b", 'common_name = "y"')
        + '[timestamp]\ncredential = "tsa"\npolicy_oid = "1.2.3"\n'
        + UNGUARDED,
    )
    for expected in (
        "clients[a].schools: no credential is of school '79000124' — did you mean '79000123'?",
        "clients[b]: speaks for no school",
        "credentials[seal].school: no client speaks for school '79000123'",
        "credentials[tsa].school: the timestamp authority's key should be of no school",
        "server.tls_private_key: others may read",
    ):
        assert expected in said


def test_a_configuration_without_tokens_is_advised_against(file: Path) -> None:
    assert "nothing can be signed" in advice(file, SERVER)


@pytest.mark.parametrize(
    ("clock", "said"),
    [
        ('guard = "unguarded"', "timestamp.clock.guard: nobody checks the clock"),
        ('guard = "ntp", servers = ["a", "b"]', "timestamp.clock.servers: give 3 or more"),
        ('guard = "ntp", servers = ["a", "b", "[::1]:124"]', "'[::1]:124' is this machine"),
    ],
)
def test_a_clock_that_is_guarded_weakly_or_not_is_advised_against(file: Path, clock: str, said: str) -> None:
    assert said in advice(file, SERVER + tsa(f"clock = {{ {clock} }}"))


def test_three_servers_elsewhere_are_a_guard_without_complaint(file: Path) -> None:
    assert "timestamp.clock" not in advice(file, SERVER + tsa('clock = { guard = "ntp", servers = ["a", "b:1123", "[2001:db8::1]"] }'))


def test_wrong_layouts_of_records_are_told_before_the_daemon_starts(file: Path) -> None:
    folder = file.parent / "layouts"
    found = SERVER + '[records]\nlayouts_folder = "layouts"\n'
    assert f"records.layouts_folder: {folder}: no such folder" in problems(file, found)
    folder.mkdir()
    (folder / "a.toml").write_text('id = "a"\n')
    told = problems(file, found)
    assert f"records.layouts_folder: {folder / 'a.toml'}: display_name: field required" in told
    assert f"records.layouts_folder: {folder / 'a.toml'}: slots: field required" in told


def test_a_school_has_one_code(file: Path) -> None:
    twice = "".join(f'[[records.schools]]\nid = "school-1"\ncode = "{code}"\n' for code in ("79000001", "79000002"))
    assert "records.schools[school-1].id: is given 2 times" in problems(file, SERVER + twice)
    file.write_text(SERVER + '[[records.schools]]\nid = "school-1"\ncode = "79000001"\n')
    assert [(school.id, school.code) for school in load(file).records.schools] == [("school-1", "79000001")]


def test_whom_signers_are_believed_under_is_looked_at(file: Path) -> None:
    ending = pki.issue("CA G1 (DEMO)", pki.rsa_key(180), is_ca=True, not_after=datetime.now(UTC) + timedelta(days=900))
    (file.parent / "g1.pem").write_bytes(b"Purposes: signing\n" + ending.pem)
    file.write_text(SERVER + token("main") + credential("seal") + '[trust]\nca_files = ["g1.pem"]\n')
    assert [problem.text for problem in advise(load(file)) if "B-LTA" in problem.text]
    file.write_text(SERVER + token("main") + credential("seal"))
    assert [problem.text for problem in advise(load(file)) if "no CA is believed for signing" in problem.text]


@pytest.mark.parametrize(
    ("trust", "words"),
    [('ca_files = ["server.pem"]', "holds no PEM certificate"), ('folder = "tokens"', "x.pem"), ('folder = "server.pem"', "not a folder")],
)
def test_what_is_no_ca_is_refused_where_it_is_named(file: Path, trust: str, words: str) -> None:
    (file.parent / "tokens" / "x.pem").write_bytes(b"x")
    file.write_text(f"{SERVER}[trust]\n{trust}\n")
    with pytest.raises(ConfigError, match=words):
        load(file)
